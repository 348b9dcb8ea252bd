"""What can go wrong with feedback, as exceptions whose text says what to do about it.

All are FeedbackError, so that a panel can catch one type and show its message.
"""

import reprlib
import sys
import warnings
from typing import Any


class FeedbackError(Exception):
    """Something about a rating could not be done. The message says what and how to mend it."""


class RecordError(FeedbackError, ValueError):
    """A record, a candidate, an answer or a row that makes no sense (an unknown winner, two equal ids, ...)."""


class StoreError(FeedbackError):
    """The database, or another file, cannot be used: unreadable, not what it should be, from a newer version, ..."""


class StoreBusyError(StoreError):
    """Another program kept the database locked for longer than we wait. Nothing was written; try again."""


class ConflictError(StoreError):
    """Somebody else wrote an event of the same task and rater first. Read again before writing."""


class NoAnswerError(FeedbackError, LookupError):
    """A rater has nothing to say about this question (a replay of a recording that lacks it)."""


_SHORT = reprlib.Repr()
_SHORT.maxstring = _SHORT.maxother = 80
_SHORT.maxdict = _SHORT.maxlist = _SHORT.maxtuple = 6


def shown(value: Any) -> str:
    """A value for the sentence of an error, cut short where it is long or deep."""
    try:
        return _SHORT.repr(value)
    except ValueError:  # Python writes no number of more than 4300 digits
        return f"{type(value).__name__} too long to show"


def warn(message: str) -> None:
    """Say something as a warning of the line that called this room."""
    frame, level = sys._getframe(1), 2
    while frame.f_back and frame.f_globals.get("__name__", "").startswith("rlhf_lab.feedback."):
        frame, level = frame.f_back, level + 1
    warnings.warn(message, stacklevel=level)
