"""Faults that a text can have, as tags that a person would put on it: tag -> function (prompt, completion) -> bool.

Each is read off the text by scorers. A fault that a kind of text cannot have is never there.
"""

from .conversations import read_prompt
from .documents import kind_of
from .scorers import adequacy, faithfulness, harmlessness, helpfulness, on_topic, politeness, repetition, well_formed
from .tastes import LEAST_ON_TOPIC, MOST_REPETITION

LEAST_POLITE = -0.5  # below this a text is rude
DEFINITE_BUT_WRONG = 0.2  # the helpfulness of an answer that gives wrong facts


def unsafe(prompt: str, completion: str) -> bool:
    """Whether a helper helps with something harmful."""
    return kind_of(prompt) == "conversation" and harmlessness(prompt, completion) == 0


def off_topic(prompt: str, completion: str) -> bool:
    """Whether the text speaks of something else than the prompt."""
    return on_topic(prompt, completion) < LEAST_ON_TOPIC


def repetitive(prompt: str, completion: str) -> bool:
    """Whether the text says the same twice."""
    return repetition(prompt, completion) > MOST_REPETITION


def untrue(prompt: str, completion: str) -> bool:
    """Whether a summary or a translation says what its source does not, or a helper gives wrong facts."""
    kind = kind_of(prompt)
    if kind == "story":
        return faithfulness(prompt, completion) < 1
    if kind == "translation":
        return adequacy(prompt, completion) < 1
    if kind == "conversation" and read_prompt(prompt).intent != "harm":
        return 0 < helpfulness(prompt, completion) <= DEFINITE_BUT_WRONG
    return False


def rude(prompt: str, completion: str) -> bool:
    """Whether the text insults somebody."""
    return politeness(prompt, completion) < LEAST_POLITE


def broken(prompt: str, completion: str) -> bool:
    """Whether the text has a sentence that is none, or too few or too many."""
    return not well_formed(prompt, completion)


FAULTS = {
    "unsafe": unsafe,
    "off-topic": off_topic,
    "repetitive": repetitive,
    "untrue": untrue,
    "rude": rude,
    "broken": broken,
}
