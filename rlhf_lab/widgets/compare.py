"""The comparison panel: two completions of one prompt side by side; which one is better?"""

from collections.abc import Sequence
from typing import Any, ClassVar

from rlhf_lab.feedback import Item, RatingSession, View, compare_value
from rlhf_lab.widgets.panel import RatingPanel, browser_module


class CompareWidget(RatingPanel):
    """A or B, a tie, or both bad; by mouse or by key. Parameters as for RatingPanel, and

    strength: also ask how much better the winner is (slightly, clearly, much); answering is optional.

    >>> session = RatingSession(FeedbackStore(), "00-first-round", items)
    >>> CompareWidget(session, guidelines="Which one would you rather read in the town's paper?")
    """

    kind: ClassVar[str] = "compare"
    question: ClassVar[str] = "Which completion is better?"
    _esm = browser_module("compare.js")

    def __init__(self, session: RatingSession, guidelines: str = "", *, strength: bool = False, **how: Any):
        self._strength = bool(strength)
        super().__init__(session, guidelines, **how)

    def _own_frame(self, items: Sequence[Item]) -> dict[str, Any]:
        return {"strength": self._strength}

    def _answer(self, answer: Any, view: View) -> tuple[Any, str]:
        verdict, strength = answer, None
        if isinstance(answer, dict):
            verdict, strength = answer.get("verdict"), answer.get("strength")
        value = compare_value(view, verdict, strength)
        how_much = {1: " slightly", 2: " clearly", 3: " much"}.get(strength, "")
        words = {
            "left": f"A is{how_much} better",
            "right": f"B is{how_much} better",
            "tie": "a tie",
            "both_bad": "both bad",
        }
        return value, words[verdict]
