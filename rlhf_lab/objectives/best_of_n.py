"""Best-of-n: sample n completions and keep the one with the highest reward. The strongest simple baseline there is.

Nothing is trained. From N samples, its average reward can be estimated without bias. Sort the samples by reward: the
sample with rank i (from 0) is the best in comb(i, n - 1) of the comb(N, n) ways to choose n samples. So the sample's
weight is the ratio of these two numbers. The weighted mean of any quantity (the reward, the gold reward, the length) is
its expected value for the best of n. (Nakano et al. 2021, "WebGPT", appendix I, give this estimator for the reward. It
works for any quantity, because the weights depend only on the order.)

KL(best-of-n || policy) is log n - (n - 1)/n nats if rewards have no ties. The density ratio of a sample is then
n F^(n - 1), where F is the share of the policy's texts with a lower reward. With ties, the formula is an upper bound
(Beirami et al. 2024, "Theoretical guarantees on the best-of-n alignment policy"). If all texts and their probabilities
are known, `best_of_n_distribution` is exact.

P is the number of prompts, N the number of samples for each. In a flat list, samples of one prompt are neighbours.
"""

import math

import torch
from torch import Tensor


def order_weights(total: int, n: int) -> Tensor:
    """Probability (total,) that the sample of each rank, lowest first, is the best of n drawn without replacement.

    float64, sums to 1. Raises ValueError unless 1 <= n <= total.
    """
    if not 1 <= n <= total:
        raise ValueError(f"The best of n = {n} needs n from 1 to the {total} samples that there are. Sample more.")
    choices = math.comb(total, n)
    return torch.tensor([math.comb(i, n - 1) / choices for i in range(total)], dtype=torch.float64)


def best_of_n_estimate(rewards: Tensor, n: int, values: Tensor | None = None) -> Tensor:
    """Unbiased estimate, from N samples of each prompt, of the expected value of the best of n by reward.

    rewards: (..., N), the last axis over samples of one prompt. values: (..., N), None for the rewards themselves.
    Returns (...), float64: the mean over all choices of n out of N. If several of the n share the highest reward, one
    of them is picked at random.
    """
    rewards = rewards.double()
    values = rewards if values is None else values.double()
    if rewards.shape != values.shape:
        raise ValueError(f"One value for each reward: got the shapes {tuple(values.shape)} and {tuple(rewards.shape)}.")
    if not bool(rewards.isfinite().all()):
        raise ValueError("A reward is not a finite number, so the samples cannot be sorted. Which text has it?")
    return (shared_weights(rewards, n) * values).sum(-1)


def shared_weights(rewards: Tensor, n: int) -> Tensor:
    """Probability (..., N) that each sample is the best of n, in the order of `rewards`. Ties share equally."""
    weights = order_weights(rewards.shape[-1], n).to(rewards.device)
    upper_tail = torch.cat([weights.new_zeros(1), weights.cumsum(0)])  # (N + 1,): weight of the lowest 0, 1, ... ranks
    ordered = rewards.sort(-1).values.contiguous()
    below = torch.searchsorted(ordered, rewards.contiguous(), right=False)  # (..., N): how many rewards are lower
    up_to = torch.searchsorted(ordered, rewards.contiguous(), right=True)  # lower or equal
    return (upper_tail[up_to] - upper_tail[below]) / (up_to - below)


# --- The KL from the policy --------------------------------------------------------------------------


def best_of_n_kl(n: float | Tensor) -> float | Tensor:
    """KL(best-of-n || policy) in nats for rewards without ties, log n - (n - 1)/n; with ties, an upper bound.

    n: 1 or more, a number or a tensor. Stiennon et al. 2020, appendix G.3; on ties, Beirami et al. 2024.
    """
    if bool((torch.as_tensor(n) < 1).any()):
        raise ValueError(f"n is the number of samples to pick from, so it must be at least 1; got {n}.")
    return n.log() - (n - 1) / n if isinstance(n, Tensor) else math.log(n) - (n - 1) / n


def best_of_n_distribution(probabilities: Tensor, rewards: Tensor, n: int) -> Tensor:
    """The exact distribution of best-of-n for a policy with K texts: probabilities (K,) in, probabilities (K,) out.

    The best of n has a reward of at most r with probability F(r)^n, where F(r) is that probability for one sample.
    Texts with equal rewards share their part in proportion to their probabilities.
    """
    probabilities = probabilities.double()
    if probabilities.shape != rewards.shape or probabilities.ndim != 1:
        raise ValueError(
            f"Pass one probability and reward per text; got {tuple(probabilities.shape)} and {tuple(rewards.shape)}."
        )
    if bool((probabilities < 0).any()) or abs(float(probabilities.sum()) - 1) > 1e-6:
        raise ValueError(f"Probabilities are from 0 to 1 and sum to 1; these sum to {float(probabilities.sum()):.6g}.")
    below = (probabilities * (rewards < rewards[:, None])).sum(1)  # (K,) probability of a lower reward
    level = (probabilities * (rewards == rewards[:, None])).sum(1)  # (K,) of an equal reward; may be 0
    share = probabilities / level.clamp(min=torch.finfo(level.dtype).tiny)
    return share * ((below + level) ** n - below**n)


def best_of_n_kl_estimate(rewards: Tensor, n: int, log_probs: Tensor) -> Tensor:
    """KL(best-of-n || policy) for each prompt, (P,) nats, estimated from samples and the probabilities of their texts.

    rewards: (P, N). log_probs: (P, N), the policy's log-probability of each whole text. Let p be a text's probability
    and F the share of the policy's texts with a lower reward. The text's density ratio is

        ((F + p)^n - F^n) / p,      which is n F^(n - 1) if p is small,

    and KL is the mean of its logarithm under best-of-n, estimated as in `best_of_n_estimate`. For F we take
    (k + 1/2) / (N + 1/2), where k samples have a lower reward, because then the logarithm is nearly unbiased.

    It assumes that equal rewards mean equal texts. Only ranks and p matter: if no text repeats and all p are small,
    the result is always the formula of `best_of_n_kl`. It differs if there are ties or likely texts. For a policy with
    only a handful of texts, it is too low by a few hundredths.
    """
    rewards, log_probs = rewards.double(), log_probs.double()
    if rewards.shape != log_probs.shape or rewards.ndim != 2:
        raise ValueError(
            f"Expected rewards and log-probabilities, (P, N) each; got {tuple(rewards.shape)} and"
            f" {tuple(log_probs.shape)}."
        )
    if bool((log_probs > 1e-6).any()):
        raise ValueError(f"A log-probability is at most 0; got {float(log_probs.max()):.3g}. Are these probabilities?")
    p = log_probs.clamp(max=0).exp()
    below = torch.searchsorted(rewards.sort(-1).values.contiguous(), rewards.contiguous(), right=False)  # (P, N)
    share = torch.minimum((below + 0.5) / (rewards.shape[1] + 0.5), 1 - p)  # F + p is at most 1
    # log((F + p)^n - F^n) - log p, in a form that stays accurate for p as small as 1e-30
    rise = torch.expm1(n * torch.log1p(p / share))
    small = torch.log(rise) + n * torch.log(share) - log_probs
    log_ratio = torch.where(share > 0, small, (n - 1) * log_probs)
    return best_of_n_estimate(rewards, n, log_ratio)
