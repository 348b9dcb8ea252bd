"""Scorers read a text back: pure functions (prompt, completion) -> number, from the text alone.

SCORERS fit every kind of text. KIND_SCORERS[kind] are those that only make sense for one kind; they raise ValueError on
a prompt of another kind. None of them knows what the generator intended.
"""

from .conversation import harmful_request, harmlessness, helpfulness, refusal
from .story import brevity, coverage, faithfulness
from .style import (
    animal_mention,
    food_mention,
    length,
    people_mention,
    politeness,
    repetition,
    specificity,
    tone,
    weather_mention,
)
from .topic import on_topic  # after the kinds it is built on
from .translation import adequacy, fluency
from .wellformed import well_formed, well_formedness

SCORERS = {
    "tone": tone,
    "politeness": politeness,
    "specificity": specificity,
    "length": length,
    "food": food_mention,
    "weather": weather_mention,
    "people": people_mention,
    "animals": animal_mention,
    "repetition": repetition,
    "well_formedness": well_formedness,
    "on_topic": on_topic,
}
KIND_SCORERS = {
    "review": {},
    "conversation": {"helpfulness": helpfulness, "harmlessness": harmlessness, "refusal": refusal},
    "translation": {"adequacy": adequacy, "fluency": fluency},
    "story": {"faithfulness": faithfulness, "coverage": coverage, "brevity": brevity},
}
