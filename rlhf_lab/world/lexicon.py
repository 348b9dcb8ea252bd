"""Which words carry which meaning: the tables that the scorers read, from `data/world/lexicon.ini`.

TONE: how glad (+) or sad (-) a word is. VIVID: how concrete (+, what one can see, hear, smell, touch or count) or how
vague (-) it is. COURTESY: how polite (+) or rude (-), for single words and for phrases of several words. FOOD, WEATHER,
PEOPLE, ANIMALS: how much a word speaks of that topic, 1 for the thing itself, less for what goes with it.
A word that is in no table counts zero.
"""

from . import nouns
from .tables import single, tables


def rule_words(*names: str) -> set[str]:
    """Every word that the named rules of the nouns can write, slots included."""
    found = set()
    for name in names:
        for alternative in nouns.GRAMMAR.rules[name]:
            for symbol in alternative:
                found |= rule_words(symbol[1:-1]) if symbol[0] == "{" else {symbol}
    return found


def _weights(section: str) -> dict[str, float]:
    """word -> weight; a word given twice keeps the last weight, and one whose weight is 0 is left out."""
    table: dict[str, float] = {}
    for weight, words in single(tables("lexicon")[section]).items():
        for word in words.split():
            of_rule = sorted(rule_words(word[1:-1])) if word[0] == "{" else (word,)
            table.update(dict.fromkeys(of_rule, float(weight)))
    return {word: weight for word, weight in table.items() if weight}


TONE = _weights("tone")
VIVID = _weights("vivid")
COURTESY_WORDS = _weights("courtesy")
COURTESY_PHRASES = {phrase: float(weight) for phrase, weight in single(tables("lexicon")["courtesy phrases"]).items()}
FOOD, WEATHER, PEOPLE, ANIMALS = (_weights(topic) for topic in ("food", "weather", "people", "animals"))
