"""Wickish, the second language of Tidewick, and the phrase grammar between it and English.

Wickish is regular. The time comes first and the verb last; adjectives and numbers follow their noun. Articles and
plurals are endings: tarv (a fox), tarven (the fox), tarvim (my fox), tarvu (foxes), tarvun (the foxes). So are tenses:
nillar (sleeps), nillosh (slept), nillir (will sleep). "ni" before the verb means "not". "under the bridge" is
"molven suth", bridge-the under.

In either language, a sentence is parsed into a `Phrase`, and a `Phrase` is written as a sentence. To translate is to
read and then write. The clumsy style has one language's words in the other's order, like a beginner's.
"""

import re
from functools import cache
from typing import NamedTuple

from .tables import single, tables

ENGLISH, WICKISH = "English", "Wickish"

_TABLES = tables("wickish")
BEINGS, THINGS, SPOTS = (_TABLES[t] for t in ("beings", "things", "spots"))  # English noun -> (plural, Wickish stem)
ALONE, DOING = _TABLES["alone"], _TABLES["doing"]  # English verb -> (third person, past, Wickish stem)
ADJECTIVES, PLACINGS, TIMES, NUMBERS = (single(_TABLES[t]) for t in ("adjectives", "placings", "times", "numbers"))
NAMES = _TABLES["names"]["both"]  # the same in both languages
_ENDINGS, _TENSES = single(_TABLES["endings"]), single(_TABLES["tenses"])
TIME_TENSES = _TABLES["time tenses"]  # which tenses go with a time, if not all do
NOUNS = {**BEINGS, **THINGS, **SPOTS}
VERBS = {**ALONE, **DOING}


class Noun(NamedTuple):
    """A noun with its article and adjective."""

    word: str  # English singular, or a name
    article: str = ""  # "a", "the", "my", "the+" (plural), a number, "some" (bare plural), "" for names
    adjective: str | None = None  # English

    @property
    def plural(self) -> bool:
        return self.article not in ("", "a", "the", "my")


class Phrase(NamedTuple):
    """What a sentence says."""

    subject: Noun
    verb: str  # English base form
    tense: str  # "present", "past", "future"
    negated: bool = False
    thing: Noun | None = None  # the object
    placing: str | None = None  # "under" ...
    spot: Noun | None = None
    time: str | None = None


# ---- writing


def _noun_words(noun: Noun, language: str) -> list:
    if not noun.article:
        return [noun.word]
    adjective = [noun.adjective] if noun.adjective else []
    if language == ENGLISH:
        article = {"the+": ["the"], "some": []}.get(noun.article, [noun.article])
        words = article + adjective + [NOUNS[noun.word][0] if noun.plural else noun.word]
        if words[0] == "a" and words[1][0] in "aeiou":
            words[0] = "an"
        return words
    ending = "u" if noun.article in NUMBERS else _ENDINGS[noun.article]
    return (
        [NOUNS[noun.word][1] + ending]
        + [ADJECTIVES[a] for a in adjective]
        + ([NUMBERS[noun.article]] if noun.article in NUMBERS else [])
    )


def _verb_words(phrase: Phrase, language: str) -> list:
    third, past, stem = VERBS[phrase.verb]
    if language == WICKISH:
        return (["ni"] if phrase.negated else []) + [stem + _TENSES[phrase.tense]]
    plural = phrase.subject.plural
    if phrase.tense == "future":
        return ["will", "not", phrase.verb] if phrase.negated else ["will", phrase.verb]
    if phrase.negated:
        return ["did" if phrase.tense == "past" else "do" if plural else "does", "not", phrase.verb]
    return [past if phrase.tense == "past" else phrase.verb if plural else third]


def write(phrase: Phrase, language: str, clumsy: bool = False) -> str:
    """The sentence for `phrase` in `language`. clumsy: in the word order of the other language."""
    subject, verb = _noun_words(phrase.subject, language), _verb_words(phrase, language)
    thing = _noun_words(phrase.thing, language) if phrase.thing else []
    time = [] if not phrase.time else phrase.time.split() if language == ENGLISH else [TIMES[phrase.time]]
    spot = _noun_words(phrase.spot, language) if phrase.spot else []
    placing = [] if not phrase.spot else [phrase.placing if language == ENGLISH else PLACINGS[phrase.placing]]
    if (language == ENGLISH) != clumsy:
        words = subject + verb + thing + placing + spot + time
    else:
        words = time + subject + spot + placing + thing + verb
    text = " ".join(words)
    return text[0].upper() + text[1:] + "."


# ---- reading: the patterns may be lenient, because what they find is written again and compared

