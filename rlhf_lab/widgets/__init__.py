"""What the learner touches in a notebook: rating panels, quizzes, and a table of progress.

They show and send; `rlhf_lab.feedback` and `rlhf_lab.exercises` decide.
"""

from rlhf_lab.widgets.compare import CompareWidget
from rlhf_lab.widgets.edit import EditWidget
from rlhf_lab.widgets.label import LabelWidget
from rlhf_lab.widgets.progress import ProgressPanel
from rlhf_lab.widgets.quiz import Option, Quiz
from rlhf_lab.widgets.rank import RankWidget
from rlhf_lab.widgets.score import ScoreWidget

__all__ = [
    "CompareWidget", "EditWidget", "LabelWidget", "Option", "ProgressPanel", "Quiz", "RankWidget", "ScoreWidget",
]  # fmt: skip
