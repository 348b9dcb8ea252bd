"""What a policy gradient minimises: surrogate losses of tokens, the value loss, and how a loss is averaged.

log_probs, advantages, ratios, values and mask are (B, T), padded on the right.
"""

import torch
from torch import Tensor

from rlhf_lab.objectives.masked import at_least_float32, masked_mean

LARGEST_LOG_RATIO = 20.0  # a ratio above e^20 can only be a mistake, and e^89 would be infinite


def score_function_surrogate(log_probs: Tensor, advantages: Tensor) -> Tensor:
    """-A log p of each token, (B, T). Its gradient, -A grad log p, is REINFORCE's (Williams 1992)."""
    return -at_least_float32(advantages) * at_least_float32(log_probs)


def clipped_surrogate(ratio: Tensor, advantages: Tensor, low: float = 0.2, high: float = 0.2) -> Tensor:
    """-min(ratio A, clip(ratio, 1 - low, 1 + high) A) of each token, (B, T) (Schulman et al. 2017, eq. 7)."""
    advantages = at_least_float32(advantages)
    return -torch.minimum(ratio * advantages, ratio.clamp(1.0 - low, 1.0 + high) * advantages)


def ppo_policy_loss(log_probs: Tensor, old_log_probs: Tensor, advantages: Tensor, mask: Tensor, clip: float = 0.2):
    """The clipped surrogate, averaged over real tokens. All (B, T); ratio = exp(log_probs - old_log_probs), where
    old_log_probs come from the policy that sampled the tokens."""
    ratio = probability_ratio(log_probs, old_log_probs)
    return masked_mean(clipped_surrogate(ratio, advantages, clip, clip), mask)


def probability_ratio(log_probs: Tensor, old_log_probs: Tensor) -> Tensor:
    """p_new / p_old of each token; exactly 1 if nothing has changed."""
    log_ratio = at_least_float32(log_probs) - at_least_float32(old_log_probs)
    return log_ratio.clamp(-LARGEST_LOG_RATIO, LARGEST_LOG_RATIO).exp()


def completion_ratio(log_probs: Tensor, old_log_probs: Tensor, mask: Tensor) -> Tensor:
    """Geometric mean of a completion's token ratios, (B, 1) (GSPO, Zheng et al. 2025, section 4.1)."""
    log_ratio = (at_least_float32(log_probs) - at_least_float32(old_log_probs)).masked_fill(~mask.bool(), 0.0)
    mean = log_ratio.sum(1, keepdim=True) / mask.sum(1, keepdim=True).clamp(min=1)
    return mean.clamp(-LARGEST_LOG_RATIO, LARGEST_LOG_RATIO).exp()


def ppo_value_loss(values: Tensor, old_values: Tensor, returns: Tensor, mask: Tensor, clip: float = 0.2) -> Tensor:
    """0.5 E[max((V - R)^2, (clip(V, V_old - clip, V_old + clip) - R)^2)] over real tokens. All (B, T).

    It takes the larger of the two errors, so a value gains nothing by moving far from the old one.
    """
    values, old_values, returns = map(at_least_float32, (values, old_values, returns))
    clipped = old_values + (values - old_values).clamp(-clip, clip)
    return 0.5 * masked_mean(torch.maximum((values - returns) ** 2, (clipped - returns) ** 2), mask)


# --- How a loss is averaged --------------------------------------------------------------------------
# Weights (B, T) of the tokens in a loss. The choice decides how much a long completion counts.


def token_mean(mask: Tensor) -> Tensor:
    """Every real token counts alike: a long completion counts for more than a short one."""
    mask = mask.float()
    return mask / mask.sum().clamp(min=1)


def sequence_mean_token_mean(mask: Tensor) -> Tensor:
    """Every completion counts alike: a token of a long completion counts for less (GRPO, Shao et al. 2024)."""
    mask = mask.float()
    return mask / mask.sum(1, keepdim=True).clamp(min=1) / len(mask)


def sequence_mean_token_sum(mask: Tensor) -> Tensor:
    """Sum over tokens, mean over completions. The log-probability of a text is a sum over its tokens, so this is the
    choice that makes the policy gradient unbiased (Dr. GRPO, Liu et al. 2025)."""
    return mask.float() / len(mask)
