"""The ranking panel: several completions of one prompt, from the best to the worst."""

from collections.abc import Sequence
from typing import Any, ClassVar

from rlhf_lab.feedback import FeedbackError, Item, View, rank_value
from rlhf_lab.widgets.panel import RatingPanel, browser_module

LETTERS = "ABCDEFGH"  # labels of the completions on the screen, from the left


class RankWidget(RatingPanel):
    """An order, ties allowed: type letters in order of preference, click, or drag chips.

    Parameters as for RatingPanel. A question may have two to eight completions.

    >>> session = RatingSession(FeedbackStore(), "02-ranks", items, kind="rank")
    >>> RankWidget(session, guidelines="Best first. Which one would you rather read in the town's paper?")
    """

    kind: ClassVar[str] = "rank"
    question: ClassVar[str] = "Which is best, which comes next?"
    _esm = browser_module("rank.js")

    @property
    def _room(self) -> dict[str, int]:
        if self._columns == 3:
            return {"per_line": 28, "least": 5, "most": 8, "default": 7}
        return {"per_line": 44, "least": 3, "most": 9 if self._most == 2 else 6, "default": 5}

    def _own_frame(self, items: Sequence[Item]) -> dict[str, Any]:
        self._most = max((len(item.candidates) for item in items), default=0)
        if self._most > len(LETTERS):
            raise FeedbackError(_too_many(self._most))
        self._columns = 3 if self._most in (3, 5, 6) else 2
        return {"most": self._most, "columns": self._columns}

    def _picture(self, view: View) -> dict[str, Any]:
        picture = super()._picture(view)
        if len(view.options) > len(LETTERS):  # an adaptive queue's questions are only known now
            return {**picture, "state": "stuck", "problem": _too_many(len(view.options))}
        return picture

    def _answer(self, answer: Any, view: View) -> tuple[Any, str]:
        value = rank_value(view, answer)
        return value, " > ".join(" = ".join(LETTERS[place] for place in tier) for tier in answer)


def _too_many(count: int) -> str:
    return (
        f"The ranking panel shows at most {len(LETTERS)} completions, a question has {count}."
        " Split it into smaller ones."
    )
