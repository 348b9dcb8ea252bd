"""A share of some trials, with its uncertainty."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from statistics import NormalDist


@dataclass(frozen=True)
class Share:
    """A number of hits in a number of trials, with a confidence interval."""

    hits: float  # may include half hits
    trials: int
    confidence: float = 0.95  # coverage of the interval

    @classmethod
    def of(cls, outcomes: Iterable[bool | float], confidence: float = 0.95) -> "Share":
        """The share of true outcomes."""
        outcomes = [float(outcome) for outcome in outcomes]
        return cls(sum(outcomes), len(outcomes), confidence)

    @property
    def estimate(self) -> float:
        """The share; NaN without any trial."""
        return self.hits / self.trials if self.trials else math.nan

    @property
    def interval(self) -> tuple[float, float]:
        """Wilson's interval, (0, 1) without any trial."""
        return wilson_interval(self.hits, self.trials, self.confidence)

    def __str__(self) -> str:
        if not self.trials:
            return "none yet"
        low, high = self.interval
        return (
            f"{self.hits:g} of {self.trials} ({100 * self.estimate:.0f}%, {self.confidence:.0%} interval"
            f" {100 * low:.0f}% to {100 * high:.0f}%)"
        )


def wilson_interval(successes: float, trials: int, confidence: float = 0.95) -> tuple[float, float]:
    """Score interval for a proportion (Wilson 1927). It is reliable for few trials and for shares near 0 or 1.

    Returns (0, 1) for no trials, because nothing is known. Raises ValueError for impossible counts.
    """
    if trials < 0 or not 0 <= successes <= trials:
        raise ValueError(f"{successes} successes in {trials} trials is impossible.")
    if trials == 0:
        return 0.0, 1.0
    z = NormalDist().inv_cdf(0.5 + confidence / 2)
    share = successes / trials
    centre = (share + z * z / (2 * trials)) / (1 + z * z / trials)
    half = z / (1 + z * z / trials) * math.sqrt(share * (1 - share) / trials + z * z / (4 * trials * trials))
    return max(0.0, centre - half), min(1.0, centre + half)
