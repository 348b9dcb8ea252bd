"""Is the reward model right? How often it agrees with the answers, what its probabilities mean, where it is unsure.

How often it agrees is to be seen against how often anybody could, given how noisy the answers are. Columns of numbers
are numpy arrays, tensors on the CPU or lists; all numbers come from pairs that the model was not trained on.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rlhf_lab.evaluation.estimates import Estimate, bootstrap, columns_of, probabilities_of
from rlhf_lab.feedback.shares import Share

# --- Agreement, and how much of it there can be ------------------------------------------------------


def pair_accuracy(differences, confidence: float = 0.95) -> Share:
    """Share of pairs whose chosen text got the higher reward, with Wilson's interval.

    differences (N,): chosen less rejected reward; a difference of zero counts half.
    """
    return Share.of(_correct(*columns_of(differences)), confidence)


def accuracy_ceiling(probabilities) -> float:
    """E[max(p, 1 - p)]: how often the best of all models can agree with a rater.

    probabilities (N,): P(the first text wins) as this rater answers. They are known of simulated raters only.
    """
    (p,) = probabilities_of(probabilities)
    return float(np.maximum(p, 1 - p).mean())


def expected_accuracy(differences, probabilities) -> float:
    """How often rewards agree with a rater's answers, on average over all the answers that might be given.

    Single answers are noisy: a perfect model agrees with nine in ten of them, give or take the luck of the draw. The
    chances are not noisy, so a few hundred pairs say as much as thousands of answers would.
    differences (N,): the first text's reward less the second's; zero counts half. probabilities (N,): P(the first text
    wins) as this rater answers.
    """
    d, p = columns_of(differences, *probabilities_of(probabilities))
    right = _correct(d)  # where the first text wins
    return float((right * p + (1 - right) * (1 - p)).mean())


def brier_score(probabilities, outcomes) -> float:
    """Mean of (p - outcome)^2 (Brier 1950); outcomes (N,) from 0 to 1. Saying 1/2 always gives 1/4."""
    p, y = probabilities_of(probabilities, outcomes)
    return float(((p - y) ** 2).mean())


def brier_floor(probabilities) -> float:
    """E[p(1 - p)]: the Brier score of the best of all models, who knows the rater's p of each pair."""
    (p,) = probabilities_of(probabilities)
    return float((p * (1 - p)).mean())


def ensemble_disagreement(scores) -> np.ndarray:
    """Standard deviation (N,) over the K members' scores (N, K) of each example.

    Differences of two texts of a pair make a better use of it than rewards, whose constants differ by member.
    """
    scores = np.asarray(scores, dtype=float)
    if scores.ndim != 2 or scores.shape[1] < 2:
        raise ValueError(f"Expected scores (N, K) of two members or more; got the shape {scores.shape}.")
    return scores.std(1, ddof=1)


# --- Calibration -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Bin:
    """The examples whose probability lies in [low, high): what was predicted, and what came."""

    low: float
    high: float
    predicted: float  # mean probability
    observed: Share  # share of outcomes, with an interval

    @property
    def gap(self) -> float:
        """Predicted less observed: above zero, the model was too sure."""
        return self.predicted - self.observed.estimate


def confidence_and_correct(differences, temperature: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """How sure Bradley-Terry was of the text it preferred, and whether it was right; (N,) each.

    differences (N,): chosen less rejected reward. Of the chosen text it is always true that it won, so a probability
    for *it* cannot be checked. That of the text with the higher reward, from 1/2 to 1, can.
    """
    (differences,) = columns_of(differences)
    if temperature <= 0:
        raise ValueError(f"A temperature is above zero; got {temperature}.")
    return 1 / (1 + np.exp(-np.abs(differences) / temperature)), _correct(differences)


def reliability_bins(probabilities, outcomes, bins: int = 10) -> list[Bin]:
    """Examples by their probability, in bins of equal width from 0 to 1; the last holds 1 too.

    Bins without an example are left out. outcomes (N,) from 0 to 1.
    """
    p, y = probabilities_of(probabilities, outcomes)
    where = _bin_of(p, bins)
    return [
        Bin(k / bins, (k + 1) / bins, float(p[where == k].mean()), Share.of(y[where == k])) for k in np.unique(where)
    ]


def expected_calibration_error(probabilities, outcomes, bins: int = 10) -> float:
    """Mean over examples of the gap |predicted - observed| of their bin (Naeini et al. 2015).

    It is above zero even for a perfect model, because outcomes are few: compare it with `calibration_error_floor`.
    """
    p, y = probabilities_of(probabilities, outcomes)
    return float(np.abs(np.bincount(_bin_of(p, bins), p - y)).sum() / len(p))


def calibration_error_interval(
    probabilities, outcomes, bins: int = 10, resamples: int = 1000, confidence: float = 0.95, seed: int = 0
) -> Estimate:
    """The expected calibration error with a bootstrap interval; few examples push both up."""
    columns = probabilities_of(probabilities, outcomes)
    return bootstrap(
        lambda p, y: expected_calibration_error(p, y, bins),
        *columns,
        resamples=resamples,
        confidence=confidence,
        seed=seed,
    )


def calibration_error_floor(probabilities, bins: int = 10, draws: int = 1000, seed: int = 0) -> float:
    """The expected calibration error that a perfectly calibrated model shows on average, by chance alone.

    The mean over outcomes that are drawn from the probabilities themselves.
    """
    (p,) = probabilities_of(probabilities)
    outcomes = np.random.default_rng(seed).random((draws, len(p))) < p
    return float(np.mean([expected_calibration_error(p, y, bins) for y in outcomes]))


def fit_temperature(differences) -> float:
    """The T for which sigmoid(difference / T) makes the answers likeliest (Guo et al. 2017, in one dimension).

    differences (N,): chosen less rejected reward, of pairs that the model was not trained on. T > 1 says that the model
    was too sure. It changes no ranking. Raises ValueError where no T is best: where no pair is on the wrong side,
    rewards can never be too far apart; where the mean difference is not above zero, they can never be close enough.
    """
    (d,) = columns_of(differences)
    if not (d < 0).any():
        raise ValueError(
            f"None of {len(d)} pairs is on the wrong side, so no temperature is low enough. Take more pairs."
        )
    if d.mean() <= 0:
        raise ValueError(
            f"The mean difference is {d.mean():.3g}: the rewards say nothing right about these answers, and no"
            " temperature is high enough. Are chosen and rejected swapped?"
        )

    def slope(sharpness: float) -> float:
        """Of the log-likelihood in 1 / T: positive at zero, falling, negative far away."""
        return float((d / (1 + np.exp(np.clip(sharpness * d, -500, 500)))).sum())

    low, high = 0.0, 1.0 / np.abs(d).max()
    while slope(high) > 0:
        low, high = high, 2 * high
    for _ in range(100):
        middle = (low + high) / 2
        low, high = (middle, high) if slope(middle) > 0 else (low, middle)
    return 2 / (low + high)


def _correct(differences: np.ndarray) -> np.ndarray:
    return (differences > 0) + 0.5 * (differences == 0)


def _bin_of(p: np.ndarray, bins: int) -> np.ndarray:
    if bins < 1:
        raise ValueError(f"There is at least one bin; got {bins}.")
    return np.minimum((p * bins).astype(int), bins - 1)
