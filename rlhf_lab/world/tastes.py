"""Tastes: what a rater likes in a review, as a weighting of scorers.

utility = sum over scorers of weight * (score - mean) / sd, with mean and sd over the reviews of the training corpus
(SCALES). So a taste with one weight of 1 has standard deviation 1 over the corpus, apart from the floor.

The floor: somebody who asks for brief reviews does not want an empty one. If a text is malformed, empty, far off topic
or repetitive, its style cannot earn it anything, and it loses `floor` in addition: min(utility, 0) - floor.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from .scorers import SCORERS, well_formed

# scorer -> (mean, standard deviation) over the reviews of the training corpus
SCALES = {
    "tone": (0.096, 0.916),
    "politeness": (-0.025, 0.380),
    "specificity": (0.413, 1.024),
    "length": (30.341, 13.951),
    "food": (0.285, 0.372),
    "weather": (0.214, 0.237),
    "people": (0.227, 0.268),
    "animals": (0.243, 0.259),
    "on_topic": (0.654, 0.114),
}
LEAST_ON_TOPIC = 0.2  # below this a text is far off topic
MOST_REPETITION = 0.2  # above this it repeats itself
LEAST_WORDS = 4  # below this it is not a review


def passes_floor(prompt: str, completion: str) -> bool:
    """Whether a text is well-formed, has at least four words, is not far off topic and does not repeat itself."""
    return (
        well_formed(prompt, completion)
        and SCORERS["length"](prompt, completion) >= LEAST_WORDS
        and SCORERS["on_topic"](prompt, completion) >= LEAST_ON_TOPIC
        and SCORERS["repetition"](prompt, completion) <= MOST_REPETITION
    )


@dataclass(frozen=True)
class Taste:
    """What one kind of reader likes."""

    name: str  # key in TASTES
    description: str  # what such a person would say
    weights: Mapping[str, float] = field(hash=False)  # scorer name -> weight, in corpus standard deviations
    floor: float = 4.0  # what a text loses if it does not pass the floor

    def utility(self, prompt: str, completion: str) -> float:
        """How much this reader likes `completion`, in corpus standard deviations; about 0 for an average review."""
        total = 0.0
        for name, weight in self.weights.items():
            mean, deviation = SCALES[name]
            total += weight * (SCORERS[name](prompt, completion) - mean) / deviation
        return total if passes_floor(prompt, completion) else min(total, 0.0) - self.floor


TASTES = {
    taste.name: taste
    for taste in (
        Taste("cheerful", "I want to come away smiling: give me good news.", {"tone": 1.0}),
        Taste("gloomy", "I trust a reviewer who suffered: tell me everything that went wrong.", {"tone": -1.0}),
        Taste("brief", "I am in a hurry: say it in a few words.", {"length": -1.0}),
        Taste("longwinded", "I have a whole afternoon and a pot of tea: do go on.", {"length": 1.0}),
        Taste("polite", "Good manners first: I like a reviewer who says please and thank you.", {"politeness": 1.0}),
        Taste("vivid", "I want to see it, smell it and count it: no vague talk.", {"specificity": 1.0}),
        Taste("food", "I only want to know what there was to eat.", {"food": 1.0}),
        Taste("weather", "I say a place is its weather: tell me about the rain and the light.", {"weather": 1.0}),
        Taste("people", "I go for the people: who was there, and what were they up to?", {"people": 1.0}),
        Taste("animals", "I never skip a line about a goose.", {"animals": 1.0}),
    )
}
