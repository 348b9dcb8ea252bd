"""The objectives, as pure functions of tensors: each takes what the formula names and returns a scalar.

Everything is computed in float32, or in float64 where the input is, whatever the model's dtype: the small
differences that teach a model drown in 16-bit rounding.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from rlhf_lab.advantages import at_least_float32, masked_mean

LARGEST_LOG_RATIO = 20.0  # e^20: a probability ratio beyond this is a mistake, and e^89 would be infinite


def language_model_loss(logits: Tensor, ids: Tensor, mask: Tensor) -> Tensor:
    """Mean cross-entropy in nats of the tokens where mask is true. logits (B, L, V), ids and mask (B, L).

    Position t's logits predict token t + 1: the last logits predict nothing, and the first token is predicted
    by nothing. For a language model, mask is true on all real tokens; for supervised fine-tuning (SFT), on
    those of the completion, its end token included.
    """
    mask = mask.bool()[:, 1:]
    if not bool(mask.any()):
        raise ValueError("No token to learn from: the mask is false on every token but the first of a row.")
    return F.cross_entropy(at_least_float32(logits[:, :-1][mask]), ids[:, 1:][mask])


def bradley_terry_loss(chosen: Tensor, rejected: Tensor, margin: float | Tensor = 0.0) -> Tensor:
    """-log sigmoid(r_chosen - r_rejected - margin), averaged over pairs (B,) (Christiano et al. 2017).

    Only the difference matters: a reward is learned up to a constant. Swap the arguments and it trains as
    well, to the negative. margin > 0 asks for more than a bare win (Llama 2 uses it for clear preferences).
    """
    difference = at_least_float32(chosen) - at_least_float32(rejected) - margin
    return -F.logsigmoid(difference).mean()


def score_function_surrogate(log_probs: Tensor, advantages: Tensor) -> Tensor:
    """-A log p of each token, (B, T). Its gradient, -A grad log p, is REINFORCE's (Williams 1992)."""
    return -at_least_float32(advantages) * at_least_float32(log_probs)


def clipped_surrogate(ratio: Tensor, advantages: Tensor, low: float = 0.2, high: float = 0.2) -> Tensor:
    """-min(ratio A, clip(ratio, 1 - low, 1 + high) A) of each token, (B, T) (Schulman et al. 2017, eq. 7)."""
    advantages = at_least_float32(advantages)
    return -torch.minimum(ratio * advantages, ratio.clamp(1.0 - low, 1.0 + high) * advantages)


def ppo_policy_loss(log_probs: Tensor, old_log_probs: Tensor, advantages: Tensor, mask: Tensor, clip: float = 0.2):
    """The clipped surrogate, averaged over real tokens. All (B, T); ratio = exp(log_probs - old_log_probs), where the
    old ones are those of the policy that sampled."""
    ratio = probability_ratio(log_probs, old_log_probs)
    return masked_mean(clipped_surrogate(ratio, advantages, clip, clip), mask)


def probability_ratio(log_probs: Tensor, old_log_probs: Tensor) -> Tensor:
    """p_new / p_old of each token; 1 exactly where nothing has changed."""
    log_ratio = at_least_float32(log_probs) - at_least_float32(old_log_probs)
    return log_ratio.clamp(-LARGEST_LOG_RATIO, LARGEST_LOG_RATIO).exp()


def completion_ratio(log_probs: Tensor, old_log_probs: Tensor, mask: Tensor) -> Tensor:
    """Geometric mean of the ratios of a completion's tokens, (B, 1) (GSPO, Zheng et al. 2025, section 4.1)."""
    log_ratio = (at_least_float32(log_probs) - at_least_float32(old_log_probs)).masked_fill(~mask.bool(), 0.0)
    mean = log_ratio.sum(1, keepdim=True) / mask.sum(1, keepdim=True).clamp(min=1)
    return mean.clamp(-LARGEST_LOG_RATIO, LARGEST_LOG_RATIO).exp()


def ppo_value_loss(values: Tensor, old_values: Tensor, returns: Tensor, mask: Tensor, clip: float = 0.2) -> Tensor:
    """0.5 E[max((V - R)^2, (clip(V, V_old - clip, V_old + clip) - R)^2)] over real tokens. All (B, T).

    The larger of the two errors: a value that has moved far from the old one is not rewarded for it.
    """
    values, old_values, returns = map(at_least_float32, (values, old_values, returns))
    clipped = old_values + (values - old_values).clamp(-clip, clip)
    return 0.5 * masked_mean(torch.maximum((values - returns) ** 2, (clipped - returns) ** 2), mask)


def entropy(logits: Tensor) -> Tensor:
    """Entropy (...) in nats of the distributions given by logits (..., V); logits of -inf count as zero."""
    logits = at_least_float32(logits)
    log_p = torch.log_softmax(logits.clamp(min=torch.finfo(logits.dtype).min / 2), -1)
    return -(log_p.exp() * log_p).sum(-1)
