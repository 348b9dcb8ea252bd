"""Is the reward model right? How often it agrees with the answers, how calibrated it is, and where it is unsure.

Answers are noisy, so compare the agreement with the highest that is possible. Columns of numbers are numpy arrays,
tensors on the CPU or lists. Use only pairs that the model was not trained on.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rlhf_lab.evaluation.estimates import Estimate, bootstrap, columns_of, probabilities_of
from rlhf_lab.feedback.shares import Share

# --- Agreement, and how much is possible -------------------------------------------------------------


def pair_accuracy(differences, confidence: float = 0.95) -> Share:
    """Share of pairs whose chosen text got the higher reward, with Wilson's interval.

    differences (N,): chosen minus rejected reward; a difference of zero counts half.
    """
    return Share.of(_correct(*columns_of(differences)), confidence)


def accuracy_ceiling(probabilities) -> float:
    """E[max(p, 1 - p)]: how often the best possible model agrees with a rater.

    probabilities (N,): P(this rater prefers the first text). We know it only for simulated raters.
    """
    (p,) = probabilities_of(probabilities)
    return float(np.maximum(p, 1 - p).mean())


def expected_accuracy(differences, probabilities) -> float:
    """How often rewards agree with a rater's answers, in expectation over the answers.

    Single answers are noisy: even a perfect model disagrees with some of them by chance. The probabilities are not
    noisy, so a few hundred pairs tell as much as thousands of answers.
    differences (N,): the first text's reward minus the second's; zero counts half. probabilities (N,): P(this rater
    prefers the first text).
    """
    d, p = columns_of(differences, *probabilities_of(probabilities))
    right = _correct(d)  # if the first text wins
    return float((right * p + (1 - right) * (1 - p)).mean())


def brier_score(probabilities, outcomes) -> float:
    """Mean of (p - outcome)^2 (Brier 1950); outcomes (N,) from 0 to 1. If all are 0 or 1, p = 1/2 gives 1/4."""
    p, y = probabilities_of(probabilities, outcomes)
    return float(((p - y) ** 2).mean())


def brier_floor(probabilities) -> float:
    """E[p(1 - p)]: the Brier score of the best possible model, which knows the rater's p for each pair."""
    (p,) = probabilities_of(probabilities)
    return float((p * (1 - p)).mean())


def ensemble_disagreement(scores) -> np.ndarray:
    """Standard deviation (N,) of the K members' scores (N, K) for each example.

    Better use score differences between the texts of a pair: single scores have a different constant for each member.
    """
    scores = np.asarray(scores, dtype=float)
    if scores.ndim != 2 or scores.shape[1] < 2:
        raise ValueError(f"Expected scores (N, K) of two members or more; got the shape {scores.shape}.")
    return scores.std(1, ddof=1)


# --- Calibration -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Bin:
    """The examples whose probability lies in [low, high): what was predicted, and what happened."""

    low: float
    high: float
    predicted: float  # mean probability
    observed: Share  # share of outcomes, with an interval

    @property
    def gap(self) -> float:
        """Predicted minus observed. Above zero, the model was too sure."""
        return self.predicted - self.observed.estimate


def confidence_and_correct(differences, temperature: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """The Bradley-Terry probability that the text with the higher reward wins, and whether it did; (N,) each.

    differences (N,): chosen minus rejected reward. The chosen text always won, so a probability for *that text* cannot
    be checked. The probability for the text with the higher reward, from 1/2 to 1, can.
    """
    (differences,) = columns_of(differences)
    if temperature <= 0:
        raise ValueError(f"A temperature must be above zero; got {temperature}.")
    return 1 / (1 + np.exp(-np.abs(differences) / temperature)), _correct(differences)


def reliability_bins(probabilities, outcomes, bins: int = 10) -> list[Bin]:
    """Group examples by probability, in bins of equal width from 0 to 1; the last bin includes 1.

    Empty bins are left out. outcomes (N,) from 0 to 1.
    """
    p, y = probabilities_of(probabilities, outcomes)
    where = _bin_of(p, bins)
    return [
        Bin(k / bins, (k + 1) / bins, float(p[where == k].mean()), Share.of(y[where == k])) for k in np.unique(where)
    ]


def expected_calibration_error(probabilities, outcomes, bins: int = 10) -> float:
    """Mean over examples of their bin's gap |predicted - observed| (Naeini et al. 2015).

    With few outcomes, it is above zero even for a perfect model: compare it with `calibration_error_floor`.
    """
    p, y = probabilities_of(probabilities, outcomes)
    return float(np.abs(np.bincount(_bin_of(p, bins), p - y)).sum() / len(p))


def calibration_error_interval(
    probabilities, outcomes, bins: int = 10, resamples: int = 1000, confidence: float = 0.95, seed: int = 0
) -> Estimate:
    """The expected calibration error with a bootstrap interval. With few examples, both are too high."""
    columns = probabilities_of(probabilities, outcomes)
    return bootstrap(
        lambda p, y: expected_calibration_error(p, y, bins),
        *columns,
        resamples=resamples,
        confidence=confidence,
        seed=seed,
    )


def calibration_error_floor(probabilities, bins: int = 10, draws: int = 1000, seed: int = 0) -> float:
    """The average expected calibration error of a perfectly calibrated model, which is due to chance alone.

    It is the mean over random outcomes drawn with these probabilities.
    """
    (p,) = probabilities_of(probabilities)
    outcomes = np.random.default_rng(seed).random((draws, len(p))) < p
    return float(np.mean([expected_calibration_error(p, y, bins) for y in outcomes]))


def fit_temperature(differences) -> float:
    """The T for which sigmoid(difference / T) makes the answers most likely (Guo et al. 2017, in one dimension).

    differences (N,): chosen minus rejected reward, for pairs that the model was not trained on. T > 1 means that the
    model was too sure. T does not change any ranking. Raises ValueError if no T is best: if no difference is negative,
    a smaller T is always better; if the mean difference is not positive, a larger T is always better.
    """
    (d,) = columns_of(differences)
    if not (d < 0).any():
        raise ValueError(
            f"None of {len(d)} pairs is on the wrong side, so a lower temperature is always better. Take more pairs."
        )
    if d.mean() <= 0:
        raise ValueError(
            f"The mean difference is {d.mean():.3g}: the rewards do not agree with these answers, so a higher"
            " temperature is always better. Are chosen and rejected swapped?"
        )

    def slope(sharpness: float) -> float:
        """Derivative of the log-likelihood by 1 / T: positive at zero, decreasing, negative in the end."""
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
        raise ValueError(f"There must be at least one bin; got {bins}.")
    return np.minimum((p * bins).astype(int), bins - 1)
