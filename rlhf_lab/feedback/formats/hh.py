"""Pairs as two transcripts, in the form of hh-rlhf (Bai et al. 2022): {"chosen": ..., "rejected": ...} on each line.

Both transcripts begin alike, "\\n\\nHuman: ...\\n\\nAssistant:", and part after some answer's beginning. The prompt is
what comes before that answer. A transcript knows of no strength and no weight.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from rlhf_lab.feedback.errors import RecordError
from rlhf_lab.feedback.formats.messages import END, is_transcript
from rlhf_lab.feedback.formats.rows import pairs_of, read_rows, text_of, write_rows
from rlhf_lab.feedback.pairs import PreferencePair, check_pairs

_START = "\n\nHuman: "


def to_hh(pairs: Iterable[PreferencePair]) -> list[dict[str, str]]:
    """Rows of two transcripts. A prompt that is none becomes the question of the only turn."""
    rows = []
    for pair in check_pairs(pairs):
        prompt = pair.prompt if is_transcript(pair.prompt) else f"{_START}{pair.prompt}{END}"
        rows.append({"chosen": prompt + pair.chosen, "rejected": prompt + pair.rejected})
    return rows


def from_hh(rows: Iterable[Mapping[str, Any]], plain: bool = False) -> list[PreferencePair]:
    """Pairs from rows of two transcripts; rows of two equal transcripts prefer nothing: a warning counts them.

    plain: of transcripts of a single turn the prompt is the question alone, as `to_hh` found it.
    RecordError, naming the row, where the two do not begin with the same question.
    """
    return pairs_of(rows, lambda row: _pair(row, plain))


def _pair(row: Mapping[str, Any], plain: bool) -> PreferencePair | None:
    chosen, rejected = text_of(row, "chosen"), text_of(row, "rejected")
    if chosen == rejected:
        return None
    shared = _common_start(chosen, rejected)
    end = shared.rfind(END)
    if end < 0 or not shared.startswith(_START.rstrip()):
        raise RecordError(
            f"Its transcripts do not begin with the same question ({_START!r} ... {END!r}): they share {shared[:60]!r}."
        )
    cut = end + len(END)
    prompt = shared[:cut]
    question = prompt.removeprefix(_START).removesuffix(END)
    if plain and is_transcript(prompt) and not is_transcript(question) and _single(prompt):
        prompt = question
    return PreferencePair(prompt, chosen[cut:], rejected[cut:], prompt)


def write_hh(path: Path | str, pairs: Iterable[PreferencePair]) -> int:
    """Write pairs to a file, compressed if its name ends in .gz; gives their number."""
    return write_rows(path, to_hh(pairs))


def read_hh(path: Path | str, plain: bool = False) -> list[PreferencePair]:
    """The pairs of a file of hh-rlhf, plain or gzip; errors as `from_hh` and `feedback.lines.read_rows`."""
    return from_hh(read_rows(path), plain)


def _single(prompt: str) -> bool:
    """Whether nobody but the first question speaks before the answer."""
    return prompt.count("\n\nHuman:") == prompt.count("\n\nAssistant:") == 1 and "\n\nSystem:" not in prompt


def _common_start(one: str, other: str) -> str:
    """The longest text that both begin with."""
    parted = (i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b)
    return one[: next(parted, min(len(one), len(other)))]
