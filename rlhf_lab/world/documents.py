"""What a document of the tiny world is, and how its prompt determines its kind and its split."""

import zlib
from dataclasses import dataclass

TEXT_KINDS = ("review", "conversation", "translation", "story")
SPLITS = ("train", "heldout")
_STARTS = {
    "Review of ": "review",
    "Visitor: ": "conversation",
    "English: ": "translation",
    "Wickish: ": "translation",
    "Story: ": "story",
}


@dataclass(frozen=True)
class Document:
    """One text: a model is given `prompt` and learns to write `completion`."""

    kind: str  # one of TEXT_KINDS
    prompt: str  # never ends in whitespace
    completion: str  # starts with one space

    @property
    def text(self) -> str:
        """The whole text, prompt and completion."""
        return self.prompt + self.completion


def kind_of(prompt: str) -> str:
    """The kind of text that `prompt` asks for, one of TEXT_KINDS. ValueError if it asks for none of them."""
    for start, kind in _STARTS.items():
        if prompt.startswith(start):
            return kind
    raise ValueError(f"not a prompt of the tiny world: {prompt[:40]!r}; it should start with one of {list(_STARTS)}")


def split_of(prompt: str) -> str:
    """The split of a prompt, always and everywhere the same. CRC-32 decides; one prompt in ten is held out."""
    return "heldout" if zlib.crc32(prompt.encode("ascii")) % 10 == 7 else "train"
