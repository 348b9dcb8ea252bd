"""Over-optimisation: how the gold reward rises and falls while the proxy is maximised (Gao et al. 2022).

Let d = sqrt(KL) be the distance from the starting policy. The gain in gold reward since the start follows

    best-of-n                d (alpha - beta d)
    reinforcement learning   d (alpha - beta log d)

alpha says how useful the proxy is at first, and beta how fast that wears off. Both curves are linear in alpha and beta,
so they are fitted by ordinary least squares.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from rlhf_lab.evaluation.estimates import columns_of


@dataclass(frozen=True)
class GoldCurve:
    """The gain in gold reward since the start, as a function of the divergence."""

    alpha: float
    beta: float
    logarithmic: bool  # False: best-of-n; True: reinforcement learning

    def __call__(self, kl) -> np.ndarray:
        """Gain in gold reward (N,) at divergences kl (N,) in nats."""
        return _terms(_distances(kl), self.logarithmic) @ np.array([self.alpha, -self.beta])

    @property
    def peak(self) -> float:
        """The KL, in nats, beyond which the gold reward falls; infinite if it never does."""
        if self.beta <= 0:
            return math.inf
        d = math.exp(self.alpha / self.beta - 1) if self.logarithmic else max(0.0, self.alpha) / (2 * self.beta)
        return d**2


def fit_gold_curve(kl, gold, logarithmic: bool) -> GoldCurve:
    """Fit the curve to gains in gold reward (N,) at divergences kl (N,) in nats.

    logarithmic: False for best-of-n, True for reinforcement learning. Raises ValueError for fewer than three
    different divergences (any two can be fitted exactly), or for a negative one.
    """
    kl, gold = columns_of(kl, gold)
    if len(np.unique(kl)) < 3:
        raise ValueError(f"Fitting two numbers takes at least three different divergences; got {np.unique(kl)}.")
    (alpha, beta), *_ = np.linalg.lstsq(_terms(_distances(kl), logarithmic), gold, rcond=None)
    return GoldCurve(float(alpha), float(-beta), logarithmic)


def _distances(kl) -> np.ndarray:
    (kl,) = columns_of(kl)
    if (kl < 0).any():
        raise ValueError(f"A divergence is never below zero, but one is {kl.min():.3g}. Average over more samples.")
    return np.sqrt(kl)


def _terms(d: np.ndarray, logarithmic: bool) -> np.ndarray:
    """The factors of alpha and -beta, (N, 2). d log d is 0 at d = 0."""
    return np.stack([d, d * np.log(np.where(d > 0, d, 1.0)) if logarithmic else d**2], 1)
