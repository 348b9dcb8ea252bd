"""What ratings are worth: how often a rater agrees with themselves, with the truth and with others.

Some agreement is pure chance. Kappa and alpha correct for it: 1 is perfect agreement, 0 is what shuffled answers would
give. Import this module by its name; unlike the rest of `rlhf_lab.feedback`, it needs numpy.
"""

import math
from collections import Counter
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median, quantiles
from typing import Any

import numpy as np

from rlhf_lab.feedback.errors import FeedbackError
from rlhf_lab.feedback.kinds import KINDS, VERDICTS, unknown_kind
from rlhf_lab.feedback.records import Record, effective, original_id, repeat_number
from rlhf_lab.feedback.shares import Share

LEVELS = ("nominal", "ordinal", "interval")


# --- One rater -----------------------------------------------------------------------------------------


def self_consistency(records: Iterable[Record], tolerance: int = 0, confidence: float = 0.95) -> Share:
    """The share of repeated questions that were answered as they were the first time.

    Repeats are recognised by their ids ("<id>#2", see `records.repeat_of`) and compared with the same rater's answer to
    the original in the same task. tolerance: scores that differ by at most this count as the same.
    """
    records = _submitted(records)
    first = {_question(record): record for record in records if repeat_number(record.item_id) == 1}
    outcomes = [
        same_answer(first[_question(record)], record.value, tolerance)
        for record in records
        if repeat_number(record.item_id) > 1 and _question(record) in first
    ]
    return Share.of(outcomes, confidence)


def gold_accuracy(
    records: Iterable[Record],
    answers: Mapping[str, Any] | Iterable[Record],
    tolerance: int = 0,
    confidence: float = 0.95,
) -> Share:
    """The share of gold items that were answered correctly.

    answers: the right ones, as {item_id: value} in canonical form or as records (for example, with source "gold").
    Ignores items without a right answer, and gold records among `records`.
    """
    answers = _right_answers(answers)
    outcomes = [
        same_answer(record, answers[original_id(record.item_id)], tolerance)
        for record in _submitted(records)
        if record.source != "gold" and original_id(record.item_id) in answers
    ]
    return Share.of(outcomes, confidence)


def left_share(records: Iterable[Record], confidence: float = 0.95) -> Share:
    """How often the text on the left won, among comparisons with a winner.

    Sides are random, so an unbiased rater has a share of about one half, whatever their taste. An interval that does
    not contain one half indicates a bias.
    """
    decided = [r for r in _submitted(records) if r.winner not in (None, *VERDICTS) and r.source != "gold"]
    return Share.of((record.winner == record.display_order[0] for record in decided), confidence)


@dataclass(frozen=True)
class Times:
    """How many seconds answers took, if it was measured."""

    count: int
    median: float  # NaN without any
    quartiles: tuple[float, float]  # a quarter of answers were quicker than the first, a quarter slower than the second
    total: float


def time_per_item(records: Iterable[Record]) -> Times:
    """How long the current answers took, without those that were not timed (a machine's). Look at the median: coffee
    breaks distort the mean."""
    seconds = sorted(r.client_ms / 1000 for r in _submitted(records) if r.client_ms is not None)
    if len(seconds) < 2:
        only = seconds[0] if seconds else math.nan
        return Times(len(seconds), only, (only, only), sum(seconds))
    low, _, high = quantiles(seconds, n=4, method="inclusive")
    return Times(len(seconds), median(seconds), (low, high), sum(seconds))


def same_answer(record: Record, value: Any, tolerance: int = 0) -> bool:
    """Whether the record's answer equals `value`: the same winner (of any strength), the same tags in any order, the
    same tiers, the same text, or scores on the same axes that differ by at most `tolerance`."""
    return KINDS[record.kind].same(record.value, value, tolerance)


# --- Several raters ------------------------------------------------------------------------------------


def answers_by_rater(
    records: Iterable[Record], axis: str | None = None, tag: str | None = None
) -> dict[str, dict[str, Any]]:
    """A table {item_id: {rater_id: answer}} for the coefficients below. For a repeated item, the first answer counts.

    The answer to a comparison is "tie", "both_bad", or the candidate that won, "first" or "second" in canonical order.
    (Not the winner's id: chance agreement is computed over all items, so items must share the same possible answers.)
    For scores it is the score on `axis`, for labels whether `tag` was given.
    FeedbackError for rankings and edits, or if axis or tag is missing.
    """
    pairs = ". Make pairs of them first."
    needed = {"score": ": name an axis.", "label": ": name a tag.", "rank": pairs, "edit": pairs}
    table: dict[str, dict[str, Any]] = {}
    for record in _submitted(records):
        if repeat_number(record.item_id) > 1:
            continue
        if record.kind == "compare":
            ids = [candidate.id for candidate in record.candidates]
            answer = record.winner if record.winner in VERDICTS else ("first", "second")[ids.index(record.winner)]
        elif record.kind == "score" and axis is not None:
            answer = record.value.get(axis)
        elif record.kind == "label" and tag is not None:
            answer = tag in record.value
        elif record.kind in needed:
            raise FeedbackError(f"Answers of kind {record.kind!r} cannot be tabulated{needed[record.kind]}")
        else:
            raise unknown_kind(record.kind, "answers_by_rater")
        if answer is not None:
            table.setdefault(record.item_id, {})[record.rater_id] = answer
    return table


