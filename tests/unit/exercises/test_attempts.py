"""The file of progress: nothing acknowledged is lost, nothing about it ever stands in the way."""

import sqlite3
import threading
import time
from contextlib import closing

import pytest

from rlhf_lab.exercises import attempts
from rlhf_lab.exercises.attempts import Event, ProgressError, ProgressStore, State, fold


def test_events_are_kept_in_order(tmp_path):
    store = ProgressStore(tmp_path / "p.sqlite")
    assert store.events() == [] and not store.path.exists()
    store.append("attempted", "gae", {"mistake": "no_mask"})
    store.append("solved", "gae")
    expected = [Event("attempted", "gae", {"mistake": "no_mask"}), Event("solved", "gae", {})]
    assert ProgressStore(tmp_path / "p.sqlite").events() == expected


def test_the_default_is_the_learners_folder(home):
    assert attempts.record("solved", "gae") == ""
    assert (home / "progress.sqlite").exists() and attempts.states() == ({"gae": State(1, True, 0)}, "")


def test_several_writers_lose_nothing(tmp_path):
    def write(writer):
        store = ProgressStore(tmp_path / "p.sqlite")
        store.wait_seconds = 20.0
        for i in range(10):
            store.append("attempted", f"{writer}-{i}")

    threads = [threading.Thread(target=write, args=(writer,)) for writer in range(4)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    assert len({event.name for event in ProgressStore(tmp_path / "p.sqlite").events()}) == 40


def test_states():
    story = [
        Event("hinted", "a", {"number": 1}),
        Event("hinted", "a", {"number": 1}),
        Event("attempted", "a", {}),
        Event("solved", "a", {}),
        Event("hinted", "a", {"number": 2}),
        Event("attempted", "b", {}),
        Event("solved", "c", {}),
        Event("attempted", "c", {}),
        Event("hinted", "d", {"number": 1}),
        Event("answered", "00-quiz", {"right": True}),
        Event("of the future", "e", {}),
    ]
    states = fold(story)
    assert {name: state.words for name, state in states.items()} == {
        "a": "solved with hints",
        "b": "attempted",
        "c": "solved",
        "d": "attempted",
    }
    assert states["a"] == State(attempts=2, solved=True, hints=1) and State().words == "not attempted"


def broken(path):
    path.write_bytes(b"no database at all, but with some length" * 100)


def anothers(path):
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE theirs (x)")


def newer(path):
    ProgressStore(path).append("solved", "gae")
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("PRAGMA user_version = 7")


def folder(path):
    path.mkdir()


def no_table(path):
    newer(path)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("PRAGMA user_version = 1")
        connection.execute("DROP TABLE events")


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (broken, "damaged"),
        (anothers, "another program"),
        (newer, "newer version"),
        (folder, "cannot be used"),
        (no_table, "damaged"),
    ],
)
def test_a_file_that_cannot_be_used_is_a_sentence_and_left_alone(home, spoil, words):
    path = home / "progress.sqlite"
    spoil(path)
    before = path.read_bytes() if path.is_file() else None
    sentence = attempts.record("solved", "gae")
    assert words in sentence and "\n" not in sentence
    assert words in attempts.states()[1] and attempts.states()[0] == {}
    assert before is None or path.read_bytes() == before
    with pytest.raises(ProgressError):
        ProgressStore().events()


DAMAGE = {
    "no JSON": "detail = '{'",
    "JSON of another kind": "detail = '[1]'",
    "JSON that is nothing": "detail = 'null'",
    "a number": "detail = 5",
    "no text": "detail = x'ff00fe'",
    "a name that is no text": "name = x'c328'",
    "a kind that is no text": "kind = x'80'",
    "nested deeply": f"detail = '{'[' * 100_000}'",
}


@pytest.mark.parametrize("change", DAMAGE.values(), ids=DAMAGE)
def test_a_damaged_row_is_said_and_the_others_count(home, change):
    for name in ("gae", "kl", "clip"):
        attempts.record("solved", name)
    with closing(sqlite3.connect(home / "progress.sqlite")) as connection, connection:
        connection.execute(f"UPDATE events SET {change} WHERE seq = 2")
    states, sentence = attempts.states()
    assert list(states) == ["gae", "clip"] and "Damaged rows of progress.sqlite are passed over: 2." in sentence
    assert attempts.record("solved", "kl") == "" and list(attempts.states()[0]) == ["gae", "clip", "kl"]


@pytest.mark.parametrize("number", ["[1]", "{}", "null", "1e999"])
def test_a_hint_with_a_number_that_is_none(home, number):
    attempts.record("hinted", "gae", number=1)
    with closing(sqlite3.connect(home / "progress.sqlite")) as connection, connection:
        connection.execute("UPDATE events SET detail = ?", (f'{{"number": {number}}}',))
    assert attempts.states() == ({"gae": State(0, False, 1)}, "")


def test_a_trigger_that_swallows_what_is_written_is_said(home):
    attempts.record("attempted", "gae")
    with closing(sqlite3.connect(home / "progress.sqlite")) as connection, connection:
        connection.execute("CREATE TRIGGER t BEFORE INSERT ON events BEGIN SELECT RAISE(IGNORE); END")
    assert "was not kept: progress.sqlite is damaged" in attempts.record("solved", "gae")
    assert attempts.states() == ({"gae": State(1, False, 0)}, "")


@pytest.mark.parametrize("detail", [{"x": object()}, {"x": {1: 2, "a": 3}}, {"x": "half \ud800"}])
def test_what_cannot_be_kept_is_said(home, detail):
    sentence = attempts.record("solved", "gae", **detail)
    assert sentence == "" or "was not kept" in sentence


def test_a_locked_file_is_waited_for_and_not_for_long(home):
    attempts.record("solved", "gae")
    with closing(sqlite3.connect(home / "progress.sqlite", isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        started = time.perf_counter()
        assert "locked" in attempts.record("solved", "other") and "locked" in attempts.states()[1]
        assert time.perf_counter() - started < 1.5
        other.execute("ROLLBACK")
    assert attempts.record("solved", "other") == "" and len(attempts.states()[0]) == 2


def test_a_home_that_cannot_be_made_is_a_sentence(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("in the way")
    for home in (tmp_path / "file" / "home", tmp_path / "file", "~nosuchuser/home", tmp_path / ("x" * 300)):
        monkeypatch.setenv("RLHF_LAB_HOME", str(home))
        assert "RLHF_LAB_HOME names" in attempts.record("solved", "gae")
        assert "RLHF_LAB_HOME names" in attempts.states()[1] and attempts.states()[0] == {}
