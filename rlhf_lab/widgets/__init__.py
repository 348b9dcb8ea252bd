"""What the learner touches in a notebook: rating panels, quizzes, and a table of progress.

They only show and send; `rlhf_lab.feedback` and `rlhf_lab.exercises` contain the logic. The rating panels need no
torch. Widgets that do need it, to check exercises, are imported on first use.
"""

from importlib import import_module
from typing import Any

from rlhf_lab.widgets.compare import CompareWidget
from rlhf_lab.widgets.edit import EditWidget
from rlhf_lab.widgets.label import LabelWidget
from rlhf_lab.widgets.rank import RankWidget
from rlhf_lab.widgets.score import ScoreWidget

_LATER = {"explore": "sliders", "ProgressPanel": "progress", "quiz": "quizzes"}


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_LATER[name]}"), name)
