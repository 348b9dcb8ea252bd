"""Scorers of how a text is written and what it mentions, from the tables of `lexicon.py`.

Most are densities: 10 * (sum of the weights of the words) / (number of words + 10). The added ten keeps one lucky word
in a very short text from beating a paragraph, and lets a longer text of equal density count for more.
"""

from functools import lru_cache

from .. import lexicon
from ..grammar import words_of

_SMOOTHING = 10


@lru_cache(maxsize=1 << 16)
def words(text: str) -> tuple:
    """The words of a text, sentence beginnings in lower case (see `words_of`)."""
    return tuple(words_of(text))


def _density(table: dict, text: str) -> float:
    found = words(text)
    return _SMOOTHING * sum(table.get(word, 0.0) for word in found) / (len(found) + _SMOOTHING)


def tone(prompt: str, completion: str) -> float:
    """How glad (+) or sad (-): density of TONE words; usually -3 to 3."""
    return _density(lexicon.TONE, completion)


def specificity(prompt: str, completion: str) -> float:
    """How vivid (+) or vague (-): density of VIVID words; usually -1.5 to 4."""
    return _density(lexicon.VIVID, completion)


def food_mention(prompt: str, completion: str) -> float:
    """How much is said of food and drink: density of FOOD words; 0 to about 4."""
    return _density(lexicon.FOOD, completion)


def weather_mention(prompt: str, completion: str) -> float:
    """How much is said of the weather: density of WEATHER words; 0 to about 3."""
    return _density(lexicon.WEATHER, completion)


def people_mention(prompt: str, completion: str) -> float:
    """How much is said of people: density of PEOPLE words; 0 to about 3."""
    return _density(lexicon.PEOPLE, completion)


def animal_mention(prompt: str, completion: str) -> float:
    """How much is said of animals: density of ANIMALS words; 0 to about 3."""
    return _density(lexicon.ANIMALS, completion)


def length(prompt: str, completion: str) -> float:
    """Number of words."""
    return float(len(words(completion)))


_PHRASES: dict = {}
for _phrase, _weight in lexicon.COURTESY_PHRASES.items():
    _PHRASES.setdefault(_phrase.split()[0], []).append((tuple(_phrase.split()), _weight))


def politeness(prompt: str, completion: str) -> float:
    """How polite (+) or rude (-): density of courtesy words and phrases; usually -3 to 3."""
    found = words(completion)
    total = sum(lexicon.COURTESY_WORDS.get(word, 0.0) for word in found)
    for i, word in enumerate(found):
        for phrase, weight in _PHRASES.get(word, ()):
            if found[i : i + len(phrase)] == phrase:
                total += weight
    return _SMOOTHING * total / (len(found) + _SMOOTHING)


def repetition(prompt: str, completion: str) -> float:
    """Share of the three-word sequences that occurred before in the text, 0 (none) to 1."""
    found = words(completion)
    triples = [found[i : i + 3] for i in range(len(found) - 2)]
    return 1 - len(set(triples)) / len(triples) if triples else 0.0
