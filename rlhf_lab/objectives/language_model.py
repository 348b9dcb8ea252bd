"""Cross-entropy of a language model, and the entropy of its predictions."""

import torch
import torch.nn.functional as F
from torch import Tensor

from rlhf_lab.objectives.masked import at_least_float32


def language_model_loss(logits: Tensor, ids: Tensor, mask: Tensor) -> Tensor:
    """Mean cross-entropy in nats of the tokens where mask is true. logits (B, L, V), ids and mask (B, L).

    Position t's logits predict token t + 1. So the last logits and the first token are not used. For a language model,
    mask is true on all real tokens; for supervised fine-tuning (SFT), on those of the completion and its end token.
    """
    mask = mask.bool()[:, 1:]
    if not bool(mask.any()):
        raise ValueError("No token to learn from: the mask is false on every token but the first of a row.")
    return F.cross_entropy(at_least_float32(logits[:, :-1][mask]), ids[:, 1:][mask])


def entropy(logits: Tensor) -> Tensor:
    """Entropy (...) in nats of the distributions given by logits (..., V); logits of -inf contribute zero."""
    logits = at_least_float32(logits)
    log_p = torch.log_softmax(logits.clamp(min=torch.finfo(logits.dtype).min / 2), -1)
    return -(log_p.exp() * log_p).sum(-1)
