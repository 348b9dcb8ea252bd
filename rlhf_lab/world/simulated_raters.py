"""Simulated raters: a taste, plus human failings. They answer all five kinds of question.

Noise. After n answers the noise has the scale T = temperature * (1 + fatigue * n): a tired rater makes more mistakes.
All noise comes from one generator with the rater's seed, so the same questions in the same order get the same answers.

Compare. Let u(text) be the taste's utility. The rater feels the difference

    d = u(left) - u(right) + position_bias + length_bias * (words(left) - words(right)) / 10

and answers by the sign of d + T * noise, where noise is standard logistic. So without ties P(left) = sigmoid(d / T),
the Bradley-Terry model (Bradley and Terry 1952). If |d + T * noise| < tie_threshold, the answer is "tie". If both texts
are below the floor, it is "both_bad".

Rank. The same, but each text gets its own noise, T times a standard Gumbel number. This is the Plackett-Luce model
(Luce 1959, Plackett 1975); any two texts are ordered as in a comparison. The bias of the first place is position_bias,
that of the last place 0, and it falls in equal steps in between.

Score. The text's position on each axis, in standard deviations of the corpus, plus T times standard logistic noise;
times `spread`, plus `offset`, rounded to the scale. Offset and spread are personal: one rater's 4 is another's 6.

Label. The rater reports a fault if s + T * noise > 0, where s is 1 if the text has the fault and -1 if it does not.

Edit. See `rewriting.py`. The only randomness is which sentences the rater thinks of.
"""

import math
import random
from collections.abc import Sequence
from dataclasses import InitVar, dataclass, field

from .documents import kind_of
from .faults import FAULTS
from .rewriting import improved
from .scorers import KIND_SCORERS, SCORERS, length
from .tastes import SCALES, Taste, passes_floor

OVERALL = "overall"  # the axis of a score that is the taste itself


