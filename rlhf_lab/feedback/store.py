"""The store of ratings: one SQLite file, to which events are only ever added.

Ratings cost people's time, so the store is careful rather than fast. Each write is on the disk before `append`
returns, and several notebooks may write at once. Panel callbacks run in any thread, so each call opens its own
connection.
"""

import sqlite3
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import ClassVar

from rlhf_lab.databases import add_event, is_damaged, is_locked, patiently
from rlhf_lab.feedback.errors import ConflictError, FeedbackError, RecordError, StoreBusyError, StoreError
from rlhf_lab.feedback.records import Record
from rlhf_lab.paths import home_dir

_SCHEMA = """
CREATE TABLE events (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    uid TEXT NOT NULL UNIQUE,
    task_id TEXT NOT NULL,
    rater_id TEXT NOT NULL,
    kind TEXT NOT NULL,
    source TEXT NOT NULL,
    item_id TEXT NOT NULL,
    status TEXT NOT NULL,
    supersedes TEXT,
    record TEXT NOT NULL
);
CREATE INDEX events_by_task ON events (task_id, rater_id, seq);
CREATE INDEX events_by_supersedes ON events (supersedes);
"""
# Fields of a record that also have their own columns, beside the column with the whole record.
_COPIED = ("uid", "task_id", "rater_id", "kind", "source", "item_id", "status", "supersedes")


