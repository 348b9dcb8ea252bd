"""What our SQLite files share: patience with a locked file, rows that are read back, and what SQLite's errors mean."""

import random
import sqlite3
import time
from typing import Any


def patiently(connection: sqlite3.Connection, statement: str, deadline: float) -> Any:
    """Execute a statement, again and again while the file is locked, until the deadline; gives the first value.

    deadline: by time.monotonic(). SQLite's own waiting sleeps longer and longer, so that one of several busy writers
    can be passed over for seconds. Short random pauses give everybody the same chance.
    """
    while True:
        try:
            row = connection.execute(statement).fetchone()
            return row[0] if row else None
        except sqlite3.OperationalError as error:
            if not is_locked(error) or time.monotonic() >= deadline:
                raise
        time.sleep(random.uniform(0.0003, 0.003))


def add_event(connection: sqlite3.Connection, row: dict[str, str | None]) -> int:
    """Add a row (column -> value) to the table `events` and read it back; gives its number.

    IntegrityError where it is not there as it was written: a trigger can swallow a row without a word.
    """
    columns, values = ", ".join(row), tuple(row.values())
    connection.execute(f"INSERT INTO events ({columns}) VALUES ({', '.join('?' * len(row))})", values)
    kept = connection.execute(f"SELECT seq, {columns} FROM events WHERE uid = ?", (row["uid"],)).fetchone()
    if kept is None or kept[1:] != values:
        raise sqlite3.IntegrityError(
            "what was written could not be read back; a trigger in the file may have undone it"
        )
    return kept[0]


def is_locked(error: sqlite3.Error) -> bool:
    """Whether somebody else is using the file."""
    return _primary_code(error) in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


def is_damaged(error: sqlite3.Error) -> bool:
    """Whether the file is no database, a broken one, or one whose tables are not as we made them."""
    codes = (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_ERROR)  # the last: no such table, column
    return isinstance(error, sqlite3.IntegrityError) or _primary_code(error) in codes


def _primary_code(error: sqlite3.Error) -> int | None:
    """SQLite's code without its details; None for an error that the Python module made itself."""
    code = getattr(error, "sqlite_errorcode", None)
    return None if code is None else code & 0xFF
