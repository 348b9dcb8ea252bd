"""What tests of several rooms share: the tools of table-driven tests, and a record to change."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rlhf_lab.feedback import Record, compare_item


@dataclass(frozen=True)
class Tools:
    """What a row of a table may use: a small model, its tokenizer, prompts, a folder, and a way to replace things."""

    model: Any
    tokenizer: Any
    prompts: list[str]
    folder: Path
    replace: Callable[[str, Any], None]  # replace("module.name", with this)


def make_record(number: int = 0, **changes: Any) -> Record:
    """A submitted comparison of the learner's, with these fields changed."""
    item = compare_item(f"Prompt {number}:", f" first {number}", f" second {number}")
    fields = {
        "rater_id": "learner",
        "source": "human",
        "session_id": "sitting",
        "task_id": "task",
        "kind": "compare",
        "item_id": item.item_id,
        "prompt": item.prompt,
        "candidates": item.candidates,
        "display_order": tuple(candidate.id for candidate in item.candidates),
        "status": "submitted",
        "value": {"winner": item.candidates[0].id},
    }
    return Record(**{**fields, **changes})
