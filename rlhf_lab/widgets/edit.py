"""The editing panel: one completion, to be rewritten so that it is better."""

from typing import Any, ClassVar

from rlhf_lab.feedback import FeedbackError, View, edit_value
from rlhf_lab.widgets.panel import RatingPanel, browser_module


class EditWidget(RatingPanel):
    """A field with the completion, and a live display of the changes. Parameters as for RatingPanel.

    An unchanged text is not an edit; skip it instead. The space at the start of a completion, which joins it to its
    prompt, is hidden but kept.

    >>> session = RatingSession(FeedbackStore(), "02-edits", items, kind="edit")
    >>> EditWidget(session, guidelines="Change as little as you need to.")
    """

    kind: ClassVar[str] = "edit"
    question: ClassVar[str] = "How should it read?"
    _esm = browser_module("diff.js", "edit.js")
    _room: ClassVar[dict[str, int]] = {"per_line": 105, "least": 3, "most": 7, "default": 4}

    def _answer(self, answer: Any, view: View) -> tuple[Any, str]:
        original = view.options[0].text
        if not isinstance(answer, str):
            raise self._nonsense(answer)
        text = " " + answer if original.startswith(" ") and not answer.startswith(" ") else answer
        if text == original or not text.strip():
            raise FeedbackError(
                "Nothing was changed. Skip leaves the text as it is."
                if text.strip()
                else "There is no text left. Write something, or skip."
            )
        return edit_value(view, text), "your version"
