"""From scores to advantages: rewards for each token, GAE, baselines for whole completions.

Everywhere B is the number of completions, T their greatest length, and `mask` (B, T) is true on real tokens,
padded on the right. Numbers under padding never influence a result.
"""

import torch
from torch import Tensor

from rlhf_lab.objectives.masked import at_least_float32, masked_variance


def penalise_missing_eos(scores: Tensor, ended: Tensor, penalty: float) -> Tensor:
    """Scores (B,), minus a fixed penalty for completions that were cut off instead of ending (ended (B,) is false)."""
    scores = at_least_float32(scores)
    return torch.where(ended.bool(), scores, scores - penalty)


def token_rewards(scores: Tensor, kl: Tensor, mask: Tensor, kl_coefficient: float) -> Tensor:
    """Rewards (B, T): -kl_coefficient * kl on every real token, plus the score (B,) on the last real one.

    kl (B, T) is `kl_k1` of sampled tokens (Ziegler et al. 2019, eq. 2). The score rates the whole text; the KL penalty
    is paid token by token.
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

    delta_t = r_t + gamma V_{t+1} - V_t, A_t = delta_t + gamma lam A_{t+1}, and V = A = 0 after the last real token.
    lam = 0 relies on the values of the next tokens, lam = 1 on the actual rewards only. Returns are advantages +
    values: compute them before whitening the advantages.
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


def explained_variance(values: Tensor, returns: Tensor, mask: Tensor) -> Tensor:
    """Share of the returns' variance that the values explain: 1 if perfect, 0 for a constant, negative if worse."""
    error = at_least_float32(returns) - at_least_float32(values)
    return 1.0 - masked_variance(error, mask) / masked_variance(returns, mask).clamp(min=1e-12)


# --- Advantages of whole completions -----------------------------------------------------------------
# returns (B,): total rewards. The group_size completions of a prompt are neighbours.


def no_baseline(returns: Tensor, group_size: int = 1) -> Tensor:
    """The returns themselves: unbiased, and the noisiest choice."""
    return at_least_float32(returns)


def batch_mean_baseline(returns: Tensor, group_size: int = 1) -> Tensor:
    """Returns minus their mean. The mean includes the return itself, so the gradient is (B - 1) / B of the true one."""
    returns = at_least_float32(returns)
    return _zero_where_equal(returns[None], (returns - returns.mean())[None]).flatten()


def leave_one_out(returns: Tensor, group_size: int) -> Tensor:
    """Each return minus the mean of the *other* completions of its prompt (Kool et al. 2019; RLOO, Ahmadian et al.
    2024). Unbiased, because a completion's baseline does not depend on the completion itself."""
    groups = _groups(returns, group_size)
    others = (groups.sum(1, keepdim=True) - groups) / (group_size - 1)
    return _zero_where_equal(groups, groups - others).flatten()


def group_centred(returns: Tensor, group_size: int) -> Tensor:
    """Each return minus its group's mean (Dr. GRPO, Liu et al. 2025): (K - 1) / K of `leave_one_out`."""
    groups = _groups(returns, group_size)
    return _zero_where_equal(groups, groups - groups.mean(1, keepdim=True)).flatten()


def group_relative(returns: Tensor, group_size: int, epsilon: float = 1e-4) -> Tensor:
    """Each return minus its group's mean, divided by its group's standard deviation (K - 1 in the denominator) plus
    epsilon (GRPO, Shao et al. 2024). A group with equal returns gets zeros: there is nothing to learn from it."""
    groups = _groups(returns, group_size)
    relative = (groups - groups.mean(1, keepdim=True)) / (groups.std(1, keepdim=True) + epsilon)
    return _zero_where_equal(groups, relative).flatten()


def _zero_where_equal(groups: Tensor, advantages: Tensor) -> Tensor:
    """Advantages (G, K), set to exactly zero in groups whose returns are all equal.

    The mean of equal numbers has a rounding error. It leaves meaningless advantages of 1e-8, or 1e-4 after a division,
    and an optimiser that rescales gradients, like Adam, would take full steps along them.
    """
    return advantages.masked_fill(groups.amax(1, keepdim=True) == groups.amin(1, keepdim=True), 0.0)


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
