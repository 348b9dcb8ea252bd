"""Is it a text of this world at all? Each sentence is checked against the grammar of its kind of text."""

from functools import lru_cache

from .. import conversations, reviews, stories, wickish
from ..documents import kind_of
from ..grammar import pieces, split_sentences

# kind -> (grammar, rule, fewest sentences, most sentences)
_GRAMMARS = {
    "review": (reviews.GRAMMAR, "review", *reviews.SENTENCES),
    "conversation": (conversations.GRAMMAR, "helper", *conversations.SENTENCES),
    "story": (stories.GRAMMAR, "summary", 1, 1),
}


@lru_cache(maxsize=1 << 17)
def _sentence_ok(form: str, sentence: str) -> bool:
    if form in (wickish.ENGLISH, wickish.WICKISH):
        return wickish.read(sentence, form)[0] is not None
    grammar, rule, _, _ = _GRAMMARS[form]
    return grammar.sentence_ok(rule, sentence)


def _form(prompt: str) -> tuple:
    """(which grammar, fewest, most sentences) the completion of `prompt` must follow."""
    kind = kind_of(prompt)
    if kind == "translation":
        return (wickish.WICKISH if prompt.endswith(f"\n{wickish.WICKISH}:") else wickish.ENGLISH), 1, 1
    return kind, *_GRAMMARS[kind][2:]


def well_formedness(prompt: str, completion: str) -> float:
    """Share of good sentences, 0 to 1. A sentence is good if this kind's grammar can write it and the text has not said
    it before. 0 for a text that is empty or does not start with exactly one space."""
    form, _, _ = _form(prompt)
    if completion[:1] != " ":
        return 0.0
    found = pieces(completion[1:])
    return sum(_sentence_ok(form, piece) for piece in set(found)) / len(found)


def well_formed(prompt: str, completion: str) -> bool:
    """Whether every sentence is good (see `well_formedness`) and their number is within the limits."""
    form, fewest, most = _form(prompt)
    sentences = split_sentences(completion[1:]) if completion[:1] == " " else None
    return (
        bool(sentences)
        and fewest <= len(sentences) <= most
        and len(set(sentences)) == len(sentences)
        and all(_sentence_ok(form, s) for s in sentences)
    )
