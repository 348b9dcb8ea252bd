"""Scorers for translations: does it say what the source says, and is it good English or Wickish?"""

from .. import translations, wickish
from ..wickish import Phrase

_KNOWN = {
    language: {word.lower() for word in (*wickish.vocabulary(language), *wickish.NAMES)}
    for language in (wickish.ENGLISH, wickish.WICKISH)
}


def _content(phrase: Phrase) -> dict:
    """(role, what) -> weight: 2 for nouns and verbs, 1 for the rest."""
    content = {("verb", phrase.verb): 2.0, ("tense", phrase.tense, phrase.negated): 1.0}
    for role in ("subject", "thing", "spot"):
        noun = getattr(phrase, role)
        if noun is not None:
            content[role, noun.word] = 2.0
            content[role, "article", noun.article] = 1.0
            if noun.adjective:
                content[role, "adjective", noun.adjective] = 1.0
    if phrase.placing:
        content["placing", phrase.placing] = 1.0
    if phrase.time:
        content["time", phrase.time] = 1.0
    return content


def _bag(text: str) -> list:
    return text.strip(" .").lower().split()


def adequacy(prompt: str, completion: str) -> float:
    """How well the translation's content matches the source's, 0 to 1: F1 over who, what, where, when, tense and
    number, with nouns and verbs counting double. It is 1 for a right translation, clumsy or not, and for no other.
    A text that cannot be parsed earns half its share of right words."""
    sentence, source, target = translations.read_prompt(prompt)
    meant, _ = wickish.read(sentence, source)
    if meant is None:
        raise ValueError(f"the source is not a sentence of the {source} phrase grammar: {sentence!r}")
    said, _ = wickish.read(completion.strip(" "), target)
    if said is None:
        right, given = set(_bag(wickish.write(meant, target))), set(_bag(completion))
        return len(right & given) / (len(right) + len(given)) if given else 0.0
    want, have = _content(meant), _content(said)
    both = sum(weight for key, weight in want.items() if key in have)
    return 2 * both / (sum(want.values()) + sum(have.values()))


def fluency(prompt: str, completion: str) -> float:
    """How good the target language is: 1 for a grammatical sentence, 0.5 for one in the other language's word order,
    otherwise 0 to 0.25, by the share of words that exist in the language."""
    _, _, target = translations.read_prompt(prompt)
    phrase, clumsy = wickish.read(completion[1:], target)
    if phrase is not None and completion[:1] == " ":
        return 0.5 if clumsy else 1.0
    bag = _bag(completion)
    return 0.25 * sum(word in _KNOWN[target] for word in bag) / len(bag) if bag else 0.0
