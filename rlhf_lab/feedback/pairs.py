"""From answers to pairs of a chosen and a rejected completion of the same prompt, for a loss.

    compare   the winner over the other
    rank      every text over every text of a lower tier
    edit      the rewritten text over the original
    score     the higher over the lower, among one rater's texts of one prompt
    label     those without a fault over those with one, among one rater's texts of one prompt

Ties, "both bad", skips and answers that were taken back do not say which text is better, so they give no pair.
`tied_pairs` gives the tied comparisons separately, for a loss that can use them. Gold answers (source "gold") are not
ratings, so they give none either. For examples of single completions see `rlhf_lab.feedback.examples`.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

from rlhf_lab.feedback.errors import RecordError
from rlhf_lab.feedback.kinds import VERDICTS, unknown_kind
from rlhf_lab.feedback.records import Record, effective


@dataclass(frozen=True)
class PreferencePair:
    """Two completions of one prompt, one of which was preferred."""

    prompt: str
    chosen: str
    rejected: str
    group: str  # the prompt; pairs of one group stay together when data is split
    strength: int | None = None  # how much better: 1 (slightly), 2 (clearly), 3 (much); None if nobody said
    weight: float = 1.0  # the pairs of one ranking, or of one rater's scores for a prompt, sum to 1


@dataclass(frozen=True)
class TiedPair:
    """Two completions of one prompt that a rater judged equally good, or equally bad."""

    prompt: str
    first: str
    second: str
    group: str  # as in PreferencePair
    both_bad: bool = False  # neither was any good


def preference_pairs(
    records: Iterable[Record], axis: str | None = None, good_tags: Collection[str] = ()
) -> list[PreferencePair]:
    """The preference pairs from answers of any kind, in the order of the answers, with scores and labels last.

    axis: which score counts; None takes the sum over all, and only compares texts scored on the same axes.
    good_tags: labels that are not faults. Every other label is a fault.

    Pairs of equal texts are dropped. The module's docstring says which answers give no pairs. Events work as well as
    records: superseded answers do not count.
    """
    records = ratings(records)
    pairs = []
    for record in records:
        if record.kind == "compare":
            chosen = [candidate.text for candidate in record.candidates if candidate.id == record.winner]
            rejected = [candidate.text for candidate in record.candidates if candidate.id != record.winner]
            pairs += _ordered(record.prompt, [chosen, rejected], record.strength)  # gives no pair if nobody won
        elif record.kind == "rank":
            tiers = [[record.candidate(each).text for each in tier] for tier in record.value]
            pairs += _ordered(record.prompt, tiers)
        elif record.kind == "edit":
            pairs += _ordered(record.prompt, [[record.value["text"]], [record.candidate(record.value["base_id"]).text]])
        elif record.kind not in ("score", "label"):  # these two are paired below, by prompt
            raise unknown_kind(record.kind, "preference_pairs")
    for prompt, judged in _judged(records, "score"):
        by_axes: dict[tuple[str, ...], dict[int, list[str]]] = {}
        for record in judged:
            axes = tuple(sorted(record.value)) if axis is None else (axis,)
            if set(axes) <= set(record.value):
                total = sum(record.value[each] for each in axes)
                by_axes.setdefault(axes, {}).setdefault(total, []).append(record.candidates[0].text)
        for totals in by_axes.values():
            pairs += _ordered(prompt, [totals[total] for total in sorted(totals, reverse=True)])
    for prompt, judged in _judged(records, "label"):
        texts: dict[bool, list[str]] = {False: [], True: []}
        for record in judged:
            texts[has_fault(record, good_tags)].append(record.candidates[0].text)
        pairs += _ordered(prompt, [texts[False], texts[True]])
    return pairs


def answered_pair(
    prompt: str, left: str, right: str, answer: str | tuple[str, int]
) -> PreferencePair | TiedPair | None:
    """The pair from a rater's plain answer to a comparison (`world.SimulatedRater.compare`); None for "both_bad"."""
    side, strength = answer if isinstance(answer, tuple) else (answer, None)
    if side == "tie":
        return TiedPair(prompt, left, right, group=prompt)
    if side not in ("left", "right"):
        return None
    chosen, rejected = (left, right) if side == "left" else (right, left)
    return PreferencePair(prompt, chosen, rejected, prompt, strength)


def tied_pairs(records: Iterable[Record]) -> list[TiedPair]:
    """The comparisons answered with a tie or with "both bad", in the order of the answers."""
    return [
        TiedPair(
            record.prompt,
            *(candidate.text for candidate in record.candidates),
            group=record.prompt,
            both_bad=record.winner == "both_bad",
        )
        for record in ratings(records)
        if record.winner in VERDICTS
    ]


def ratings(records: Iterable[Record]) -> list[Record]:
    """The current submitted answers, without gold answers."""
    return [record for record in effective(records) if record.status == "submitted" and record.source != "gold"]


def has_fault(record: Record, good_tags: Collection[str] = ()) -> bool:
    """Whether a labelled text has a label that is not among the good ones."""
    return any(tag not in good_tags for tag in record.value)


def _judged(records: Iterable[Record], kind: str) -> Iterator[tuple[str, list[Record]]]:
    """(prompt, records) of a kind, one group per prompt and rater: only these judgements can be compared."""
    found: dict[tuple[str, str], list[Record]] = {}
    for record in records:
        if record.kind == kind:
            found.setdefault((record.prompt, record.rater_id), []).append(record)
    for (prompt, _), judged in found.items():
        yield prompt, judged


def _ordered(prompt: str, tiers: Sequence[Sequence[str]], strength: int | None = None) -> list[PreferencePair]:
    """All pairs of texts from different tiers, the better tier first. Their weights sum to 1."""
    found = [
        (chosen, rejected)
        for better, worse in combinations(tiers, 2)
        for chosen in better
        for rejected in worse
        if chosen != rejected
    ]
    return [PreferencePair(prompt, *pair, prompt, strength, 1 / len(found)) for pair in found]


def check_pairs(pairs: Iterable[PreferencePair]) -> list[PreferencePair]:
    """The same pairs. RecordError if a pair has two equal texts, because no answer can mean that."""
    pairs = list(pairs)
    for number, pair in enumerate(pairs):
        if pair.chosen == pair.rejected:
            raise RecordError(f"Pair {number} prefers a text to itself: {pair.chosen[:60]!r}. Leave it out.")
    return pairs
