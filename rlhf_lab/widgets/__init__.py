"""What the learner touches in a notebook: rating panels. They show and send; `rlhf_lab.feedback` decides."""

from rlhf_lab.widgets.compare import CompareWidget

__all__ = ["CompareWidget"]
