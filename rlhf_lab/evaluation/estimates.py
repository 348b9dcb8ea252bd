"""Estimates from a sample and their uncertainty: bootstrap intervals, paired differences, learning curves.

Columns of numbers are numpy arrays, tensors on the CPU or lists. Functions that use random numbers take a seed.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

FEWEST = 10  # with fewer rows, a bootstrap says nothing about the spread of an estimate


@dataclass(frozen=True)
class Estimate:
    """A number from a sample, with an interval that should cover the true one."""

    value: float
    low: float
    high: float
    confidence: float = 0.95  # coverage of the interval

    @property
    def verdict(self) -> str:
        """For a difference: better, worse or inconclusive (the interval includes zero)."""
        return "better" if self.low > 0 else "worse" if self.high < 0 else "inconclusive"

    def __str__(self) -> str:
        return f"{self.value:.3g} ({self.confidence:.0%} interval {self.low:.3g} to {self.high:.3g})"


def bootstrap(
    statistic: Callable[..., float], *columns, resamples: int = 1000, confidence: float = 0.95, seed: int = 0
) -> Estimate:
    """A statistic of columns (N,) with the percentile interval of its values on resamples (Efron 1979).

    Rows are drawn with replacement, the same for all columns. With a few dozen rows the interval is a little too
    narrow. With fewer than ten it is infinite: resampling so few rows does not show what other rows would be like.
    """
    columns, rng = columns_of(*columns), np.random.default_rng(seed)
    count = len(columns[0])
    if count < FEWEST:
        return Estimate(float(statistic(*columns)), -math.inf, math.inf, confidence)
    draws = [statistic(*(column[rows] for column in columns)) for rows in rng.integers(count, size=(resamples, count))]
    low, high = np.quantile(draws, [0.5 - confidence / 2, 0.5 + confidence / 2])
    return Estimate(float(statistic(*columns)), float(low), float(high), confidence)


def paired_difference(first, second, resamples: int = 1000, confidence: float = 0.95, seed: int = 0) -> Estimate:
    """Mean of first - second over the same N examples, with an interval.

    On the same examples, two models make many of the same mistakes. These cancel, so the interval is narrower than for
    two separate samples.
    """
    first, second = columns_of(first, second)
    return bootstrap(np.mean, first - second, resamples=resamples, confidence=confidence, seed=seed)


def over_runs(values, confidence: float = 0.95) -> Estimate:
    """Mean over a few runs, one value per seed, with Student's t interval (1908).

    For as few numbers as five, a bootstrap interval would be too narrow. We assume that runs vary roughly normally. For
    a single run the interval is infinite, because it says nothing about the variation.
    """
    (values,) = columns_of(values)
    if len(values) < 2:
        return Estimate(float(values[0]), -math.inf, math.inf, confidence)
    freedom = len(values) - 1
    # t = sqrt(freedom) tan(angle) turns Student's density into cos(angle)^(freedom - 1)
    angles = np.linspace(0.0, math.pi / 2, 200_001)
    density = np.cos(angles) ** (freedom - 1)
    mass = np.concatenate([[0.0], np.cumsum(density[1:] + density[:-1])])
    quantile = math.sqrt(freedom) * math.tan(np.interp(confidence, mass / mass[-1], angles))
    half = quantile * values.std(ddof=1) / math.sqrt(len(values))
    return Estimate(float(values.mean()), float(values.mean() - half), float(values.mean() + half), confidence)


def learning_curve(
    measure: Callable[[list], float], examples: Sequence, sizes: Sequence[int], repeats: int = 3, seed: int = 0
) -> dict[int, list[float]]:
    """The values of `measure` for different numbers of examples: {size: [one value per repeat]}.

    measure(examples): trains on them and returns, for example, a held-out accuracy. Each repeat shuffles the examples.
    Within a repeat, smaller sets are part of larger ones, so that a curve shows the effect of size and not luck.
    """
    wrong = [size for size in sizes if not 1 <= size <= len(examples)]
    if wrong:
        raise ValueError(f"Sizes are from 1 to the {len(examples)} examples given; got {wrong[0]}.")
    rng, found = np.random.default_rng(seed), {size: [] for size in sizes}
    for _ in range(repeats):
        order = rng.permutation(len(examples))
        for size in sizes:
            found[size].append(measure([examples[i] for i in order[:size]]))
    return found


def columns_of(*columns) -> list[np.ndarray]:
    """The columns as arrays. ValueError unless they have the same length, are not empty and are finite."""
    arrays = [np.asarray(column, dtype=float) for column in columns]
    if any(array.ndim != 1 or len(array) != len(arrays[0]) for array in arrays):
        raise ValueError(f"Expected columns of one length; got the shapes {[array.shape for array in arrays]}.")
    if len(arrays[0]) == 0:
        raise ValueError("There is nothing to evaluate: the columns are empty.")
    for array in arrays:
        if not np.isfinite(array).all():
            first = int(np.argmin(np.isfinite(array)))
            raise ValueError(f"Number {first} of {len(array)} is not finite: {array[first]}.")
    return arrays


def probabilities_of(*columns) -> list[np.ndarray]:
    """Like `columns_of`; ValueError also for numbers outside 0 to 1."""
    arrays = columns_of(*columns)
    for array in arrays:
        if array.min() < 0 or array.max() > 1:
            raise ValueError(f"Probabilities and outcomes are from 0 to 1; got {array.min():.3g} to {array.max():.3g}.")
    return arrays
