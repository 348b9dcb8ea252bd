"""Best-of-n: write n completions, keep the one that the reward likes best. The strongest simple baseline there is.

Nothing is trained. What it earns is estimated without bias from the samples one has, by order statistics: of N
samples sorted by reward, the one at place i (from 0) is the best in comb(i, n - 1) of the comb(N, n) choices of n. So
its weight is the quotient of the two, and a weighted mean of anything that is known of the samples (the reward, the
gold reward, the length) is what the picked sample has of it on average (Nakano et al. 2021, "WebGPT", appendix I,
give the estimator; the weights depend on the order alone, so it serves for every value).

How far best-of-n is from the policy that it picks from: log n - (n - 1)/n nats for rewards without ties. Every sample
then has the density ratio n F^(n - 1), with F the share of the policy's texts that earn less. With ties it is less
(Beirami et al. 2024, "Theoretical guarantees on the best-of-n alignment policy": the formula is an upper bound). For
distributions that can be written down, `best_of_n_distribution` is exact.

P is the number of prompts, N that of samples of each. In a flat list of samples, those of a prompt are neighbours.
"""

import math

import torch
from torch import Tensor


def order_weights(total: int, n: int) -> Tensor:
    """Chance (total,) that the sample at each place, the smallest first, is the best of n drawn without replacement.

    float64, sums to 1. Raises ValueError unless 1 <= n <= total.
    """
    if not 1 <= n <= total:
        raise ValueError(f"The best of n = {n} needs n from 1 to the {total} samples that there are. Sample more.")
    choices = math.comb(total, n)
    return torch.tensor([math.comb(i, n - 1) / choices for i in range(total)], dtype=torch.float64)


def best_of_n_estimate(rewards: Tensor, n: int, values: Tensor | None = None) -> Tensor:
    """What the best of n by `rewards` has of `values` on average, without bias, from N samples of each prompt.

    rewards: (..., N), the last axis over samples of one prompt. values: (..., N), None for the rewards themselves.
    Returns (...), in float64: the mean over all choices of n out of N. Where several of a choice share the highest
    reward, one of them is taken by chance: they share their weights.
    """
    rewards = rewards.double()
    values = rewards if values is None else values.double()
    if rewards.shape != values.shape:
        raise ValueError(f"One value for each reward: got the shapes {tuple(values.shape)} and {tuple(rewards.shape)}.")
    if not bool(rewards.isfinite().all()):
        raise ValueError("A reward is not a finite number, so the samples have no order. Which text is it of?")
    return (shared_weights(rewards, n) * values).sum(-1)


def shared_weights(rewards: Tensor, n: int) -> Tensor:
    """Chance (..., N) of each sample, in its own place, to be the one picked from n of the N. Equals share theirs."""
    weights = order_weights(rewards.shape[-1], n).to(rewards.device)
    upper_tail = torch.cat([weights.new_zeros(1), weights.cumsum(0)])  # (N + 1,): of the first so many places
    ordered = rewards.sort(-1).values.contiguous()
    below = torch.searchsorted(ordered, rewards.contiguous(), right=False)  # (..., N): how many are smaller
    up_to = torch.searchsorted(ordered, rewards.contiguous(), right=True)  # smaller or equal
    return (upper_tail[up_to] - upper_tail[below]) / (up_to - below)


# --- How far it is from where it picks ---------------------------------------------------------------


def best_of_n_kl(n: float | Tensor) -> float | Tensor:
    """KL(best-of-n || policy) in nats for rewards without ties, log n - (n - 1)/n; an upper bound with them.

    n: a number from 1 on, or a tensor of such. Stiennon et al. 2020, appendix G.3; Beirami et al. 2024 on ties.
    """
    if bool((torch.as_tensor(n) < 1).any()):
        raise ValueError(f"n is the number of samples that one is picked from, so it is 1 at least; got {n}.")
    return n.log() - (n - 1) / n if isinstance(n, Tensor) else math.log(n) - (n - 1) / n


def best_of_n_distribution(probabilities: Tensor, rewards: Tensor, n: int) -> Tensor:
    """What best-of-n writes where the policy has K texts: probabilities (K,) in, probabilities (K,) out. Exact.

    The best of n earns at most r with chance F(r)^n, where F(r) is the policy's own chance for one sample. Texts of
    one reward share what falls to it, by their probabilities.
    """
    probabilities = probabilities.double()
    if probabilities.shape != rewards.shape or probabilities.ndim != 1:
        raise ValueError(
            f"One probability and one reward a text: got {tuple(probabilities.shape)} and {tuple(rewards.shape)}."
        )
    if bool((probabilities < 0).any()) or abs(float(probabilities.sum()) - 1) > 1e-6:
        raise ValueError(f"Probabilities are from 0 to 1 and sum to 1; these sum to {float(probabilities.sum()):.6g}.")
    below = (probabilities * (rewards < rewards[:, None])).sum(1)  # (K,) chance of a smaller reward
    level = (probabilities * (rewards == rewards[:, None])).sum(1)  # (K,) of just this one; 0 where nothing is written
    share = probabilities / level.clamp(min=torch.finfo(level.dtype).tiny)
    return share * ((below + level) ** n - below**n)


def best_of_n_kl_estimate(rewards: Tensor, n: int, log_probs: Tensor) -> Tensor:
    """KL(best-of-n || policy) of each prompt, (P,) nats, measured on samples and the probabilities of their texts.

    rewards: (P, N). log_probs: (P, N), the policy's log-probability of each whole text. A text of probability p, where
    a share F of the policy's texts earns less, has the density ratio

        ((F + p)^n - F^n) / p,      which is n F^(n - 1) where p is small,

    and KL is the mean of its logarithm over what best-of-n writes. That mean is taken as in `best_of_n_estimate`. F is
    (k + 1/2) / (N + 1/2), with k of the other samples below: so its logarithm has nearly no bias.

    What it assumes: equal rewards mean equal texts. What it cannot see: where no text repeats and all p are small, it
    gives the formula whatever the rewards are, because only ranks enter. What it can find are ties and likely texts.
    Where a policy has but a handful of texts, it is too low by a few hundredths.
    """
    rewards, log_probs = rewards.double(), log_probs.double()
    if rewards.shape != log_probs.shape or rewards.ndim != 2:
        raise ValueError(
            f"Expected rewards and log-probabilities, (P, N) each; got {tuple(rewards.shape)} and"
            f" {tuple(log_probs.shape)}."
        )
    if bool((log_probs > 1e-6).any()):
        raise ValueError(f"A log-probability is 0 at most; got {float(log_probs.max()):.3g}. Are these probabilities?")
    p = log_probs.clamp(max=0).exp()
    below = torch.searchsorted(rewards.sort(-1).values.contiguous(), rewards.contiguous(), right=False)  # (P, N)
    share = torch.minimum((below + 0.5) / (rewards.shape[1] + 0.5), 1 - p)  # a text is not among those below itself
    # log((F + p)^n - F^n) - log p, in a form that keeps its digits where p is 1e-30.
    rise = torch.expm1(n * torch.log1p(p / share))
    small = torch.log(rise) + n * torch.log(share) - log_probs
    log_ratio = torch.where(share > 0, small, (n - 1) * log_probs)
    return best_of_n_estimate(rewards, n, log_ratio)
