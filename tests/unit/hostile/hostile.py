"""What a hostile input is: a call that must fail with a sentence that says what was wrong and what to do."""

from collections.abc import Callable
from dataclasses import dataclass

from kit import Tools

ROWS: list["Hostile"] = []  # filled by the files beside this one


@dataclass(frozen=True)
class Hostile:
    """One row of the table."""

    name: str  # what is wrong with the input, in a few words
    call: Callable[[Tools], object]  # makes the input and hands it over
    error: type[Exception]  # exactly this class
    words: tuple[str, ...]  # what the sentence must contain


def hostile(name: str, call: Callable[[Tools], object], error: type[Exception], *words: str) -> None:
    """Add a row."""
    assert words, f"{name}: a row without words would accept any sentence"
    assert name not in {row.name for row in ROWS}, f"two rows are called {name!r}"
    ROWS.append(Hostile(name, call, error, words))
