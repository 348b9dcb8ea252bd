"""Wickish, the second language of Tidewick, and the phrase grammar that stands between it and English.

Wickish is regular. The verb comes last and the time first; adjectives and numbers follow their noun; what English says
with small words before a noun, Wickish says with endings: tarv (a fox), tarven (the fox), tarvim (my fox), tarvu
(foxes), tarvun (the foxes). Tenses are endings too: nillar (sleeps), nillosh (slept), nillir (will sleep); "ni" in
front of the verb says no. "under the bridge" is "molven suth", bridge-the under.

A sentence is read into a `Phrase` and written from one, in either language; so a translation is read, then write. The
clumsy style is one language's words in the other's order, as beginners talk.
"""

from typing import NamedTuple

from .tables import single, tables

ENGLISH, WICKISH = "English", "Wickish"

_TABLES = tables("wickish")
BEINGS, THINGS, SPOTS = (_TABLES[t] for t in ("beings", "things", "spots"))  # English noun -> (plural, Wickish stem)
ALONE, DOING = _TABLES["alone"], _TABLES["doing"]  # English verb -> (third person, past, Wickish stem)
ADJECTIVES, PLACINGS, TIMES, NUMBERS = (single(_TABLES[t]) for t in ("adjectives", "placings", "times", "numbers"))
NAMES = _TABLES["names"]["both"]  # the same in both languages
_ENDINGS, _TENSES = single(_TABLES["endings"]), single(_TABLES["tenses"])
TIME_TENSES = _TABLES["time tenses"]  # which tenses go with a time, where not all do
NOUNS = {**BEINGS, **THINGS, **SPOTS}
VERBS = {**ALONE, **DOING}


class Noun(NamedTuple):
    """A noun with what belongs to it."""

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
    thing: Noun | None = None  # what it is done to
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
    """The sentence of `phrase` in `language`; clumsy: in the word order of the other language."""
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


# ---- reading


def _noun_forms() -> tuple:
    english, wickish = {}, {}
    for noun, (plural, stem) in NOUNS.items():
        english[noun], english[plural] = (noun, False), (noun, True)
        for article, ending in _ENDINGS.items():
            wickish[stem + ending] = Noun(noun, article)
    return english, wickish


_ENGLISH_NOUNS, _WICKISH_NOUNS = _noun_forms()
_TO_ADJECTIVE = {w: e for e, w in ADJECTIVES.items()}
_TO_NUMBER = {w: e for e, w in NUMBERS.items()}
_TO_TIME = {w: e for e, w in TIMES.items()}
_TO_PLACING = {w: e for e, w in PLACINGS.items()}
_VERB_FORMS = {
    stem + ending: (verb, tense) for verb, (_, _, stem) in VERBS.items() for tense, ending in _TENSES.items()
}
_ENGLISH_VERBS = {
    form: (verb, tense)
    for verb, (third, past, _) in VERBS.items()
    for form, tense in ((verb, "present"), (third, "present"), (past, "past"))
}


class _Reader:
    """Reads one sentence's words from left to right. Lenient: what it finds is written again and compared."""

    def __init__(self, words: list, language: str):
        self.words, self.language, self.at = words, language, 0

    def word(self) -> str:
        return self.words[self.at] if self.at < len(self.words) else ""

    def noun(self) -> Noun | None:
        if self.word() in NAMES:
            self.at += 1
            return Noun(self.words[self.at - 1])
        start = self.at
        if self.language == WICKISH:
            noun = _WICKISH_NOUNS.get(self.word())
            if noun is None:
                return None
            self.at += 1
            if self.word() in _TO_ADJECTIVE:
                noun = noun._replace(adjective=_TO_ADJECTIVE[self.word()])
                self.at += 1
            if noun.article == "some" and self.word() in _TO_NUMBER:
                noun = noun._replace(article=_TO_NUMBER[self.word()])
                self.at += 1
            return noun
        article, adjective = "some", None
        if self.word() in ("a", "an", "the", "my", *NUMBERS):
            article = "a" if self.word() == "an" else self.word()
            self.at += 1
        if self.word() in ADJECTIVES:
            adjective = self.word()
            self.at += 1
        word, plural = _ENGLISH_NOUNS.get(self.word(), (None, False))
        if word is None:
            self.at = start
            return None
        self.at += 1
        return Noun(word, "the+" if article == "the" and plural else article, adjective)

    def verb(self) -> tuple | None:
        """(verb, tense, negated)."""
        if self.language == WICKISH:
            negated = self.word() == "ni"
            self.at += negated
            form = _VERB_FORMS.get(self.word())
            self.at += 1
            return form and (*form, negated)
        helper = {"will": "future", "did": "past", "do": "present", "does": "present"}.get(self.word())
        self.at += helper is not None
        negated = helper is not None and self.word() == "not"
        self.at += negated
        form = _ENGLISH_VERBS.get(self.word())
        self.at += 1
        return form and (form[0], helper or form[1], negated)

    def placing(self) -> str | None:
        table = _TO_PLACING if self.language == WICKISH else {p: p for p in PLACINGS}
        found = table.get(self.word())
        self.at += found is not None
        return found

    def time(self) -> str | None:
        table = _TO_TIME if self.language == WICKISH else {t: t for t in TIMES}
        for length in (2, 1):
            found = table.get(" ".join(self.words[self.at : self.at + length]))
            if found:
                self.at += length
                return found
        return None

    def placed(self, before: bool) -> tuple:
        """(placing, spot), or (None, None)."""
        start = self.at
        placing = self.placing() if before else None
        spot = self.noun() if placing or not before else None
        if spot and not before:
            placing = self.placing()
        if placing and spot:
            return placing, spot
        self.at = start
        return None, None


def _read_in_order(words: list, language: str, verb_last: bool) -> Phrase | None:
    reader = _Reader(words, language)
    if verb_last:
        time, subject = reader.time(), reader.noun()
        placing, spot = reader.placed(before=False)
        thing, verb = reader.noun(), reader.verb()
    else:
        subject, verb, thing = reader.noun(), reader.verb(), reader.noun()
        placing, spot = reader.placed(before=True)
        time = reader.time()
    if subject is None or verb is None:
        return None
    return Phrase(subject, verb[0], verb[1], verb[2], thing, placing, spot, time)


def read(text: str, language: str) -> tuple:
    """(Phrase, clumsy) of one sentence in `language`, or (None, False) where it is not a sentence of it."""
    if not text.endswith(".") or not text[:1].isupper():
        return None, False
    words = text[:-1].split(" ")
    if words[0] not in NAMES:
        words[0] = words[0].lower()
    for clumsy in (False, True):
        phrase = _read_in_order(words, language, verb_last=(language == WICKISH) != clumsy)
        if phrase is not None and _makes_sense(phrase) and write(phrase, language, clumsy) == text:
            return phrase, clumsy
    return None, False


def _makes_sense(phrase: Phrase) -> bool:
    """The grammar's own limits: a verb of doing has a thing, others have none, a phrase says more than that."""
    return (
        (phrase.verb in DOING) == (phrase.thing is not None)
        and phrase.subject.word not in SPOTS
        and (phrase.spot is None or phrase.spot.word in SPOTS)
    )


def vocabulary() -> frozenset:
    """Every Wickish word form."""
    return frozenset({*_WICKISH_NOUNS, *_VERB_FORMS, *_TO_ADJECTIVE, *_TO_NUMBER, *_TO_TIME, *_TO_PLACING, "ni"})
