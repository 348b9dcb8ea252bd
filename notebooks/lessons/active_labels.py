"""Which pair to ask a rater next? Ways to choose, and a loop that buys labels and measures how much they help.

Every label costs the same, so the most informative pair should be asked first. There are several ways to define that
(survey: Settles 2009; for preferences: Houlsby et al. 2011). Choose the pair

    random          at random
    uncertain       whose probability, according to the model, is closest to one half (Lewis and Gale 1994)
    disagreement    that ensemble members, each fitted to a resample, disagree about most (Seung et al. 1992)
    d_optimal       whose answer shrinks the uncertainty about the weights most: it maximises g = p (1 - p) x' S x, with
                    x the difference of features and S the covariance, because det S shrinks by 1 + g (Fedorov 1972)

Everything works on frozen features (`reward_head.fit_pairs`), so that a curve over seeds takes seconds.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

import torch
from torch import Tensor

from rlhf_lab.training.reward_head import PairFit, fit_pairs

MEMBERS = 6  # of the ensemble

# (fit, differences of the pool (P, F), of labelled pairs, chosen minus rejected (N, F), count, generator) -> rows
Choice = Callable[[PairFit, Tensor, Tensor, int, torch.Generator], list[int]]


def random(fit: PairFit, pool: Tensor, labelled: Tensor, count: int, generator: torch.Generator) -> list[int]:
    """Random rows of the pool."""
    return torch.randperm(len(pool), generator=generator)[:count].tolist()


def uncertain(fit: PairFit, pool: Tensor, labelled: Tensor, count: int, generator: torch.Generator) -> list[int]:
    """The rows whose probability is closest to one half."""
    return (pool @ fit.weight).abs().topk(count, largest=False).indices.tolist()


def disagreement(fit: PairFit, pool: Tensor, labelled: Tensor, count: int, generator: torch.Generator) -> list[int]:
    """The rows whose probabilities vary most among an ensemble's members."""
    scores = pool @ bootstrap_weights(labelled, MEMBERS, generator, start=fit.weight)  # (P, K)
    return torch.sigmoid(scores).std(1).topk(count).indices.tolist()


def d_optimal(fit: PairFit, pool: Tensor, labelled: Tensor, count: int, generator: torch.Generator) -> list[int]:
    """Rows chosen greedily, each to shrink the uncertainty most, as if the answers to those before were known."""
    p = torch.sigmoid(pool @ fit.weight)
    x = pool * (p * (1 - p)).sqrt()[:, None]  # (P, F)
    spread = x @ fit.covariance  # (P, F)
    gain = (spread * x).sum(1)  # (P,), as in `pair_information`
    chosen: list[int] = []
    for _ in range(count):
        row = int(gain.argmax())
        chosen.append(row)
        # Sherman-Morrison: the gain that each row still has once this row is known
        shared = spread @ x[row] / (1 + gain[row]).sqrt()  # (P,)
        spread = spread - shared[:, None] * (spread[row] / (1 + gain[row]).sqrt())
        gain = (gain - shared**2).clamp(min=0)
        gain[chosen] = -1.0
    return chosen


def pair_information(differences: Tensor, weight: Tensor, covariance: Tensor) -> Tensor:
    """p (1 - p) x' S x (N,) for differences x (N, F): the information about the weights that each answer would add."""
    p = torch.sigmoid(differences @ weight)
    return p * (1 - p) * ((differences @ covariance) * differences).sum(1)


CHOICES: dict[str, Choice] = {each.__name__: each for each in (random, uncertain, disagreement, d_optimal)}


def bootstrap_weights(
    differences: Tensor, members: int, generator: torch.Generator, start: Tensor | None = None, **settings
) -> Tensor:
    """Weights (F, K) of an ensemble, each member fitted to a resample of the pairs (bagging, Breiman 1996)."""
    fitted = []
    for _ in range(members):
        drawn = torch.randint(len(differences), (len(differences),), generator=generator)
        counts = torch.bincount(drawn, minlength=len(differences))
        used = counts > 0
        fitted.append(fit_pairs(differences[used], weights=counts[used], start=start, **settings).weight)
    return torch.stack(fitted, 1)


def label_curve(
    choose: Choice,
    pool: Tensor,
    first_wins: Tensor,
    measure: Callable[[PairFit], float],
    sizes: Sequence[int],
    generator: torch.Generator,
    prior_deviation: float = 2.0,
) -> list[float]:
    """`measure(fit)` at each number of labels.

    pool: (P, F), differences of features, first text minus second. first_wins: (P,) bool, the rater's answers.
    sizes: increasing numbers of labels. The first `sizes[0]` pairs are random; then `choose` picks, all at once, the
    pairs missing to the next size. From the same generator state, all ways to choose start with the same pairs, so
    their curves can be compared. Raises ValueError if sizes are not increasing, below 1 or above P.
    """
    if sizes[0] < 1 or sizes[-1] > len(pool) or any(a >= b for a, b in pairwise(sizes)):
        raise ValueError(f"Sizes must increase, from 1 to at most {len(pool)} (the whole pool); got {list(sizes)}.")
    signed = torch.where(first_wins[:, None], pool, -pool)  # chosen minus rejected
    asked = torch.randperm(len(pool), generator=generator)[: sizes[0]].tolist()
    fit = fit_pairs(signed[asked], prior_deviation)
    found = [measure(fit)]
    for size in sizes[1:]:
        known = set(asked)
        left = [row for row in range(len(pool)) if row not in known]
        asked += [left[row] for row in choose(fit, pool[left], signed[asked], size - len(asked), generator)]
        fit = fit_pairs(signed[asked], prior_deviation, start=fit.weight)
        found.append(measure(fit))
    return found
