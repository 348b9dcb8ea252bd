"""The store loses nothing: several processes, a killed process, a locked file, other versions, hostile texts."""

import os
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import closing
from typing import ClassVar

import pytest

from rlhf_lab.feedback import (
    Candidate,
    ConflictError,
    FeedbackError,
    FeedbackStore,
    RecordError,
    StoreBusyError,
    StoreError,
)

WRITER = """
import sys
from rlhf_lab.feedback import Candidate, FeedbackStore, Record
path, rater, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
store = FeedbackStore(path)
candidates = (Candidate("a", " one"), Candidate("b", " two"))
for i in range(count):
    uid = f"{rater}-{i}"
    store.append(Record(rater_id=rater, source="simulated", session_id="s", task_id="t", kind="compare",
                        item_id=str(i), prompt="p", candidates=candidates, display_order=("a", "b"),
                        status="submitted", value={"winner": "a"}, uid=uid))
    print(uid, flush=True)
"""


def start_writer(path, rater, count):
    command = [sys.executable, "-c", WRITER, str(path), rater, str(count)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def integrity(path):
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute("PRAGMA integrity_check").fetchone()[0]


def test_append_and_read(store, record):
    first, second = record(1), record(2, task_id="other", rater_id="bob", source="simulated")
    assert [store.append(first), store.append(second)] == [1, 2]
    assert store.events() == [first, second]
    assert store.events(task_id="other") == store.events(rater_id="bob") == store.events(source="simulated") == [second]
    assert store.events(task_id="task", rater_id="bob") == []
    assert FeedbackStore(store.path).events() == [first, second]


def test_records_are_what_stands(store, record):
    first, second = record(1), record(2)
    skipped = record(3, status="skipped", value=None)
    back = record(2, status="retracted", value=None, supersedes=second.uid)
    for event in (first, second, skipped, back):
        store.append(event)
    assert store.records() == [first, skipped]
    assert len(store.events()) == 4


def test_the_same_record_twice_counts_once(store, record):
    event = record(1)
    assert store.append(event) == store.append(event) == 1
    assert store.events() == [event]
    with pytest.raises(RecordError, match="never changed"):
        store.append(record(1, uid=event.uid, note="changed my mind"))
    assert store.events() == [event]


def test_append_after(store, record):
    number = store.append(record(1), after=0)
    store.append(record(2, rater_id="somebody else"))  # does not matter
    with pytest.raises(ConflictError):
        store.append(record(3), after=0)
    store.append(record(3), after=number)
    events, last = store.history("task", "learner")
    assert (len(events), last) == (2, 3)


HOSTILE = [
    "<script>alert(1)</script>",
    "'; DROP TABLE events; --",
    '"quotes" and \\ and %s and ?',
    "🍞 👩‍👩‍👧",
    "\u202eabc\u202c",
    "x" * 10_000,
    "",
    "\x00nul\x00",
    "line\nline\r\n\u2028",
    "\ufeff",
]


@pytest.mark.parametrize("text", HOSTILE, ids=[f"{i}" for i in range(len(HOSTILE))])
def test_hostile_texts_are_stored_exactly(store, record, text):
    event = record(
        prompt=text,
        candidates=(Candidate("a", text), Candidate("b", "-", policy=text)),
        display_order=("b", "a"),
        value={"winner": "a"},
        note=text,
    )
    store.append(event)
    (read,) = store.events()
    assert read == event and read.prompt == text and read.candidates[0].text == text


def test_from_many_threads(store, record):
    """A panel's callback runs in any thread."""
    events = [record(i) for i in range(40)]
    threads = [
        threading.Thread(target=lambda part=part: [store.append(e) for e in part])
        for part in (events[i::8] for i in range(8))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {e.uid for e in store.events()} == {e.uid for e in events}


@pytest.mark.slow
def test_four_processes_write_at_once(tmp_path):
    path = tmp_path / "feedback.sqlite"  # nobody has made it yet: they race to do so
    writers = [start_writer(path, f"rater{i}", 300) for i in range(4)]
    for writer in writers:
        _, errors = writer.communicate(timeout=120)
        assert writer.returncode == 0, errors
    events = FeedbackStore(path).events()
    assert len(events) == len({e.uid for e in events}) == 1200
    assert integrity(path) == "ok"


def test_a_killed_process_loses_nothing_it_acknowledged(tmp_path):
    path = tmp_path / "feedback.sqlite"
    FeedbackStore(path)
    acknowledged = set()
    for round_ in range(3):
        writer = start_writer(path, f"rater{round_}", 100_000)
        first = writer.stdout.readline().strip()
        assert first, writer.stderr.read()
        time.sleep(0.01 + 0.007 * round_)  # in the middle of some write
        os.kill(writer.pid, getattr(signal, "SIGKILL", signal.SIGTERM))
        rest, _ = writer.communicate()
        # A line cut off by the kill is no acknowledgement.
        acknowledged |= {first, *(line for line in rest.split("\n")[:-1] if line)}
        kept = {e.uid for e in FeedbackStore(path).events()}
        assert acknowledged <= kept, f"lost after kill {round_}: {sorted(acknowledged - kept)}"
        assert integrity(path) == "ok"
    assert len(acknowledged) >= 3  # how many a busy machine manages between two kills is not for us to say


KILLER = """
import os, random, signal, sqlite3, sys, time
from rlhf_lab.feedback import FeedbackStore, RatingSession, compare_item, compare_value
path, kills = sys.argv[1], int(sys.argv[2])
store = FeedbackStore(path)
items = [compare_item(f"p{i}", " one", " two") for i in range(200)]
rng, acknowledged, interrupted = random.Random(0), set(), 0
for kill in range(kills):
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        session = RatingSession(store, "t", items, f"rater{kill}", "simulated")
        while True:
            view = session.view()
            if session.answer(compare_value(view, "left"), view.turn):
                os.write(writer, f"rater{kill} {view.prompt}\\n".encode())
    os.close(writer)
    with os.fdopen(reader) as pipe:
        first = pipe.readline()
        time.sleep(rng.uniform(0, 0.008))  # long enough for a few answers: the kill comes in the middle of one
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        acknowledged |= {line.strip() for line in (first, *pipe) if line.endswith("\\n")}
    interrupted += os.path.exists(path + "-journal")
    connection = sqlite3.connect(path)
    assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",), kill
    connection.close()
    kept = {f"{event.rater_id} {event.prompt}" for event in store.events(rater_id=f"rater{kill}")}
    lost = {line for line in acknowledged if line.startswith(f"rater{kill} ")} - kept
    assert not lost, (kill, lost)
events = store.events()
assert acknowledged <= {f"{event.rater_id} {event.prompt}" for event in events}
assert len({(event.rater_id, event.item_id) for event in events}) == len(events)
print(len(acknowledged), interrupted)
"""


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork, to make and kill so many processes quickly")
def test_fifty_kills_in_the_middle_of_a_session_lose_nothing(tmp_path):
    command = [sys.executable, "-c", KILLER, str(tmp_path / "feedback.sqlite"), "50"]
    run = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert run.returncode == 0, run.stderr
    acknowledged, interrupted = map(int, run.stdout.split())
    assert acknowledged >= 50
    assert interrupted >= 1, "no kill came in the middle of a write, so this tested nothing"


def lock(path):
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("BEGIN EXCLUSIVE")
    return connection


@pytest.mark.slow
def test_a_locked_file_is_waited_for_but_not_long(store, record):
    with closing(lock(store.path)) as other:
        started = time.monotonic()
        with pytest.raises(StoreBusyError, match=r"feedback\.sqlite locked for 3 seconds.*try again"):
            store.append(record(1))
        assert 2.5 < time.monotonic() - started < 4
        other.execute("ROLLBACK")
        assert store.append(record(1)) == 1
        other.execute("BEGIN EXCLUSIVE")
        release = threading.Thread(target=lambda: (time.sleep(0.5), store.append(record(2))))
        release.start()
        time.sleep(0.7)
        other.execute("ROLLBACK")  # within the three seconds
        release.join()
    assert len(store.events()) == 2


@pytest.mark.slow
def test_a_reader_that_stays_delays_the_commit_but_not_for_long(store, record):
    """Another program that only reads lets a write begin, and blocks its end."""
    store.append(record(1))
    with closing(sqlite3.connect(store.path, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM events").fetchall()
        started = time.monotonic()
        with pytest.raises(StoreBusyError):
            store.append(record(2))
        assert time.monotonic() - started < 4
        assert len(store.events()) == 1
    assert store.append(record(2)) == 2


def test_a_newer_schema_is_refused_and_untouched(store, record):
    store.append(record(1))
    with closing(sqlite3.connect(store.path)) as connection:
        connection.execute("PRAGMA user_version = 7")
    before = store.path.read_bytes()
    with pytest.raises(StoreError, match=r"newer version of RLHF Lab .schema 7"):
        FeedbackStore(store.path)
    with pytest.raises(StoreError, match="newer version"):
        store.append(record(2))
    assert store.path.read_bytes() == before


class NextStore(FeedbackStore):
    """A store of a later version of the course, with a column more."""

    schema_version = 2
    migrations: ClassVar = {1: lambda c: c.execute("ALTER TABLE events ADD COLUMN colour TEXT DEFAULT 'red'")}


class BrokenStore(FeedbackStore):
    schema_version = 2
    migrations: ClassVar = {1: lambda c: c.execute("ALTER TABLE no_such_table ADD COLUMN colour TEXT")}


def test_an_older_schema_is_backed_up_and_migrated(store, record):
    events = [record(i) for i in range(3)]
    for event in events:
        store.append(event)
    later = NextStore(store.path)
    assert later.events() == events
    with closing(sqlite3.connect(store.path)) as connection:
        assert connection.execute("SELECT colour FROM events").fetchall() == [("red",)] * 3
        assert connection.execute("PRAGMA user_version").fetchone() == (2,)
    (backup,) = store.path.parent.glob("*.backup.sqlite")
    assert FeedbackStore(backup).events() == events
    later.append(record(9))
    assert len(list(store.path.parent.glob("*.backup.sqlite"))) == 1, "migrated once"
    with pytest.raises(StoreError, match="newer version"):
        FeedbackStore(store.path)


def test_several_notebooks_open_an_older_file_at_once(store, record):
    """It is migrated once, backed up once, and nobody's answer is lost."""
    events = [record(i) for i in range(3)]
    for event in events:
        store.append(event)
    later, added = [], [record(10 + i) for i in range(6)]

    def open_and_write(event):
        later.append(NextStore(store.path))
        later[-1].append(event)

    threads = [threading.Thread(target=open_and_write, args=(event,)) for event in added]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(later) == 6 and {e.uid for e in later[0].events()} == {e.uid for e in (*events, *added)}
    (backup,) = store.path.parent.glob("*.backup.sqlite")
    assert FeedbackStore(backup).events() == events


def test_a_new_file_needs_no_backup(tmp_path):
    NextStore(tmp_path / "new.sqlite")
    assert [path.name for path in tmp_path.iterdir()] == ["new.sqlite"]


def test_a_migration_that_fails_changes_nothing(store, record):
    store.append(record(1))
    with pytest.raises(StoreError, match="no such table"):
        BrokenStore(store.path)
    assert FeedbackStore(store.path).events() != []


def test_what_is_not_a_feedback_database(tmp_path):
    path = tmp_path / "feedback.sqlite"
    path.write_bytes(b"This is a shopping list, and a long one. " * 100)
    with pytest.raises(StoreError, match=r"not a feedback database, or is damaged .*Move it away"):
        FeedbackStore(path)
    assert path.read_bytes().startswith(b"This is a shopping list")
    with closing(sqlite3.connect(tmp_path / "other.sqlite")) as connection:
        connection.execute("CREATE TABLE recipes (name TEXT)")
    with pytest.raises(StoreError, match="database of another program"):
        FeedbackStore(tmp_path / "other.sqlite")
    with pytest.raises(StoreError, match="Cannot use the feedback database"):
        FeedbackStore(tmp_path)
    with pytest.raises(StoreError, match="RLHF_LAB_HOME"):
        FeedbackStore(path / "below-a-file.sqlite")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork, to give up the rights of an administrator")
def test_a_folder_that_may_not_be_written():
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o555)
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            if os.getuid() == 0:
                os.setgid(65534)
                os.setuid(65534)  # nobody, for whom permissions hold
            try:
                FeedbackStore(f"{folder}/feedback.sqlite")
                message = "it could be written"
            except StoreError as error:
                message = str(error)
            os.write(writer, message.encode())
            os._exit(0)
        os.close(writer)
        os.waitpid(child, 0)
        with os.fdopen(reader) as pipe:
            message = pipe.read()
        os.chmod(folder, 0o755)
    assert "Cannot use the feedback database" in message and "RLHF_LAB_HOME" in message


def test_the_folder_may_be_deleted_to_start_again(store, record):
    store.append(record(1))
    store.path.unlink()
    assert store.events() == []
    store.append(record(2))
    assert len(store.events()) == 1


def test_by_default_in_the_learners_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("RLHF_LAB_HOME", str(tmp_path / "lab"))
    assert FeedbackStore().path == tmp_path / "lab" / "feedback.sqlite"
    assert (tmp_path / "lab" / "feedback.sqlite").exists()


def test_all_errors_are_feedback_errors():
    assert all(issubclass(e, FeedbackError) for e in (StoreError, StoreBusyError, ConflictError, RecordError))
