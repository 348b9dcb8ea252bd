"""Helpers for our SQLite files: wait for a locked file, add a row and verify it, interpret SQLite's errors."""

import random
import sqlite3
import time
from typing import Any


def patiently(connection: sqlite3.Connection, statement: str, deadline: float) -> Any:
    """Execute a statement, and retry while the file is locked, until the deadline. Returns the first value.

    deadline: in time.monotonic(). SQLite's own waiting sleeps longer and longer, so among several busy writers one may
    have to wait for seconds. Short random pauses give all the same chance.
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
    """Add a row (column -> value) to the table `events`, read it back, and return its number.

    IntegrityError if the row is not there as written: a trigger can silently drop it.
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
    """Whether another connection is using the file."""
    return _primary_code(error) in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


def is_damaged(error: sqlite3.Error) -> bool:
    """Whether the file is not a database, is broken, or has other tables than ours."""
    codes = (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_ERROR)  # the last: no such table, column
    return isinstance(error, sqlite3.IntegrityError) or _primary_code(error) in codes


def _primary_code(error: sqlite3.Error) -> int | None:
    """SQLite's error code without its details. None if the error comes from Python's module itself."""
    code = getattr(error, "sqlite_errorcode", None)
    return None if code is None else code & 0xFF
