"""Scorers for how a text is written and what it mentions, from the tables of `lexicon.py`.

Most are densities: 10 * (sum of the words' weights) / (number of words + 10). Because of the added ten, one lucky word
in a very short text does not beat a paragraph, and a longer text of equal density counts for more.
"""

from functools import lru_cache

from .. import lexicon
from ..grammar import words_of

_SMOOTHING = 10


@lru_cache(maxsize=1 << 16)
def words(text: str) -> tuple:
    """The words of a text, as `words_of` gives them."""
    return tuple(words_of(text))


def _density_of(table: dict[str, float]):
    """The scorer (prompt, completion) -> density of the words of `table`."""

    def scorer(prompt: str, completion: str) -> float:
        found = words(completion)
        return _SMOOTHING * sum(table.get(word, 0.0) for word in found) / (len(found) + _SMOOTHING)

    return scorer


tone = _density_of(lexicon.TONE)  # how glad (+) or sad (-); usually -3 to 3
specificity = _density_of(lexicon.VIVID)  # how vivid (+) or vague (-); usually -1.5 to 4
food_mention = _density_of(lexicon.FOOD)  # how much it says about food and drink; 0 to about 4
weather_mention = _density_of(lexicon.WEATHER)  # about the weather; 0 to about 3
people_mention = _density_of(lexicon.PEOPLE)  # about people; 0 to about 3
animal_mention = _density_of(lexicon.ANIMALS)  # about animals; 0 to about 3


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
    """Share of the three-word sequences that already occurred earlier in the text, 0 (none) to 1."""
    found = words(completion)
    triples = [found[i : i + 3] for i in range(len(found) - 2)]
    return 1 - len(set(triples)) / len(triples) if triples else 0.0
