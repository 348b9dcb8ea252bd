"""The meanings of words, as tables for the scorers, from `data/world/lexicon.ini`.

TONE: how glad (+) or sad (-) a word is. VIVID: how concrete (+, you can see, hear, smell, touch or count it) or how
vague (-) it is. COURTESY: how polite (+) or rude (-) a word or phrase is. FOOD, WEATHER, PEOPLE, ANIMALS: how much a
word is about that topic, 1 for the thing itself, less for what goes with it. A word in no table counts zero.
"""

from . import nouns
from .tables import single, tables


def rule_words(*names: str) -> set[str]:
    """Every word that the named rules can write, including the words of their slots."""
    found = set()
    for name in names:
        for alternative in nouns.GRAMMAR.rules[name]:
            for symbol in alternative:
                found |= rule_words(symbol[1:-1]) if symbol[0] == "{" else {symbol}
    return found


def _weights(section: str) -> dict[str, float]:
    """word -> weight. If a word occurs twice, the last weight counts; words of weight 0 are left out."""
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
