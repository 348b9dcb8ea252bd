"""What can go wrong with feedback, as exceptions whose text says what to do about it.

All are FeedbackError, so that a panel can catch one type and show its message.
"""


class FeedbackError(Exception):
    """Something about a rating could not be done. The message says what and how to mend it."""


class RecordError(FeedbackError, ValueError):
    """A record, a candidate or an answer that makes no sense (an unknown winner, two equal ids, ...)."""


class StoreError(FeedbackError):
    """The database file cannot be used: unreadable, not a database, from a newer version, ..."""


class StoreBusyError(StoreError):
    """Another program kept the database locked for longer than we wait. Nothing was written; try again."""


class ConflictError(StoreError):
    """Somebody else wrote an event of the same task and rater first. Read again before writing."""


class NoAnswerError(FeedbackError, LookupError):
    """A rater has nothing to say about this question (a replay of a recording that lacks it)."""
