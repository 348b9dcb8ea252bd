"""What a detail is: a check that the package passes, and broken variants that must not pass it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from kit import Tools

DETAILS: dict[int, "Detail"] = {}  # by number, filled by the files beside this one


@dataclass(frozen=True)
class Detail:
    """One of the places where courses and libraries go wrong."""

    says: str  # what is right, in a sentence
    check: Callable[[Any, Tools], None]  # of a subject; AssertionError where the detail is not as it should be
    right: Any  # the subject as the package has it: a function, a class, or what prepares the tools
    broken: dict[str, Any]  # the same with the detail broken, by what is wrong


def detail(number: int, says: str, right: Any, broken: dict[str, Any]):
    """Register a check as that of detail `number`."""

    def register(check):
        assert number not in DETAILS and broken
        DETAILS[number] = Detail(says, check, right, broken)
        return check

    return register


def as_it_is(tools: Tools) -> None:
    """For checks whose subject prepares the tools: nothing is replaced."""
