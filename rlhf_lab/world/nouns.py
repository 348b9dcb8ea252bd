"""The words of Tidewick and its kinds of place: grammar rules that all texts share.

They are in `data/world/places.txt` and `data/world/words.txt`; the latter explains names such as `fgv`.
"""

from .grammar import Grammar
from .tables import rules

NOUNS = rules("places", "words")
GRAMMAR = Grammar(NOUNS)


def texts(rule: str) -> tuple[str, ...]:
    """The alternatives of a rule, as text."""
    return tuple(" ".join(alternative) for alternative in GRAMMAR.rules[rule])


def slug(kind: str) -> str:
    """The rule suffix of a kind of place."""
    return kind.replace(" ", "")


PLACES = tuple(kind for rule in GRAMMAR.rules if rule.startswith("place.") for kind in texts(rule))
NAME_FIRST, NAME_LAST = texts("first"), texts("last")

# The words of these rules name what the text is about, so they may be repeated within one document.
REPEATABLE = (
    *("name", "first", "last", "town", "place", "keeper", "relative"),
    *(f"{rule}.{slug(kind)}" for rule in ("place", "keeper") for kind in PLACES),
)
