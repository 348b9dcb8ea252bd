"""The scoring panel: one completion, with a score on one or several axes."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from rlhf_lab.feedback import FeedbackError, Item, RatingSession, View
from rlhf_lab.widgets.panel import RatingPanel, browser_module, named


class ScoreWidget(RatingPanel):
    """A score for each axis, by number key or by mouse. Parameters as for RatingPanel, and

    axes: what to judge, {name: what it means} or a list of names; at most six. The names are the answer's keys.
    scale: the lowest and the highest score, within 0 to 9.
    ends: what these two scores mean.

    >>> session = RatingSession(FeedbackStore(), "02-scores", items, kind="score")
    >>> ScoreWidget(session, axes={"overall": "How good is it, all in all?", "tone": "Would you talk like that?"})
    """

    kind: ClassVar[str] = "score"
    question: ClassVar[str] = "How good is this completion?"
    _esm = browser_module("score.js")
    _room: ClassVar[dict[str, int]] = {"per_line": 105, "least": 3, "most": 8, "default": 4}

    def __init__(
        self,
        session: RatingSession,
        guidelines: str = "",
        *,
        axes: Mapping[str, str] | Sequence[str] = ("overall",),
        scale: tuple[int, int] = (1, 7),
        ends: tuple[str, str] = ("poor", "excellent"),
        **how: Any,
    ):
        self._axes = named(axes, "axis", most=6)
        low, high = scale
        if not (isinstance(low, int) and isinstance(high, int) and 0 <= low < high <= 9):
            raise FeedbackError(f"A scale goes from a whole number to a larger one, within 0 to 9; got {scale!r}.")
        self._scale = (low, high)
        self._ends = tuple(str(end) for end in ends)
        super().__init__(session, guidelines, **how)

    def _own_frame(self, items: Sequence[Item]) -> dict[str, Any]:
        return {"axes": self._axes, "low": self._scale[0], "high": self._scale[1], "ends": self._ends}

    def _answer(self, answer: Any, view: View) -> tuple[Any, str]:
        names = [name for name, _ in self._axes]
        low, high = self._scale
        if (
            not isinstance(answer, dict)
            or set(answer) != set(names)
            or not all(
                isinstance(score, int) and not isinstance(score, bool) and low <= score <= high
                for score in answer.values()
            )
        ):
            raise self._nonsense(answer)
        return {name: answer[name] for name in names}, ", ".join(f"{name} {answer[name]}" for name in names)
