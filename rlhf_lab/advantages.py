"""From scores to advantages: KL estimates, rewards for each token, GAE, whitening. Pure functions of tensors.

Everywhere B is the number of completions, T their greatest length, and `mask` (B, T) is true on real tokens,
padded on the right. Numbers under padding never influence a result. Results are float32, or float64 where
the input is.
"""

from dataclasses import dataclass

import torch
from torch import Tensor


def at_least_float32(x: Tensor) -> Tensor:
    """The same numbers in float32, or in float64 where they already are."""
    return x if x.dtype == torch.float64 else x.float()


# --- Means and variances over real tokens ------------------------------------------------------------


def masked_mean(x: Tensor, mask: Tensor) -> Tensor:
    """Mean over all real entries, a scalar. Raises ValueError where none is real."""
    x, mask = at_least_float32(x), mask.bool()
    if not bool(mask.any()):
        raise ValueError("Cannot average: the mask has no true entry. Is every completion empty?")
    return x.masked_fill(~mask, 0.0).sum() / mask.sum()


def masked_variance(x: Tensor, mask: Tensor) -> Tensor:
    """Variance over all real entries (divided by their number), a scalar."""
    return masked_mean((at_least_float32(x) - masked_mean(x, mask)) ** 2, mask)


def whiten(x: Tensor, mask: Tensor, shift_mean: bool = True, epsilon: float = 1e-8) -> Tensor:
    """Scale real entries to variance 1, and shift them to mean 0 unless shift_mean is False; zero on padding.

    Rewards are whitened without shifting: their mean says whether an end is good or bad at all. epsilon is
    added to the variance.
    """
    x = at_least_float32(x)
    mean = masked_mean(x, mask)
    result = (x - mean) * torch.rsqrt(masked_variance(x, mask) + epsilon)
    return (result if shift_mean else result + mean).masked_fill(~mask.bool(), 0.0)


# --- What a loss averages over ------------------------------------------------------------------------
# Weights (B, T) of the tokens in a loss. Which one is chosen decides how much a long completion counts.


def token_mean(mask: Tensor) -> Tensor:
    """Every real token counts alike: a long completion counts for more than a short one."""
    mask = mask.float()
    return mask / mask.sum().clamp(min=1)


def completion_mean(mask: Tensor) -> Tensor:
    """Every completion counts alike: a token of a long completion counts for less (GRPO, Shao et al. 2024)."""
    mask = mask.float()
    return mask / mask.sum(1, keepdim=True).clamp(min=1) / len(mask)


def completion_sum(mask: Tensor) -> Tensor:
    """Tokens are added up, completions averaged: the log-probability of a whole text is a sum, so this is the
    weight that makes the policy gradient unbiased (Dr. GRPO, Liu et al. 2025)."""
    return mask.float() / len(mask)


# --- Kullback-Leibler divergence from samples --------------------------------------------------------
# Three estimators of KL(policy || reference), token by token, from samples of the *policy*
# (Schulman 2020, "Approximating KL divergence"). Swap the arguments and drift is rewarded.


def kl_k1(log_probs: Tensor, reference_log_probs: Tensor) -> Tensor:
    """log p - log q: unbiased, of either sign, large variance."""
    return at_least_float32(log_probs) - at_least_float32(reference_log_probs)


def kl_k2(log_probs: Tensor, reference_log_probs: Tensor) -> Tensor:
    """(log p - log q)^2 / 2: never negative, biased, small variance."""
    return 0.5 * kl_k1(log_probs, reference_log_probs) ** 2


def kl_k3(log_probs: Tensor, reference_log_probs: Tensor) -> Tensor:
    """q/p - 1 - log(q/p): never negative and unbiased."""
    log_ratio = -kl_k1(log_probs, reference_log_probs)  # log q/p
    return torch.expm1(log_ratio) - log_ratio


@dataclass(frozen=True)
class AdaptiveKL:
    """Moves the KL coefficient so that the divergence settles at a target (Ziegler et al. 2019, section 2.2)."""

    target: float = 6.0  # wanted KL of a whole completion from the reference, in nats
    horizon: float = 10_000.0  # samples over which the coefficient may change by a factor of about e^clip
    clip: float = 0.2  # largest relative error that is acted upon

    def next(self, coefficient: float, kl: float, samples: int) -> float:
        """The coefficient after a step whose `samples` completions had mean KL `kl`."""
        error = min(max(kl / self.target - 1.0, -self.clip), self.clip)
        return coefficient * (1.0 + error * samples / self.horizon)


# --- Rewards, returns, advantages --------------------------------------------------------------------


def penalise_missing_end(scores: Tensor, ended: Tensor, penalty: float) -> Tensor:
    """Scores (B,) less a fixed penalty where the completion was cut short instead of ending (ended (B,) false)."""
    scores = at_least_float32(scores)
    return torch.where(ended.bool(), scores, scores - penalty)