class FeedbackStore:
    """A file of feedback events. Safe to use from any thread and from several processes at once.

    path: the database file; created, with its folder, if it does not exist. None: feedback.sqlite in the learner's
        folder (`rlhf_lab.paths.home_dir`).

    Every method raises StoreBusyError if another program keeps the file locked for three seconds, and StoreError, with
    what to do, if the file cannot be used. If only some rows are damaged, the others are read, with a warning.
    """

    schema_version: ClassVar[int] = 1  # kept in the file as PRAGMA user_version
    application_id: ClassVar[int] = 0x524C4846  # "RLHF", marks the file as ours
    migrations: ClassVar[dict[int, Callable[[sqlite3.Connection], None]]] = {}  # version -> step to the next
    wait_seconds: ClassVar[float] = 3.0  # how long a call waits in total for a locked file

    def __init__(self, path: Path | str | None = None):
        self.path = Path(path) if path is not None else home_dir() / "feedback.sqlite"
        self._lock = threading.Lock()
        with self._connection():
            pass  # create, migrate or refuse now, where the person who makes the store sees an error

    def __repr__(self) -> str:
        return f"FeedbackStore({self.path.name!r})"

    def append(self, record: Record, *, after: int | None = None) -> int:
        """Add an event, and return its number in the file. When this returns, the event is on the disk.

        Appending the same record twice adds it once. after: add the event only if number `after` is still the last one
        of the same task and rater (0: there is none yet); otherwise ConflictError.
        """
        if not isinstance(record, Record):
            raise RecordError(f"The store keeps Records; got {type(record).__name__}.")
        line = record.to_json()
        with self._connection(write=True) as connection:
            known = connection.execute("SELECT seq, record FROM events WHERE uid = ?", (record.uid,)).fetchone()
            if known:
                if known[1] != line:
                    raise RecordError(f"Another record already has uid {record.uid}. Records are never changed.")
                return known[0]
            if after is not None and after != _last(connection, record.task_id, record.rater_id):
                raise ConflictError(f"Another notebook has just recorded an answer for task {record.task_id!r}.")
            return add_event(connection, {name: getattr(record, name) for name in _COPIED} | {"record": line})

    def events(
        self,
        task_id: str | None = None,
        rater_id: str | None = None,
        kind: str | None = None,
        source: str | None = None,
    ) -> list[Record]:
        """All events in order, including retractions. Arguments select one task, rater, kind or source."""
        with self._connection() as connection:
            return self._select(connection, "1", task_id=task_id, rater_id=rater_id, kind=kind, source=source)

    def records(
        self,
        task_id: str | None = None,
        rater_id: str | None = None,
        kind: str | None = None,
        source: str | None = None,
    ) -> list[Record]:
        """The events still in force: not retractions, and not superseded by a later event. Includes skips."""
        stands = (
            "status != 'retracted' AND NOT EXISTS (SELECT 1 FROM events AS later WHERE later.supersedes = events.uid)"
        )
        with self._connection() as connection:
            return self._select(connection, stands, task_id=task_id, rater_id=rater_id, kind=kind, source=source)

    def history(self, task_id: str, rater_id: str) -> tuple[list[Record], int]:
        """The events of one rater on one task, and the number of the last one (0: none) for `append`."""
        with self._connection() as connection:  # one transaction, so that both match
            events = self._select(connection, "1", task_id=task_id, rater_id=rater_id)
            return events, _last(connection, task_id, rater_id)

    def _select(self, connection: sqlite3.Connection, condition: str, **wanted: str | None) -> list[Record]:
        """The records of the rows that match. Skips damaged rows, with a warning that says which and why.

        If a damaged row takes an answer back, that answer is skipped too, or it would count again.
        """
        wanted = {column: value for column, value in wanted.items() if value is not None}
        clauses = " AND ".join([condition, *(f"{column} = ?" for column in wanted)])
        # Read as bytes, because one text that is not UTF-8 would make the whole query fail.
        query = f"SELECT seq, supersedes, CAST(record AS BLOB) FROM events WHERE {clauses} ORDER BY seq"
        records, damaged, taken_back = [], {}, set()
        for number, superseded, line in connection.execute(query, tuple(wanted.values())):
            try:
                records.append(Record.from_json((line or b"").decode()))
            except Exception as error:  # whatever is wrong with one row, the others stay readable
                damaged[number] = str(error)
                taken_back.add(superseded)
        if damaged:
            rows = ", ".join(map(str, damaged))
            warnings.warn(
                f"{self.path}: damaged rows of the table events are passed over, the others are read: {_short(rows)}"
                f" ({_short(next(iter(damaged.values())))}). Put a backup of the file in its place, or take such a row"
                f" out: DELETE FROM events WHERE seq = {next(iter(damaged))}.",
                stacklevel=3,
            )
        return [record for record in records if record.uid not in taken_back]

    @contextmanager
    def _connection(self, write: bool = False) -> Iterator[sqlite3.Connection]:
        """A connection for one call, in a transaction that commits if the body succeeds."""
        deadline = time.monotonic() + self.wait_seconds
        if not self._lock.acquire(timeout=self.wait_seconds):
            raise StoreBusyError(self._busy_message())
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            if self.path.exists() and not self.path.is_file():
                raise OSError("it is a folder or a device, not a file")
            with closing(sqlite3.connect(self.path, timeout=0, isolation_level=None)) as connection:
                # journal_mode stays at the default, DELETE: one file, with a journal beside it only during a write.
                patiently(connection, "PRAGMA synchronous = FULL", deadline)
                patiently(connection, "BEGIN IMMEDIATE" if write else "BEGIN", deadline)
                version = patiently(connection, "PRAGMA user_version", deadline)
                application = patiently(connection, "PRAGMA application_id", deadline)
                if (version, application) != (self.schema_version, self.application_id):
                    if not write:
                        connection.execute("ROLLBACK")
                        patiently(connection, "BEGIN IMMEDIATE", deadline)
                    self._make_ready(connection)
                yield connection  # closing without COMMIT rolls everything back
                patiently(connection, "COMMIT", deadline)
        except FeedbackError:
            raise
        except sqlite3.Error as error:
            raise self._explain(error) from error
        except (OSError, ValueError) as error:  # ValueError: a path or a name that SQLite cannot take
            raise StoreError(self._unusable_message(getattr(error, "strerror", None) or str(error))) from error
        finally:
            self._lock.release()

    def _make_ready(self, connection: sqlite3.Connection) -> None:
        """Make the tables in a new file, upgrade an older one, refuse one that is newer or not ours.

        The caller now holds the write lock. It looks at the file again, because another process may have been faster.
        """
        version, application, tables = (
            connection.execute(query).fetchone()[0]
            for query in ("PRAGMA user_version", "PRAGMA application_id", "SELECT count(*) FROM sqlite_master")
        )
        is_new = (version, application, tables) == (0, 0, 0)
        if is_new:
            for statement in _SCHEMA.split(";"):
                connection.execute(statement)
            connection.execute(f"PRAGMA application_id = {self.application_id}")
            version, application = 1, self.application_id
        if application != self.application_id:
            raise StoreError(
                f"{self.path} is a database of another program. Give FeedbackStore another path, or move"
                " that file away."
            )
        if version < 1:
            raise StoreError(
                f"{self.path} is damaged: it says that it is of schema {version}, and the first one was 1. Its records"
                " may be whole: put a backup in its place, or try PRAGMA user_version = 1 in a copy of it."
            )
        if version > self.schema_version:
            raise StoreError(
                f"{self.path} was written by a newer version of RLHF Lab (schema {version}, this one knows"
                f" {self.schema_version}). Update RLHF Lab; the file has not been touched."
            )
        if version < self.schema_version and not is_new:
            self._back_up(version)
        for step in range(version, self.schema_version):
            self.migrations[step](connection)
        connection.execute(f"PRAGMA user_version = {self.schema_version}")

    def _back_up(self, version: int) -> None:
        """Copy the file beside itself. The caller holds the write lock, so the copy is complete."""
        stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S%f")
        copy = self.path.with_name(f"{self.path.stem}.schema{version}-{stamp}.backup.sqlite")
        with closing(sqlite3.connect(self.path)) as source, closing(sqlite3.connect(copy)) as target:
            source.backup(target)

    def _explain(self, error: sqlite3.Error) -> StoreError:
        """Turn an SQLite error into ours, with what to do."""
        if is_locked(error):
            return StoreBusyError(self._busy_message())
        if is_damaged(error):
            return StoreError(
                f"{self.path} is not a feedback database, or is damaged ({error}). Move it away to start with an"
                " empty one, or put a backup in its place."
            )
        return StoreError(self._unusable_message(str(error)))

    def _busy_message(self) -> str:
        return (
            f"Another program has kept {self.path.name} locked for {self.wait_seconds:g} seconds, so nothing was"
            " written. Close that program (a database browser, another notebook), then try again."
        )

    def _unusable_message(self, reason: str) -> str:
        return (
            f"Cannot use the feedback database {self.path} ({reason}). Check that its folder exists, has space"
            " left and may be written to, or set RLHF_LAB_HOME to a folder that may."
        )


def _short(text: str) -> str:
    return text if len(text) <= 160 else f"{text[:160]}..."


def _last(connection: sqlite3.Connection, task_id: str, rater_id: str) -> int:
    query = "SELECT coalesce(max(seq), 0) FROM events WHERE task_id = ? AND rater_id = ?"
    return connection.execute(query, (task_id, rater_id)).fetchone()[0]
