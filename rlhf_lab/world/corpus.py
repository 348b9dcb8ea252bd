"""The shipped corpus, and unlimited fresh documents like it."""

import json
from functools import cache

from .. import paths
from . import conversations, reviews, stories, translations
from .documents import SPLITS, TEXT_KINDS, Document, kind_of, split_of

_MODULES = {"review": reviews, "conversation": conversations, "translation": translations, "story": stories}


def _check(kind: str | None, split: str | None) -> None:
    if kind is not None and kind not in TEXT_KINDS:
        raise ValueError(f"kind is one of {TEXT_KINDS}, not {kind!r}")
    if split is not None and split not in SPLITS:
        raise ValueError(f"split is one of {SPLITS}, not {split!r}")


def generate_prompt(kind: str, rng, prompt_split: str | None = "train") -> str:
    """A fresh prompt of `kind` from the split `prompt_split` (None: any). Only calls rng.random()."""
    _check(kind, prompt_split)
    while True:
        prompt = _MODULES[kind].make_prompt(rng)
        if prompt_split is None or split_of(prompt) == prompt_split:
            return prompt


def generate_completion(prompt: str, rng) -> str:
    """A completion for `prompt`, good or bad at random, as in the corpus."""
    return _MODULES[kind_of(prompt)].write(rng, prompt)


def generate_document(kind: str, rng, prompt_split: str | None = "train") -> Document:
    """A fresh document of `kind`, with a prompt from the split `prompt_split` (None: any)."""
    prompt = generate_prompt(kind, rng, prompt_split)
    return Document(kind, prompt, generate_completion(prompt, rng))


@cache
def _load(split: str, kind: str) -> tuple:
    path = paths.data_dir() / "corpus" / f"{kind}.{split}.jsonl"
    if not path.is_file():
        raise FileNotFoundError(f"{path} is missing; write it with `python data/make/corpus.py`")
    with open(path, encoding="ascii") as lines:
        rows = (json.loads(line) for line in lines)
        return tuple(Document(kind, row["prompt"], row["completion"]) for row in rows)


def load_corpus(split: str = "train", kind: str | None = None) -> list[Document]:
    """The shipped documents of a split, in file order. kind: None for all kinds."""
    _check(kind, split)
    return [document for k in ([kind] if kind else TEXT_KINDS) for document in _load(split, k)]


def load_prompts(split: str = "heldout", kind: str | None = None) -> list[str]:
    """The shipped prompts of a split, each once. No prompt is in both splits."""
    return list(dict.fromkeys(document.prompt for document in load_corpus(split, kind)))
