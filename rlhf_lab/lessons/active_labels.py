"""Which pair to ask a rater next? Ways to choose, and a loop that buys labels and measures what they bring.

A label costs the same whatever the pair. So a pair that says more should be asked first, and there are several notions
of which that is (Settles 2009 has a survey; Houlsby et al. 2011 for preferences):

    random          whichever comes
    uncertain       the model gives it a probability near one half (Lewis and Gale 1994)
    disagreement    members of an ensemble, each fitted to a resample, differ about it (Seung et al. 1992)
    d_optimal       its answer would shrink the uncertainty about the weight most: p (1 - p) x' S x is largest, with
                    x the difference of features and S the covariance; det S falls by 1 + that (Fedorov 1972)

Everything works on frozen features (`reward_head.fit_pairs`), so that a curve over seeds takes seconds.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

import torch
from torch import Tensor

from rlhf_lab.training.reward_head import PairFit, fit_pairs

MEMBERS = 6  # of the ensemble whose members may disagree

# (fit, differences of the pool (P, F), of the labelled pairs chosen less rejected (N, F), how many, generator) -> rows
Choice = Callable[[PairFit, Tensor, Tensor, int, torch.Generator], list[int]]


def random(fit: PairFit, pool: Tensor, labelled: Tensor, count: int, generator: torch.Generator) -> list[int]:
    """Rows of the pool, by chance."""
    return torch.randperm(len(pool), generator=generator)[:count].tolist()


def uncertain(fit: PairFit, pool: Tensor, labelled: Tensor, count: int, generator: torch.Generator) -> list[int]:
    """Rows about which the model says something near one half."""
    return (pool @ fit.weight).abs().topk(count, largest=False).indices.tolist()


def disagreement(fit: PairFit, pool: Tensor, labelled: Tensor, count: int, generator: torch.Generator) -> list[int]:
    """Rows of which an ensemble's members give the most different probabilities."""
    scores = pool @ bootstrap_weights(labelled, MEMBERS, generator, start=fit.weight)  # (P, K)
    return torch.sigmoid(scores).std(1).topk(count).indices.tolist()


def d_optimal(fit: PairFit, pool: Tensor, labelled: Tensor, count: int, generator: torch.Generator) -> list[int]:
    """Rows whose answers together would shrink the uncertainty most, one by one; a chosen one counts as known."""
    p = torch.sigmoid(pool @ fit.weight)
    x = pool * (p * (1 - p)).sqrt()[:, None]  # (P, F)
    spread = x @ fit.covariance  # (P, F)
    gain = (spread * x).sum(1)  # (P,), as in `pair_information`
    chosen: list[int] = []
    for _ in range(count):
        row = int(gain.argmax())
        chosen.append(row)
        # Sherman and Morrison: what is left of everybody's gain once this row is known
        shared = spread @ x[row] / (1 + gain[row]).sqrt()  # (P,)
        spread = spread - shared[:, None] * (spread[row] / (1 + gain[row]).sqrt())
        gain = (gain - shared**2).clamp(min=0)
        gain[chosen] = -1.0
    return chosen


def pair_information(differences: Tensor, weight: Tensor, covariance: Tensor) -> Tensor:
    """p (1 - p) x' S x (N,) of differences x (N, F): by what an answer adds to the information about the weight."""
    p = torch.sigmoid(differences @ weight)
    return p * (1 - p) * ((differences @ covariance) * differences).sum(1)


CHOICES: dict[str, Choice] = {each.__name__: each for each in (random, uncertain, disagreement, d_optimal)}


def bootstrap_weights(
    differences: Tensor, members: int, generator: torch.Generator, start: Tensor | None = None, **settings
) -> Tensor:
    """Weights (F, K) of an ensemble: each member is fitted to a resample of the pairs (bagging, Breiman 1996)."""
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
    """What `measure` says of the fit at each number of labels; the first `sizes[0]` are drawn by chance.

    pool: (P, F), differences of features, first text less second. first_wins: (P,) bool, what the rater will answer
    when asked. sizes: numbers of labels, rising; between two of them as many pairs are chosen at once as are missing.
    With the same generator state two ways to choose start from the same pairs, so their curves can be compared.
    Raises ValueError where sizes do not rise from 1 or exceed the pool.
    """
    if sizes[0] < 1 or sizes[-1] > len(pool) or any(a >= b for a, b in pairwise(sizes)):
        raise ValueError(f"Numbers of labels rise, from 1 to the {len(pool)} pairs of the pool; got {list(sizes)}.")
    signed = torch.where(first_wins[:, None], pool, -pool)  # chosen less rejected, once asked
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
