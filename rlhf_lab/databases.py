"""What our SQLite files share: patience with a locked file, and what an error of SQLite's means."""

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


def is_locked(error: sqlite3.Error) -> bool:
    """Whether somebody else is using the file."""
    return _primary_code(error) in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


def is_damaged(error: sqlite3.Error) -> bool:
    """Whether the file is no database, or a broken one."""
    return _primary_code(error) in (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT)


def _primary_code(error: sqlite3.Error) -> int | None:
    """SQLite's code without its details; None for an error that the Python module made itself."""
    code = getattr(error, "sqlite_errorcode", None)
    return None if code is None else code & 0xFF