_ENGLISH_NOUNS = {form: (noun, form != noun) for noun, (plural, _) in NOUNS.items() for form in (noun, plural)}
_WICKISH_NOUNS = {
    stem + ending: Noun(noun, article) for noun, (_, stem) in NOUNS.items() for article, ending in _ENDINGS.items()
}
_ENGLISH_VERBS = {
    form: (verb, tense)
    for verb, (third, past, _) in VERBS.items()
    for form, tense in ((verb, "present"), (third, "present"), (past, "past"))
}
_VERB_FORMS = {
    stem + ending: (verb, tense) for verb, (_, _, stem) in VERBS.items() for tense, ending in _TENSES.items()
}
_HELPERS = {"will": "future", "did": "past", "do": "present", "does": "present"}
_TO_ENGLISH = {w: e for table in (ADJECTIVES, NUMBERS, TIMES, PLACINGS) for e, w in table.items()}


def _group(name: str, words) -> str:
    return f"(?P<{name}>{'|'.join(words)})"


@cache
def _pattern(language: str, verb_last: bool) -> re.Pattern:
    """A sentence of `language`, in its own word order or the other's."""
    english = language == ENGLISH
    placing, time = (_group(n, t if english else t.values()) for n, t in (("placing", PLACINGS), ("time", TIMES)))

    def noun(role: str) -> str:
        if english:
            article = _group(f"{role}_article", ("a", "an", "the", "my", *NUMBERS))
            adjective = _group(f"{role}_adjective", ADJECTIVES)
            return f"(?:{article} )?(?:{adjective} )?" + _group(role, (*_ENGLISH_NOUNS, *NAMES))
        adjective = _group(f"{role}_adjective", ADJECTIVES.values())
        number = _group(f"{role}_article", NUMBERS.values())
        return _group(role, (*_WICKISH_NOUNS, *NAMES)) + f"(?: {adjective})?(?: {number})?"

    if english:
        verb = f"(?:{_group('helper', _HELPERS)} (?P<negated>not )?)?" + _group("verb", _ENGLISH_VERBS)
    else:
        verb = "(?P<negated>ni )?" + _group("verb", _VERB_FORMS)
    subject, thing, spot = (noun(role) for role in ("subject", "thing", "spot"))
    if verb_last:
        return re.compile(f"(?:{time} )?{subject}(?: {spot} {placing})?(?: {thing})? {verb}")
    return re.compile(f"{subject} {verb}(?: {thing})?(?: {placing} {spot})?(?: {time})?")


def _noun(found: dict, role: str, language: str) -> Noun | None:
    word, article, adjective = found[role], found[f"{role}_article"], found[f"{role}_adjective"]
    if word is None or word in NAMES:
        return word and Noun(word)
    if language == WICKISH:
        noun = _WICKISH_NOUNS[word]
        return Noun(noun.word, _TO_ENGLISH.get(article, noun.article), _TO_ENGLISH.get(adjective))
    word, plural = _ENGLISH_NOUNS[word]
    return Noun(word, {None: "some", "an": "a", "the": "the+" if plural else "the"}.get(article, article), adjective)


def _phrase(found: dict, language: str) -> Phrase:
    verb, tense = (_ENGLISH_VERBS if language == ENGLISH else _VERB_FORMS)[found["verb"]]
    tense = _HELPERS.get(found.get("helper"), tense)
    subject, thing, spot = (_noun(found, role, language) for role in ("subject", "thing", "spot"))
    placing, time = (_TO_ENGLISH.get(found[name], found[name]) for name in ("placing", "time"))
    return Phrase(subject, verb, tense, bool(found["negated"]), thing, placing, spot, time)


def read(text: str, language: str) -> tuple[Phrase | None, bool]:
    """(Phrase, clumsy) of one sentence in `language`, or (None, False) if it is not a sentence of that language."""
    if not text.endswith(".") or not text[:1].isupper():
        return None, False
    first, space, rest = text[:-1].partition(" ")
    words = (first if first in NAMES else first.lower()) + space + rest
    for clumsy in (False, True):
        found = _pattern(language, (language == WICKISH) != clumsy).fullmatch(words)
        if found is not None:
            phrase = _phrase(found.groupdict(), language)
            if _makes_sense(phrase) and write(phrase, language, clumsy) == text:
                return phrase, clumsy
    return None, False


def _makes_sense(phrase: Phrase) -> bool:
    """What the patterns do not check: only and all verbs in DOING have an object; a spot is in SPOTS, a subject not."""
    return (
        (phrase.verb in DOING) == (phrase.thing is not None)
        and phrase.subject.word not in SPOTS
        and (phrase.spot is None or phrase.spot.word in SPOTS)
    )


def vocabulary(language: str) -> frozenset[str]:
    """Every word form of a language, without names."""
    if language == WICKISH:
        return frozenset({*_WICKISH_NOUNS, *_VERB_FORMS, *_TO_ENGLISH, "ni"})
    times = " ".join(TIMES).split()
    small = "a an the my will not do does did".split()
    return frozenset({*_ENGLISH_NOUNS, *_ENGLISH_VERBS, *ADJECTIVES, *PLACINGS, *NUMBERS, *times, *small})