@dataclass(eq=False, repr=False)
class SimulatedRater:
    """Answers questions as a person with a given taste would, with noise and, optionally, biases.

    taste: what the rater likes.
    temperature: noise, in units of utility (corpus standard deviations); 0 means no mistakes. At the default the
        rater agrees with its own taste on about 90 of 100 random pairs of reviews, not counting the taste's own ties.
    tie_threshold: felt differences smaller than this are ties, in units of utility.
    position_bias: how much utility being on the left adds (negative: being on the right).
    length_bias: how much utility ten more words add.
    fatigue: how much the temperature grows with each answer, as a share of the initial one.
    seed: seeds the rater's own random numbers.
    strengths: the felt differences at which "clearly" and "much" better begin, e.g. (0.5, 1.5); None: no strengths.
    axes: what is scored: "overall" (the taste) or names of scorers.
    scale: lowest and highest score; the middle is an average text of the corpus.
    offset, spread: points that this rater gives more than others, and points per standard deviation.
    tags: the labels that this rater knows, from `faults.FAULTS`.
    """

    taste: Taste
    temperature: float = 0.3
    tie_threshold: float = 0.0
    position_bias: float = 0.0
    length_bias: float = 0.0
    fatigue: float = 0.0
    seed: InitVar[int] = 0
    strengths: tuple[float, float] | None = None
    axes: Sequence[str] = (OVERALL,)
    scale: tuple[int, int] = (1, 7)
    offset: float = 0.0
    spread: float = 1.0
    tags: Sequence[str] = tuple(FAULTS)
    answers: int = field(default=0, init=False)  # given so far

    def __post_init__(self, seed: int):
        if min(self.temperature, self.tie_threshold, self.fatigue) < 0:
            given = f"{self.temperature}, {self.tie_threshold}, {self.fatigue}"
            raise ValueError(f"temperature, tie_threshold and fatigue are not negative; got {given}")
        if self.scale[0] >= self.scale[1] or (self.strengths and not 0 <= self.strengths[0] <= self.strengths[1]):
            raise ValueError(f"scale and strengths go from low to high; got {self.scale} and {self.strengths}")
        known = {OVERALL, *SCORERS, *(name for scorers in KIND_SCORERS.values() for name in scorers)}
        unknown = [name for name in self.axes if name not in known] + [tag for tag in self.tags if tag not in FAULTS]
        if unknown:
            raise ValueError(f"{unknown} are neither axes ({sorted(known)}) nor tags ({list(FAULTS)})")
        self.axes, self.tags = tuple(self.axes), tuple(self.tags)
        self._rng = random.Random(seed)

    def __repr__(self) -> str:
        return f"SimulatedRater({self.taste.name!r}, temperature={self.temperature})"

    def felt_difference(self, prompt: str, left: str, right: str) -> float:
        """d of the module's formula: taste and biases, no noise."""
        words = length(prompt, left) - length(prompt, right)
        return (
            self.taste.utility(prompt, left)
            - self.taste.utility(prompt, right)
            + self.position_bias
            + self.length_bias * words / 10
        )

    def noise_scale(self) -> float:
        """T of the module's formulas: the temperature after the answers so far."""
        return self.temperature * (1 + self.fatigue * self.answers)

    def probability_left(self, prompt: str, left: str, right: str) -> float | None:
        """P(left) in the next answer, ignoring ties and "both_bad"; None at temperature 0."""
        scale = self.noise_scale()
        if scale == 0:
            return None
        return 0.5 * (1 + math.tanh(self.felt_difference(prompt, left, right) / scale / 2))

    def compare(self, prompt: str, left: str, right: str) -> str | tuple[str, int]:
        """ "left", "right", "tie" or "both_bad"; ("left", 1) to ("right", 3) if the rater gives strengths."""
        scale = self._begin()
        noise = self._logistic()  # drawn every time, so that later answers do not change
        if not passes_floor(prompt, left) and not passes_floor(prompt, right):
            return "both_bad"
        felt = self.felt_difference(prompt, left, right) + scale * noise
        if felt == 0 or abs(felt) < self.tie_threshold:
            return "tie"
        side = "left" if felt > 0 else "right"
        return (side, 1 + sum(abs(felt) >= bound for bound in self.strengths)) if self.strengths else side

    def rank(self, prompt: str, texts: Sequence[str]) -> list[list[int]]:
        """Indices into `texts` in tiers, best first; neighbours closer than the tie threshold are tied."""
        scale = self._begin()
        felt = [
            self.taste.utility(prompt, text)
            + self.length_bias * length(prompt, text) / 10
            + self.position_bias * (1 - place / max(len(texts) - 1, 1))
            + scale * self._gumbel()
            for place, text in enumerate(texts)
        ]
        tiers: list[list[int]] = []
        for place in sorted(range(len(texts)), key=lambda i: -felt[i]):
            apart = felt[tiers[-1][-1]] - felt[place] if tiers else math.inf
            if apart == 0 or apart < self.tie_threshold:
                tiers[-1].append(place)
            else:
                tiers.append([place])
        return tiers

    def score(self, prompt: str, text: str) -> dict[str, int]:
        """A whole number on the scale for each axis."""
        scale = self._begin()
        low, high = self.scale
        scores = {}
        for axis in self.axes:
            felt = self._standing(axis, prompt, text) + scale * self._logistic()
            scores[axis] = min(max(round((low + high) / 2 + self.offset + self.spread * felt), low), high)
        return scores

    def label(self, prompt: str, text: str) -> list[str]:
        """The tags of the faults that the rater sees in the text."""
        scale = self._begin()
        seen = [((1 if FAULTS[tag](prompt, text) else -1) + scale * self._logistic()) > 0 for tag in self.tags]
        return [tag for tag, is_seen in zip(self.tags, seen, strict=True) if is_seen]

    def edit(self, prompt: str, text: str) -> str:
        """The text, rewritten to suit the taste better, or unchanged if nothing better is found."""
        self._begin()
        return improved(prompt, text, self.taste, random.Random(self._rng.random()))

    def _begin(self) -> float:
        """Count an answer, and return the scale of its noise."""
        scale = self.noise_scale()
        self.answers += 1
        return scale

    def _standing(self, axis: str, prompt: str, text: str) -> float:
        """Where the text is on an axis, in standard deviations of the corpus."""
        if axis == OVERALL:
            mean, _ = SCALES["length"]
            return self.taste.utility(prompt, text) + self.length_bias * (length(prompt, text) - mean) / 10
        if axis in SCALES:
            mean, deviation = SCALES[axis]
            return (SCORERS[axis](prompt, text) - mean) / deviation
        scorer = SCORERS.get(axis) or KIND_SCORERS[kind_of(prompt)].get(axis)
        if scorer is None:
            raise ValueError(f"a {kind_of(prompt)} has no {axis!r}; score it on other axes")
        return (scorer(prompt, text) - 0.5) / 0.25  # shares: from -2 to 2

    def _logistic(self) -> float:
        chance = self._chance()
        return math.log(chance / (1 - chance))

    def _gumbel(self) -> float:
        return -math.log(-math.log(self._chance()))

    def _chance(self) -> float:
        return min(max(self._rng.random(), 1e-12), 1 - 1e-12)
