"""Phrase pairs: "English: The fox sleeps under the bridge.\\nWickish:" and its translation, in both directions.

Most translations are right. Others have a wrong word, tense or number, lack an adjective, or keep the word order of the
source language.
"""

from . import wickish
from .grammar import pick, pick_weighted
from .wickish import ENGLISH, WICKISH, Noun, Phrase

_ERRORS = {"none": 0.58, "word": 0.13, "adjective": 0.09, "form": 0.09, "order": 0.08, "two": 0.03}

_LOOKS = ("red", "blue", "old", "small", "wet", "green", "white", "black")  # adjectives that suit things too


def read_prompt(prompt: str) -> tuple:
    """(source sentence, source language, target language). ValueError if `prompt` is not a translation prompt."""
    for source, target in ((ENGLISH, WICKISH), (WICKISH, ENGLISH)):
        start, end = f"{source}: ", f"\n{target}:"
        if prompt.startswith(start) and prompt.endswith(end):
            return prompt[len(start) : -len(end)], source, target
    raise ValueError(f"not a translation prompt: {prompt[:60]!r}")


def _noun(rng, words: dict, names: float = 0.0) -> Noun:
    if rng.random() < names:
        return Noun(pick(rng, wickish.NAMES))
    article = pick_weighted(rng, {"the": 0.44, "a": 0.2, "the+": 0.12, "my": 0.12, "number": 0.12})
    if article == "number":
        article = pick(rng, tuple(wickish.NUMBERS))
    adjectives = tuple(wickish.ADJECTIVES) if words is wickish.BEINGS else _LOOKS
    adjective = pick(rng, adjectives) if rng.random() < 0.4 else None
    return Noun(pick(rng, tuple(words)), article, adjective)


def make_phrase(rng) -> Phrase:
    """A random phrase to translate."""
    doing = rng.random() < 0.55
    verb = pick(rng, tuple(wickish.DOING if doing else wickish.ALONE))
    thing = None
    if doing:
        thing = _noun(
            rng, wickish.BEINGS if verb in ("follow", "watch", "love") and rng.random() < 0.6 else wickish.THINGS
        )
    placing = pick(rng, tuple(wickish.PLACINGS)) if rng.random() < (0.45 if doing else 0.75) else None
    spot = _noun(rng, wickish.SPOTS) if placing else None
    time = pick(rng, tuple(wickish.TIMES)) if rng.random() < 0.35 else None
    tense = pick(rng, wickish.TIME_TENSES.get(time, ("present", "past", "future")))
    return Phrase(_noun(rng, wickish.BEINGS, 0.18), verb, tense, rng.random() < 0.15, thing, placing, spot, time)


def _other(rng, options, current):
    while True:
        other = pick(rng, tuple(options))
        if other != current:
            return other


def _nouns(phrase: Phrase) -> list:
    return [role for role in ("subject", "thing", "spot") if getattr(phrase, role) is not None]


def _spoil(rng, phrase: Phrase, error: str) -> Phrase:
    """The phrase with one mistake of the given kind."""
    if error == "adjective":
        described = [r for r in _nouns(phrase) if getattr(phrase, r).adjective]
        if described:
            role = pick(rng, described)
            return phrase._replace(**{role: getattr(phrase, role)._replace(adjective=None)})
        error = "word"
    if error == "form":
        if rng.random() < 0.5:
            return phrase._replace(tense=_other(rng, ("present", "past", "future"), phrase.tense))
        with_article = [r for r in _nouns(phrase) if getattr(phrase, r).article]
        if with_article:
            role = pick(rng, with_article)
            noun = getattr(phrase, role)
            return phrase._replace(
                **{role: noun._replace(article=_other(rng, ("the", "a", "the+", "my"), noun.article))}
            )
    if rng.random() < 0.25:
        verbs = wickish.DOING if phrase.thing else wickish.ALONE
        return phrase._replace(verb=_other(rng, verbs, phrase.verb))
    role = pick(rng, _nouns(phrase))
    noun = getattr(phrase, role)
    words = next(w for w in (wickish.BEINGS, wickish.THINGS, wickish.SPOTS, wickish.NAMES) if noun.word in w)
    return phrase._replace(**{role: noun._replace(word=_other(rng, words, noun.word))})


def make_prompt(rng) -> str:
    """A sentence to translate, in one of the two directions."""
    source, target = (ENGLISH, WICKISH) if rng.random() < 0.5 else (WICKISH, ENGLISH)
    return f"{source}: {wickish.write(make_phrase(rng), source)}\n{target}:"


def write(rng, prompt: str) -> str:
    """A completion for `prompt`, right or wrong at random."""
    sentence, source, target = read_prompt(prompt)
    phrase, _ = wickish.read(sentence, source)
    if phrase is None:
        raise ValueError(f"not a sentence of the {source} phrase grammar: {sentence!r}")
    error = pick_weighted(rng, _ERRORS)
    if error == "two":
        phrase = _spoil(rng, _spoil(rng, phrase, "word"), "form")
    elif error not in ("none", "order"):
        phrase = _spoil(rng, phrase, error)
    return " " + wickish.write(phrase, target, clumsy=error == "order")