def cohen_kappa(one: Sequence[Hashable], other: Sequence[Hashable], weights: str | None = None) -> float:
    """Agreement of two raters beyond chance, on the same items in the same order (Cohen 1960).

    weights: None counts all disagreements equally; "linear" and "quadratic" weight them by the distance of the two
    numbers (Cohen 1968). NaN if there are no items, or if both raters always give one and the same answer, because then
    agreement cannot be told from chance.
    """
    if len(one) != len(other):
        raise FeedbackError(f"Two raters answer the same items; got {len(one)} and {len(other)} answers.")
    power = {None: 0, "linear": 1, "quadratic": 2}
    if weights not in power:
        raise FeedbackError(f"weights is None, 'linear' or 'quadratic'; got {weights!r}.")

    def apart(a: Any, b: Any) -> float:
        return float(a != b) if weights is None else abs(a - b) ** power[weights]

    if not len(one):
        return math.nan
    observed = sum(apart(a, b) for a, b in zip(one, other, strict=True)) / len(one)
    left, right = Counter(one), Counter(other)
    expected = sum(apart(a, b) * n * m for a, n in left.items() for b, m in right.items()) / len(one) ** 2
    return 1 - observed / expected if expected else math.nan


def krippendorff_alpha(units: Iterable[Iterable[Any]], level: str = "nominal") -> float:
    """Agreement beyond chance of any number of raters; answers may be missing (Krippendorff 2011).

    units: the answers to each item, None for a missing one. From a table of `answers_by_rater`, they are
    `[answers.values() for answers in table.values()]`. level: how to measure disagreement: "nominal" (all differences
    are equal), "ordinal" (by the number of answers in between), "interval" (by the squared difference). Items with
    fewer than two answers are ignored. NaN if all answers are the same, or nothing can be compared.
    """
    if level not in LEVELS:
        raise FeedbackError(f"level must be one of {', '.join(LEVELS)}; got {level!r}.")
    answers = [[answer for answer in unit if answer is not None] for unit in units]
    counted = [Counter(unit) for unit in answers if len(unit) > 1]
    totals = sum(counted, Counter())
    values = sorted(totals) if level != "nominal" else list(totals)
    place = {value: i for i, value in enumerate(values)}
    coincidences = np.zeros((len(values), len(values)))  # (V, V): ordered pairs within an item, by its answers - 1
    for unit in counted:
        for a, n in unit.items():
            for b, m in unit.items():
                coincidences[place[a], place[b]] += n * (m - (a == b)) / (unit.total() - 1)
    margins = coincidences.sum(1)  # (V,)
    apart = _distances(values, margins, level)
    observed, expected = (coincidences * apart).sum(), (np.outer(margins, margins) * apart).sum()
    return float(1 - (margins.sum() - 1) * observed / expected) if expected > 0 else math.nan


def _distances(values: Sequence[Any], margins: np.ndarray, level: str) -> np.ndarray:
    """Squared distances (V, V) between answers, by Krippendorff's metrics."""
    if level == "nominal":
        return 1.0 - np.eye(len(values))
    if level == "interval":
        numbers = np.array(values, float)
        return (numbers[:, None] - numbers) ** 2
    middle = np.cumsum(margins) - margins / 2  # the mean rank of each answer
    return (middle[:, None] - middle) ** 2


# --- In words ------------------------------------------------------------------------------------------


def report(records: Iterable[Record], gold: Mapping[str, Any] | Iterable[Record] = ()) -> str:
    """A summary of records as text: a few lines for each rater, and the raters' agreement on comparisons."""
    records = _submitted(records)
    gold = _right_answers(gold)
    lines = []
    for rater in sorted({record.rater_id for record in records if record.source != "gold"}):
        own = [record for record in records if record.rater_id == rater]
        kinds = ", ".join(f"{count} {kind}" for kind, count in Counter(record.kind for record in own).items())
        lines.append(f"{rater}: {len(own)} answers ({kinds})")
        shares = {
            "the same again": self_consistency(own),
            "right on gold items": gold_accuracy(own, gold),
            "left text preferred": left_share(own),
        }
        for words, share in shares.items():
            if share.trials:
                lines.append(f"  {words}: {share}")
        times = time_per_item(own)
        if times.count:
            lines.append(f"  time per answer: {times.median:.1f} s at the median")
    compared = [record for record in records if record.kind == "compare" and record.source != "gold"]
    units = [list(answers.values()) for answers in answers_by_rater(compared).values() if len(answers) > 1]
    if units:
        alpha = krippendorff_alpha(units)
        lines.append(f"{len(units)} comparisons answered by several raters: Krippendorff's alpha {alpha:.2f}")
    return "\n".join(lines) or "There are no answers yet."


def _submitted(records: Iterable[Record]) -> list[Record]:
    return [record for record in effective(records) if record.status == "submitted"]


def _right_answers(gold: Mapping[str, Any] | Iterable[Record]) -> Mapping[str, Any]:
    return gold if isinstance(gold, Mapping) else {record.item_id: record.value for record in _submitted(gold)}


def _question(record: Record) -> tuple[str, str, str, str]:
    return record.task_id, record.rater_id, record.kind, original_id(record.item_id)