def token_rewards(scores: Tensor, kl: Tensor, mask: Tensor, kl_coefficient: float) -> Tensor:
    """Rewards (B, T): -kl_coefficient * kl on every real token, plus the score (B,) on the last real one.

    kl (B, T) is `kl_k1` of sampled tokens (Ziegler et al. 2019, eq. 2): the score is for the whole text, the
    price of drifting is paid token by token.
    """
    mask = mask.bool()
    lengths = mask.sum(1)
    if not bool((lengths > 0).all()):
        raise ValueError("A completion has no token, so there is no last token to reward. Drop such rows.")
    rewards = (-kl_coefficient * at_least_float32(kl)).masked_fill(~mask, 0.0)
    last = torch.nn.functional.one_hot(lengths - 1, mask.shape[1]).to(rewards.dtype)
    return rewards + last * at_least_float32(scores)[:, None]


def gae(rewards: Tensor, values: Tensor, mask: Tensor, gamma: float = 1.0, lam: float = 0.95) -> Tensor:
    """Generalised advantage estimates (B, T) (Schulman et al. 2015, eq. 16); zero on padding.

    delta_t = r_t + gamma V_{t+1} - V_t, A_t = delta_t + gamma lam A_{t+1}, and V = A = 0 after the last real
    token. lam = 0 trusts the values most, lam = 1 not at all. Returns are advantages + values: compute them
    before whitening the advantages.
    """
    mask = mask.bool()
    rewards = at_least_float32(rewards).masked_fill(~mask, 0.0)
    values = at_least_float32(values).masked_fill(~mask, 0.0)
    next_values = torch.cat([values[:, 1:], torch.zeros_like(values[:, :1])], 1)
    deltas = rewards + gamma * next_values - values  # (B, T)
    advantages = torch.zeros_like(deltas)
    running = torch.zeros_like(deltas[:, 0])
    for t in reversed(range(deltas.shape[1])):
        running = deltas[:, t] + gamma * lam * running
        advantages[:, t] = running
    return advantages.masked_fill(~mask, 0.0)


# --- Advantages of whole completions -----------------------------------------------------------------
# returns (B,): total rewards. The group_size completions of a prompt stand together.


def no_baseline(returns: Tensor, group_size: int = 1) -> Tensor:
    """The returns themselves: unbiased, and the noisiest choice."""
    return at_least_float32(returns)


def batch_mean_baseline(returns: Tensor, group_size: int = 1) -> Tensor:
    """Returns less their mean. Each stands in the mean itself, so the gradient is (B - 1) / B of the true one."""
    returns = at_least_float32(returns)
    return returns - returns.mean()


def leave_one_out(returns: Tensor, group_size: int) -> Tensor:
    """Each return less the mean of the *other* completions of its prompt (Kool et al. 2019; RLOO, Ahmadian et al.
    2024). Unbiased, because the baseline does not depend on the completion that it is for."""
    groups = _groups(returns, group_size)
    others = (groups.sum(1, keepdim=True) - groups) / (group_size - 1)
    return (groups - others).flatten()


def group_centred(returns: Tensor, group_size: int) -> Tensor:
    """Each return less its group's mean (Dr. GRPO, Liu et al. 2025): (K - 1) / K of `leave_one_out`."""
    groups = _groups(returns, group_size)
    return (groups - groups.mean(1, keepdim=True)).flatten()


def group_relative(returns: Tensor, group_size: int, epsilon: float = 1e-4) -> Tensor:
    """Each return less its group's mean, divided by its group's standard deviation (K - 1 in the denominator) plus
    epsilon (GRPO, Shao et al. 2024). A group whose returns are all the same gets zeros: it teaches nothing."""
    groups = _groups(returns, group_size)
    return ((groups - groups.mean(1, keepdim=True)) / (groups.std(1, keepdim=True) + epsilon)).flatten()


def _groups(returns: Tensor, group_size: int) -> Tensor:
    """Returns (B,) as (B / group_size, group_size)."""
    if group_size < 2:
        raise ValueError(
            "A baseline from the other completions of a prompt needs at least two of them; set"
            " samples_per_prompt to 2 or more."
        )
    if len(returns) % group_size:
        raise ValueError(f"{len(returns)} returns cannot be split into groups of {group_size}.")
    return at_least_float32(returns).reshape(-1, group_size)


def explained_variance(values: Tensor, returns: Tensor, mask: Tensor) -> Tensor:
    """Share of the returns' variance that the values explain: 1 is perfect, 0 a constant, below 0 worse than one."""
    error = at_least_float32(returns) - at_least_float32(values)
    return 1.0 - masked_variance(error, mask) / masked_variance(returns, mask).clamp(min=1e-12)
