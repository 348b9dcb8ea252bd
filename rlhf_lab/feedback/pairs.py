"""From comparisons to what a loss wants: pairs of a chosen and a rejected completion.

A tie, "both bad", a skip and an answer that was taken back do not say which text is better, so they give no
pair. Ties can be had apart, for a loss that can use them.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from rlhf_lab.feedback.records import Record, effective


@dataclass(frozen=True)
class PreferencePair:
    """Of two completions of one prompt, which one was preferred."""

    prompt: str
    chosen: str
    rejected: str
    group: str  # pairs of one group stay together when data is split: here the prompt


@dataclass(frozen=True)
class TiedPair:
    """Two completions of one prompt that a rater found equally good, or equally bad."""

    prompt: str
    first: str
    second: str
    group: str  # as in PreferencePair
    both_bad: bool = False  # neither was any good


def preference_pairs(records: Iterable[Record]) -> list[PreferencePair]:
    """The pairs that comparisons say something about, in the order they were made.

    Ties, both_bad, skips, discarded and retracted answers and pairs of equal texts are dropped. Events work
    as well as records: what was superseded does not count.
    """
    pairs = []
    for record in _comparisons(records):
        if record.winner in ("tie", "both_bad"):
            continue
        chosen = record.candidate(record.winner).text
        rejected = next(candidate.text for candidate in record.candidates if candidate.id != record.winner)
        if chosen != rejected:
            pairs.append(PreferencePair(record.prompt, chosen, rejected, group=record.prompt))
    return pairs


def tied_pairs(records: Iterable[Record]) -> list[TiedPair]:
    """The comparisons answered with a tie or with "both bad", in the order they were made."""
    return [
        TiedPair(record.prompt, *(candidate.text for candidate in record.candidates), group=record.prompt,
                 both_bad=record.winner == "both_bad")
        for record in _comparisons(records) if record.winner in ("tie", "both_bad")
    ]


def _comparisons(records: Iterable[Record]) -> list[Record]:
    return [record for record in effective(records) if record.kind == "compare" and record.status == "submitted"]
