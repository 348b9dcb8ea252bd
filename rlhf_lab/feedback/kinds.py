"""The five kinds of question, in one table: `KINDS`.

What an answer (a record's `value`) looks like:

    compare   {"winner": candidate id | "tie" | "both_bad"}; with a winner also, if the rater was asked for it,
              "strength": 1 (slightly better), 2 (clearly) or 3 (much)
    score     {axis: int, ...}
    label     [tag, ...]
    rank      [[best id, ...], [next id, ...], ...]      ids in one inner list are tied
    edit      {"base_id": candidate id, "text": rewritten text}

A new kind is a new row of the table. These places must handle it too; those marked with ! raise `unknown_kind` until
they do:

    feedback/agreement.py             answers_by_rater !
    feedback/pairs.py                 preference_pairs !
    feedback/examples.py              unpaired_examples !
    feedback/raters.py                rate_with !, and a method of ReplayRater
    feedback/formats/argilla.py       both directions !
    widgets/                          a panel: a Python file, a script, its looks in kinds.css; widgets/__init__.py
    world/simulated_raters.py         a method of SimulatedRater, named like the kind
    training/reward_examples.py       what a reward model learns from
    training/reward_objectives.py     with which loss
    notebooks/lessons/label_budgets.py  how long an answer takes; CONTENDERS
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from rlhf_lab.feedback.errors import FeedbackError, RecordError, shown

VERDICTS = ("tie", "both_bad")  # answers to a comparison other than a candidate's id
STRENGTHS = (1, 2, 3)  # how much better the winner of a comparison is: slightly, clearly, much


@dataclass(frozen=True)
class Kind:
    """The properties of one kind of question."""

    least: int  # fewest candidates of a question
    most: float
    in_words: str  # the same, for messages
    check: Callable[[Any, list[str]], None]  # (JSON value, candidate ids): RecordError if it is not an answer
    same: Callable[[Any, Any, int], bool]  # (value, value, tolerance): whether two answers agree


def unknown_kind(kind: str, place: str) -> FeedbackError:
    """The error for a place in the code that does not handle a kind yet."""
    return FeedbackError(f"{place} does not know answers of kind {kind!r}. `rlhf_lab.feedback.kinds` says what to add.")


def is_int(value: Any) -> bool:
    """Whether a value is a whole number of at most 64 bits, which every tool can handle."""
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**64


def _check_compare(value: Any, ids: list[str]) -> None:
    if len(ids) != 2:
        raise RecordError(f"A comparison needs two candidates; got {len(ids)}.")
    allowed = [*ids, *VERDICTS]
    if not isinstance(value, dict) or set(value) - {"strength"} != {"winner"} or value["winner"] not in allowed:
        raise RecordError(f'The answer to a comparison is {{"winner": ...}} with one of {allowed}; got {shown(value)}.')
    if "strength" in value:
        if not is_int(value["strength"]) or value["strength"] not in STRENGTHS:
            raise RecordError(
                f"The strength of a preference is 1 (slightly), 2 (clearly) or 3 (much); got {shown(value)}."
            )
        if value["winner"] in VERDICTS:
            raise RecordError(f"Only a preference has a strength, {value['winner']!r} has none; got {shown(value)}.")


def _check_score(value: Any, ids: list[str]) -> None:
    if not isinstance(value, dict) or not value or not all(is_int(score) for score in value.values()):
        raise RecordError(f"Scores are {{axis: whole number}} with at least one axis; got {shown(value)}.")


def _check_label(value: Any, ids: list[str]) -> None:
    if not isinstance(value, list) or not all(isinstance(tag, str) for tag in value):
        raise RecordError(f"Labels are a list of tags, empty for none of them; got {shown(value)}.")
    if len(set(value)) != len(value):
        raise RecordError(f"A tag is named twice: {shown(value)}.")


def _check_rank(value: Any, ids: list[str]) -> None:
    is_nested = isinstance(value, list) and all(isinstance(tier, list) and tier for tier in value)
    named = [candidate_id for tier in value for candidate_id in tier] if is_nested else []
    if not all(isinstance(candidate_id, str) for candidate_id in named) or sorted(named) != sorted(ids):
        raise RecordError(f"A ranking is a list of lists that names each of {ids} once; got {shown(value)}.")


def _check_edit(value: Any, ids: list[str]) -> None:
    if not isinstance(value, dict) or set(value) != {"base_id", "text"} or value["base_id"] not in ids:
        raise RecordError(f'An edit is {{"base_id": one of {ids}, "text": ...}}; got {shown(value)}.')
    if not isinstance(value["text"], str):
        raise RecordError(f"the edited text must be a string; got {type(value['text']).__name__}.")


def _same_scores(one: Any, other: Any, tolerance: int) -> bool:
    return one.keys() == other.keys() and all(abs(one[axis] - other[axis]) <= tolerance for axis in one)


def _same_tiers(one: Any, other: Any, tolerance: int) -> bool:
    return [set(tier) for tier in one] == [set(tier) for tier in other]


KINDS: dict[str, Kind] = {
    "compare": Kind(2, 2, "two", _check_compare, lambda one, other, _: one["winner"] == other["winner"]),
    "score": Kind(1, 1, "one", _check_score, _same_scores),
    "label": Kind(1, 1, "one", _check_label, lambda one, other, _: set(one) == set(other)),
    "rank": Kind(2, math.inf, "two or more", _check_rank, _same_tiers),
    "edit": Kind(1, 1, "one", _check_edit, lambda one, other, _: one["text"] == other["text"]),
}
