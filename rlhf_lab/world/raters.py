"""Simulated raters: a taste, with the failings of people.

With u(text) the taste's utility, the rater feels the difference

    d = u(left) - u(right) + position_bias + length_bias * (words(left) - words(right)) / 10

and answers by the sign of d + T * noise, where noise is standard logistic and T = temperature * (1 + fatigue * n) after
n answers. So without ties P(left) = sigmoid(d / T), the Bradley-Terry model (Bradley and Terry 1952). Where
|d + T * noise| < tie_threshold the answer is "tie". Where both texts are below the floor it is "both_bad".
"""

import math
import random

from .scorers import length
from .tastes import Taste, decent


class SimulatedRater:
    """Answers comparisons as a person of a given taste would, with noise and, where asked for, biases.

    taste: what the rater likes.
    temperature: noise, in units of utility (corpus standard deviations); 0 is a rater who never errs. At the default
        the rater agrees with its own taste on about 90 in 100 random pairs of reviews between which the taste decides.
    tie_threshold: felt differences smaller than this are ties, in units of utility.
    position_bias: what being on the left is worth (negative: on the right).
    length_bias: what ten more words are worth.
    fatigue: how much the temperature grows with each answer, as a share of the first.
    seed: of the rater's own random numbers.
    """

    def __init__(self, taste: Taste, temperature: float = 0.3, tie_threshold: float = 0.0, position_bias: float = 0.0,
                 length_bias: float = 0.0, fatigue: float = 0.0, seed: int = 0):
        if temperature < 0 or tie_threshold < 0 or fatigue < 0:
            raise ValueError("temperature, tie_threshold and fatigue are not negative; got "
                             f"{temperature}, {tie_threshold}, {fatigue}")
        self.taste = taste
        self.temperature = temperature
        self.tie_threshold = tie_threshold
        self.position_bias = position_bias
        self.length_bias = length_bias
        self.fatigue = fatigue
        self.answers = 0
        self._rng = random.Random(seed)

    def __repr__(self) -> str:
        return f"SimulatedRater({self.taste.name!r}, temperature={self.temperature})"

    def felt_difference(self, prompt: str, left: str, right: str) -> float:
        """d of the module's formula: taste and biases, no noise."""
        words = length(prompt, left) - length(prompt, right)
        return (self.taste.utility(prompt, left) - self.taste.utility(prompt, right)
                + self.position_bias + self.length_bias * words / 10)

    def probability_left(self, prompt: str, left: str, right: str) -> float | None:
        """P(left) in the next answer, ties and "both_bad" aside; None at temperature 0."""
        scale = self.temperature * (1 + self.fatigue * self.answers)
        if scale == 0:
            return None
        return 0.5 * (1 + math.tanh(self.felt_difference(prompt, left, right) / scale / 2))

    def compare(self, prompt: str, left: str, right: str) -> str:
        """"left", "right", "tie" or "both_bad"."""
        scale = self.temperature * (1 + self.fatigue * self.answers)
        self.answers += 1
        chance = min(max(self._rng.random(), 1e-12), 1 - 1e-12)     # drawn every time, so that answers stay in step
        if not decent(prompt, left) and not decent(prompt, right):
            return "both_bad"
        felt = self.felt_difference(prompt, left, right) + scale * math.log(chance / (1 - chance))
        if felt == 0 or abs(felt) < self.tie_threshold:
            return "tie"
        return "left" if felt > 0 else "right"
