"""Raters that are no person, answering through the same door as one.

A rater is anything with `compare(prompt, left, right)` that gives "left", "right", "tie" or "both_bad". It
sees what a person would see: the prompt and two texts in display order, and nothing about who wrote them.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Protocol

from rlhf_lab.feedback.errors import FeedbackError, NoAnswerError
from rlhf_lab.feedback.files import read_records
from rlhf_lab.feedback.records import Item, Record, effective
from rlhf_lab.feedback.session import RatingSession, View


class Rater(Protocol):
    """Anything that can compare two completions."""

    def compare(self, prompt: str, left: str, right: str) -> str:
        """Which text is better: "left", "right", "tie" or "both_bad"."""


def rate_with(session: RatingSession, rater: Rater, limit: int | None = None) -> int:
    """Let a rater answer until the questions run out, or `limit` answers are given; gives their number.

    A question that the rater has no answer to (NoAnswerError) is skipped. The session must say who answers:
    one whose source is "human" is refused, so that no machine's answer is ever taken for a person's.
    """
    if session.source == "human":
        raise FeedbackError(
            "This session records a person's answers. For a rater make one with source='simulated' (or 'replay',"
            " 'model') and a rater_id of its own, for example with session.sibling(...)."
        )
    answered = 0
    while limit is None or answered < limit:
        view = session.view()
        if view.state == "stuck":
            raise FeedbackError(view.problem)
        if view.state == "done":
            break
        left, right = view.options
        try:
            verdict = rater.compare(view.prompt, left.text, right.text)
        except NoAnswerError:
            session.skip(view.turn, input_method="rater")
            continue
        answered += session.answer(compare_value(view, verdict), view.turn, input_method="rater")
    return answered


def compare_value(view: View, verdict: str) -> dict[str, str]:
    """A verdict about the screen ("left", "right", "tie", "both_bad") as a canonical answer."""
    if verdict in ("left", "right"):
        return {"winner": view.options[verdict == "right"].id}
    if verdict in ("tie", "both_bad"):
        return {"winner": verdict}
    raise FeedbackError(f"A comparison is answered with left, right, tie or both_bad; got {verdict!r}.")


def rater_name(rater: Rater) -> str:
    """What to call a rater in a sentence: its name, or that of its taste, or its type."""
    for owner in (rater, getattr(rater, "taste", None)):
        name = getattr(owner, "name", None)
        if isinstance(name, str) and name:
            return name
    return type(rater).__name__


class ReplayRater:
    """Answers as somebody did before, whichever side the texts stand on now.

    records: the recording; comparisons that stand are used, later ones win where a question was asked twice.
    name: who was recorded; by default the rater_id of the first record.
    """

    def __init__(self, records: Iterable[Record], name: str = ""):
        self._answers: dict[tuple[str, frozenset[str]], Record] = {}
        for record in effective(records):
            if record.winner is not None:
                texts = frozenset(candidate.text for candidate in record.candidates)
                self._answers.pop((record.prompt, texts), None)
                self._answers[record.prompt, texts] = record
        self.name = name or next((record.rater_id for record in self._answers.values()), "nobody")

    @classmethod
    def from_file(cls, path: Path | str, name: str = "") -> "ReplayRater":
        """The rater recorded in a file of `rlhf_lab.feedback.files.write_records`."""
        return cls(read_records(path), name)

    @property
    def items(self) -> list[Item]:
        """The questions that were answered, to be used as a queue."""
        unique = {record.item_id: record.item for record in self._answers.values()}
        return list(unique.values())

    def compare(self, prompt: str, left: str, right: str) -> str:
        """The recorded answer; NoAnswerError if this question is not in the recording."""
        record = self._answers.get((prompt, frozenset((left, right))))
        if record is None:
            raise NoAnswerError(f"The recording of {self.name!r} has no answer about these texts.")
        if record.winner in ("tie", "both_bad"):
            return record.winner
        return "left" if record.candidate(record.winner).text == left else "right"
