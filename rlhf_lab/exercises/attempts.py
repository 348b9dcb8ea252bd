"""What was attempted, solved and hinted: a small file of events, to which is only ever added.

As careful as the store of ratings (one connection a call, on the disk before the call returns, files of other
programs and newer versions left alone), but never in the way: learning goes on without it. So `record` and
`states` raise nothing. They give back one sentence where something is wrong with the file.
"""

import json
import sqlite3
import time
import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar

from rlhf_lab.databases import add_event, is_damaged, is_locked, patiently
from rlhf_lab.paths import home_dir

_SCHEMA = """
CREATE TABLE events (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    uid TEXT NOT NULL UNIQUE,
    ts_utc TEXT NOT NULL,
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    detail TEXT NOT NULL
)
"""


class ProgressError(Exception):
    """The file of progress cannot be used. The message says why, and what to do."""


@dataclass(frozen=True)
class Event:
    """Something a learner did."""

    kind: str  # "attempted", "solved", "hinted"; "answered" for a quiz
    name: str  # of the exercise or quiz
    detail: dict[str, Any]


@dataclass(frozen=True)
class State:
    """Where a learner is with one exercise."""

    attempts: int = 0  # checks of a function that was not a stub
    solved: bool = False
    hints: int = 0  # different hints that were asked for before it was solved

    @property
    def words(self) -> str:
        if self.solved:
            return "solved with hints" if self.hints else "solved"
        return "attempted" if self.attempts or self.hints else "not attempted"


class ProgressStore:
    """The file of events. Safe from any thread and from several notebooks at once.

    path: the database file. Without one: progress.sqlite in the learner's folder. Both methods raise ProgressError
    where the file cannot be used, or stays locked for `wait_seconds`.
    """

    schema_version: ClassVar[int] = 1  # kept in the file as PRAGMA user_version
    application_id: ClassVar[int] = 0x524C4558  # "RLEX", marks the file as ours
    wait_seconds: ClassVar[float] = 0.4  # a check should not take long because of this

    def __init__(self, path: Path | str | None = None):
        self._path = Path(path) if path is not None else None

    @property
    def path(self) -> Path:
        return self._path or home_dir() / "progress.sqlite"

    def append(self, kind: str, name: str, detail: dict[str, Any] | None = None) -> None:
        """Add an event; when this returns, it is on the disk."""
        row = {
            "uid": str(uuid.uuid4()),
            "ts_utc": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "kind": kind,
            "name": name,
            "detail": json.dumps(detail or {}, sort_keys=True),
        }
        with self._connection("BEGIN IMMEDIATE") as connection:
            add_event(connection, row)

    def events(self) -> list[Event]:
        """Everything that happened, in order. Without a file: nothing, and none is made.

        A row that is damaged is an event of kind "damaged", whose name is the row's number.
        """
        try:
            if not self.path.exists():
                return []
        except (OSError, ValueError) as error:  # ValueError: no folder for it
            raise ProgressError(_unusable(error)) from error
        # As bytes: SQLite would refuse the whole answer for one text that is not UTF-8.
        texts = ", ".join(f"CAST({column} AS BLOB)" for column in ("kind", "name", "detail"))
        with self._connection("BEGIN IMMEDIATE") as connection:
            rows = connection.execute(f"SELECT seq, {texts} FROM events ORDER BY seq").fetchall()
            return [_event(*row) for row in rows]

    @contextmanager
    def _connection(self, begin: str) -> Iterator[sqlite3.Connection]:
        """A connection for one call, in a transaction that is committed when the body succeeds."""
        deadline = time.monotonic() + self.wait_seconds
        try:
            with closing(sqlite3.connect(self.path, timeout=0, isolation_level=None)) as connection:
                patiently(connection, "PRAGMA synchronous = FULL", deadline)
                patiently(connection, begin, deadline)
                self._make_ready(connection)
                yield connection  # closing without COMMIT takes everything back
                patiently(connection, "COMMIT", deadline)
        except sqlite3.Error as error:
            if is_locked(error):
                raise ProgressError("another program keeps progress.sqlite locked; close it.") from error
            if is_damaged(error):
                raise ProgressError("progress.sqlite is damaged; move it away to start an empty one.") from error
            raise ProgressError(_unusable(error)) from error
        except (OSError, ValueError) as error:  # ValueError: a line that is not JSON
            raise ProgressError(_unusable(error)) from error

    def _make_ready(self, connection: sqlite3.Connection) -> None:
        """Make the table in a new file, refuse what is newer or not ours. The caller holds the write lock."""
        version, application, tables = (
            connection.execute(query).fetchone()[0]
            for query in ("PRAGMA user_version", "PRAGMA application_id", "SELECT count(*) FROM sqlite_master")
        )
        if (version, application, tables) == (0, 0, 0):
            connection.execute(_SCHEMA)
            connection.execute(f"PRAGMA application_id = {self.application_id}")
            connection.execute(f"PRAGMA user_version = {self.schema_version}")
        elif application != self.application_id:
            raise ProgressError("progress.sqlite is a database of another program; move it away.")
        elif version > self.schema_version:
            raise ProgressError("progress.sqlite is from a newer version of RLHF Lab; update it. It was not touched.")


def record(kind: str, name: str, **detail: Any) -> str:
    """Keep an event; gives an empty string, or a sentence on why it could not be kept. Never raises."""
    try:
        ProgressStore().append(kind, name, detail)
    except (ProgressError, OSError, TypeError, ValueError) as error:
        return f"(Your progress was not kept: {error} The course goes on without.)"
    return ""


def states() -> tuple[dict[str, State], str]:
    """The state of every exercise there is a trace of, and an empty string, or a sentence on what cannot be read."""
    try:
        events = ProgressStore().events()
    except (ProgressError, OSError) as error:
        return {}, f"Your progress cannot be shown: {error} Everything else works without."
    damaged = [event.name for event in events if event.kind == "damaged"]
    few = ", ".join(damaged[:5]) + (", ..." if len(damaged) > 5 else "")
    trouble = f"Damaged rows of progress.sqlite are passed over: {few}. Solving again mends what is missing."
    return fold(events), trouble if damaged else ""


def fold(events: list[Event]) -> dict[str, State]:
    """The state of each exercise after these events. Kinds that are not known are passed over."""
    attempts: dict[str, int] = {}
    hints: dict[str, set] = {}
    solved: set[str] = set()
    for event in events:
        if event.kind in ("attempted", "solved"):
            attempts[event.name] = attempts.get(event.name, 0) + 1
        if event.kind == "solved":
            solved.add(event.name)
        elif event.kind == "hinted" and event.name not in solved:
            hints.setdefault(event.name, set()).add(str(event.detail.get("number")))
    known = [*attempts, *(name for name in hints if name not in attempts)]
    return {name: State(attempts.get(name, 0), name in solved, len(hints.get(name, ()))) for name in known}


def _event(number: int, kind: bytes | None, name: bytes | None, detail: bytes | None) -> Event:
    try:
        event = Event(kind.decode(), name.decode(), json.loads(detail.decode()))
        if isinstance(event.detail, dict):
            return event
    except (AttributeError, ValueError, RecursionError):  # nothing there, no text, no JSON
        pass
    return Event("damaged", str(number), {})


def _unusable(reason: Exception) -> str:
    return f"progress.sqlite cannot be used ({reason}). Is its folder there, and may it be written to?"
