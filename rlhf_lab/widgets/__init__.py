"""What the learner touches in a notebook: rating panels. They show and send; `rlhf_lab.feedback` decides."""

from rlhf_lab.widgets.compare import CompareWidget
from rlhf_lab.widgets.edit import EditWidget
from rlhf_lab.widgets.label import LabelWidget
from rlhf_lab.widgets.rank import RankWidget
from rlhf_lab.widgets.score import ScoreWidget

__all__ = ["CompareWidget", "EditWidget", "LabelWidget", "RankWidget", "ScoreWidget"]
