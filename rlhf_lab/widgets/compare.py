"""The comparison panel: two completions of one prompt side by side; which one is better?"""

from typing import Any, ClassVar

from rlhf_lab.feedback import View, compare_value
from rlhf_lab.widgets.panel import RatingPanel, browser_module


class CompareWidget(RatingPanel):
    """A or B, a tie, or both bad; by mouse or by key. Parameters as for RatingPanel.

    >>> session = RatingSession(FeedbackStore(), "00-first-round", items)
    >>> CompareWidget(session, guidelines="Which one would you rather read in the town's paper?")
    """

    kind: ClassVar[str] = "compare"
    question: ClassVar[str] = "Which completion is better?"
    _esm = browser_module("compare.js")

    def _answer(self, answer: Any, view: View) -> tuple[Any, str]:
        value = compare_value(view, answer)
        words = {"left": "A is better", "right": "B is better", "tie": "a tie", "both_bad": "both bad"}
        return value, words[answer]
