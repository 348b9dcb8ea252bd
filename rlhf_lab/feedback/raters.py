"""Raters that are not people, but answer in the same way as people.

A rater has one method for each kind of question that it answers, with the name of the kind:

    compare(prompt, left, right)   "left", "right", "tie" or "both_bad"; or ("left" or "right", strength), with
                                   strength 1 (slightly better), 2 (clearly) or 3 (much)
    score(prompt, text)            {axis: whole number}
    label(prompt, text)            [tag, ...], empty for none of them
    rank(prompt, texts)            [[0], [2, 1]]: indices into `texts`, best first, ties together
    edit(prompt, text)             the rewritten text

It sees what a person would see: the prompt and the texts in display order, but not who wrote them. It raises
NoAnswerError if it has no answer to a question.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

from rlhf_lab.feedback.errors import FeedbackError, NoAnswerError
from rlhf_lab.feedback.kinds import VERDICTS, unknown_kind
from rlhf_lab.feedback.records import Item, Record, effective, repeat_number
from rlhf_lab.feedback.session import RatingSession, View


class Rater(Protocol):
    """Anything that can compare two completions. The module's docstring lists the methods for other questions."""

    def compare(self, prompt: str, left: str, right: str) -> str | tuple[str, int]: ...


def rate_with(session: RatingSession, rater: Any, limit: int | None = None) -> int:
    """Let a rater answer until the questions run out, or `limit` answers are given. Returns the number of answers.

    Questions that the rater cannot answer (NoAnswerError) are skipped. A session with source "human" is refused, so
    that a machine's answer is never taken for a person's. FeedbackError then, and also if the rater does not answer
    this kind of question or gives an invalid answer.
    """
    if session.source == "human":
        raise FeedbackError(
            "This session records a person's answers. For a rater make one with source='simulated' (or 'replay',"
            " 'model') and a rater_id of its own, for example with session.sibling(...)."
        )
    ask = getattr(rater, session.kind, None)
    if not callable(ask):
        raise FeedbackError(
            f"The rater {rater_name(rater)!r} does not answer questions of kind {session.kind!r}: it has no method"
            f" of that name. Take another rater, or a session of another kind."
        )
    answered = 0
    while limit is None or answered < limit:
        view = session.view()
        if view.state == "stuck":
            raise FeedbackError(view.problem)
        if view.state == "done":
            break
        try:
            value = _asked(session.kind, ask, view)
        except NoAnswerError:
            session.skip(view.turn, input_method="rater")
            continue
        answered += session.answer(value, view.turn, input_method="rater")
    return answered


def _asked(kind: str, ask: Any, view: View) -> Any:
    """The rater's answer to the question on the screen, in canonical form."""
    texts = [option.text for option in view.options]
    if kind == "compare":
        said = ask(view.prompt, *texts)
        return compare_value(view, *said) if isinstance(said, tuple | list) else compare_value(view, said)
    if kind == "rank":
        return rank_value(view, ask(view.prompt, texts))
    if kind == "edit":
        return edit_value(view, ask(view.prompt, *texts))
    if kind in ("score", "label"):
        said = ask(view.prompt, *texts)
        return dict(said) if isinstance(said, Mapping) else said
    raise unknown_kind(kind, "rate_with")


def compare_value(view: View, verdict: str, strength: int | None = None) -> dict[str, Any]:
    """Turn a verdict by screen side ("left", "right", "tie", "both_bad") into a canonical answer.

    strength: how much better, 1 (slightly), 2 (clearly) or 3 (much); only with "left" or "right".
    """
    if verdict not in ("left", "right", *VERDICTS):
        raise FeedbackError(f"A comparison is answered with left, right, tie or both_bad; got {verdict!r}.")
    if verdict in VERDICTS and strength is not None:
        raise FeedbackError(f"Only a preference has a strength; got {verdict!r} with strength {strength!r}.")
    winner = verdict if verdict in VERDICTS else view.options[verdict == "right"].id
    return {"winner": winner} if strength is None else {"winner": winner, "strength": strength}


