"""The labelling panel: one completion, and which of several tags are true of it."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from rlhf_lab.feedback import Item, RatingSession, View
from rlhf_lab.widgets.panel import RatingPanel, browser_module, named

TAGS = {
    "unsafe": "Somebody could come to harm by it.",
    "off-topic": "It is not about what the prompt asks for.",
    "repetitive": "It says the same thing again.",
    "untrue": "It says what is not so.",
}


class LabelWidget(RatingPanel):
    """Any of the tags, or none of them, by key or by mouse. Parameters as for RatingPanel, and

    tags: {tag: what it means} or a list of tags; at most nine. The default tags are common faults of completions.

    >>> session = RatingSession(FeedbackStore(), "02-labels", items, kind="label")
    >>> LabelWidget(session, tags={"rude": "You would not say it to a neighbour.", "vague": "It fits any shop."})
    """

    kind: ClassVar[str] = "label"
    question: ClassVar[str] = "What is true of this completion?"
    _esm = browser_module("label.js")
    _room: ClassVar[dict[str, int]] = {"per_line": 105, "least": 3, "most": 8, "default": 4}

    def __init__(
        self,
        session: RatingSession,
        guidelines: str = "",
        *,
        tags: Mapping[str, str] | Sequence[str] = TAGS,
        **how: Any,
    ):
        self._tags = named(tags, "tag", most=9)
        super().__init__(session, guidelines, **how)

    def _own_frame(self, items: Sequence[Item]) -> dict[str, Any]:
        return {"tags": self._tags}

    def _answer(self, answer: Any, view: View) -> tuple[Any, str]:
        tags = [tag for tag, _ in self._tags]
        if not isinstance(answer, list) or not all(tag in tags for tag in answer):
            raise self._nonsense(answer)
        return answer, ", ".join(answer) or "none of these"