def rank_value(view: View, tiers: Sequence[Sequence[int]]) -> list[list[str]]:
    """Turn a ranking by screen positions, best first, into a canonical answer.

    [[2], [0, 1]]: the third from the left is best, the other two are equally good.
    """
    try:
        places = [place for tier in tiers for place in tier]
        if sorted(places) == list(range(len(view.options))):
            return [[view.options[place].id for place in tier] for tier in tiers if len(tier)]
    except TypeError:
        pass
    raise FeedbackError(
        f"A ranking is a list of lists that names each of the places 0 to {len(view.options) - 1} once; got {tiers!r}."
    )


def edit_value(view: View, text: str) -> dict[str, str]:
    """Turn a rewritten text into a canonical answer."""
    return {"base_id": view.options[0].id, "text": text}


def rater_name(rater: Any) -> str:
    """What to call a rater in a sentence: its name, its taste's name or its type."""
    for owner in (rater, getattr(rater, "taste", None)):
        name = getattr(owner, "name", None)
        if isinstance(name, str) and name:
            return name
    return type(rater).__name__


class ReplayRater:
    """Repeats recorded answers to questions of any kind, even if the texts are now on other sides.

    records: the recording. Only current answers count; of two answers to one question, the later one. If there are
        repeats ("<id>#2"), asking again gives the answer to the repeat, and so on in a cycle.
    name: who was recorded; by default the rater_id of the first record.
    """

    def __init__(self, records: Iterable[Record], name: str = ""):
        self._answers: dict[Any, dict[int, Record]] = {}
        self._asked: Counter[Any] = Counter()
        for record in effective(records):
            if record.status == "submitted":
                texts = [candidate.text for candidate in record.candidates]
                numbered = self._answers.setdefault(_key(record.kind, record.prompt, texts), {})
                numbered.pop(repeat_number(record.item_id), None)
                numbered[repeat_number(record.item_id)] = record
        self.name = name or next((record.rater_id for record in self._recorded()), "nobody")

    @property
    def items(self) -> list[Item]:
        """The answered questions of all kinds. If there is only one kind, they can be used as a queue."""
        return self.items_of()

    def items_of(self, kind: str | None = None) -> list[Item]:
        """The answered questions of a kind, for use as a queue."""
        unique = {record.item_id: record.item for record in self._recorded() if kind in (None, record.kind)}
        return list(unique.values())

    def compare(self, prompt: str, left: str, right: str) -> str | tuple[str, int]:
        """The recorded answer. NoAnswerError, here and for all kinds, if the question is not in the recording."""
        record = self._recall("compare", prompt, [left, right])
        if record.winner in VERDICTS:
            return record.winner
        side = "left" if record.candidate(record.winner).text == left else "right"
        return side if record.strength is None else (side, record.strength)

    def score(self, prompt: str, text: str) -> dict[str, int]:
        """The recorded scores."""
        return dict(self._recall("score", prompt, [text]).value)

    def label(self, prompt: str, text: str) -> list[str]:
        """The recorded tags."""
        return list(self._recall("label", prompt, [text]).value)

    def edit(self, prompt: str, text: str) -> str:
        """The recorded rewritten text."""
        return self._recall("edit", prompt, [text]).value["text"]

    def rank(self, prompt: str, texts: Sequence[str]) -> list[list[int]]:
        """The recorded tiers, as indices into `texts`."""
        record = self._recall("rank", prompt, texts)
        places = {text: [i for i, other in enumerate(texts) if other == text] for text in texts}
        return [[places[record.candidate(each).text].pop(0) for each in tier] for tier in record.value]

    def _recorded(self) -> list[Record]:
        """All answers, in the order in which the questions first occurred."""
        return [record for numbered in self._answers.values() for record in numbered.values()]

    def _recall(self, kind: str, prompt: str, texts: Sequence[str]) -> Record:
        key = _key(kind, prompt, texts)
        numbered = self._answers.get(key)
        if numbered is None:
            raise NoAnswerError(f"The recording of {self.name!r} has no answer about these texts.")
        answers = [numbered[number] for number in sorted(numbered)]
        record = answers[self._asked[key] % len(answers)]
        self._asked[key] += 1
        return record


def _key(kind: str, prompt: str, texts: Sequence[str]) -> tuple[str, str, tuple[str, ...]]:
    return kind, prompt, tuple(sorted(texts))
