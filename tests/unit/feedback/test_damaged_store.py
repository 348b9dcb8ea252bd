"""A database of which a part is damaged: good records are read, bad rows are named, nothing is lost in silence."""

import json
import random
import sqlite3
import warnings
from contextlib import closing

import pytest

from rlhf_lab.feedback import FeedbackError, FeedbackStore, RatingSession, StoreError, rate_with


def change(store, statement, *values):
    with closing(sqlite3.connect(store.path)) as connection, connection:
        connection.execute(statement, values)


def spoilt(record, **fields):
    """The line of a record with some of its fields changed."""
    return json.dumps(record.to_dict() | fields)


DAMAGE = {
    "empty": lambda record: "",
    "cut off": lambda record: record.to_json()[:-40],
    "no JSON": lambda record: "{'uid': 1}",
    "not a record": lambda record: "[1, 2]",
    "a number": lambda record: 5,
    "bytes that are no text": lambda record: b"\xff\xfe" + record.to_json().encode(),
    "nested deeply": lambda record: "[" * 100_000,
    "a number of 400 digits": lambda record: record.to_json().replace('"seed": null', '"seed": 1' + "0" * 400 + ".5"),
    "an unknown field": lambda record: spoilt(record, colour="red"),
    "a newer form": lambda record: spoilt(record, schema_version=9),
    "no candidates": lambda record: spoilt(record, candidates=None),
    "a winner that was not there": lambda record: spoilt(record, value={"winner": "nobody"}),
    "an order of other texts": lambda record: spoilt(record, display_order=["x", "y"]),
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_one_damaged_record_hides_no_other(store, record, damage):
    events = [record(i) for i in range(3)]
    for event in events:
        store.append(event)
    change(store, "UPDATE events SET record = ? WHERE seq = 2", damage(events[1]))
    for read in (store.events, store.records, lambda: store.history("task", "learner")[0]):
        with pytest.warns(UserWarning, match=r"feedback\.sqlite: damaged rows .* passed over.*: 2 \(") as said:
            assert read() == [events[0], events[2]]
        (sentence,) = [str(each.message) for each in said]
        assert "Put a backup" in sentence and "DELETE FROM events WHERE seq = 2" in sentence and len(sentence) < 700


def test_the_remedy_that_is_named_helps(store, record):
    for number in range(2):
        store.append(record(number))
    change(store, "UPDATE events SET record = 'x' WHERE seq = 2")
    change(store, "DELETE FROM events WHERE seq = 2")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert store.events() == [record(0, uid=store.events()[0].uid, ts_utc=store.events()[0].ts_utc)]


def test_many_damaged_rows_are_one_sentence(store, record):
    for number in range(60):
        store.append(record(number))
    change(store, "UPDATE events SET record = 'x' WHERE seq > 1")
    with pytest.warns(UserWarning, match=r"2, 3, 4, .*\.\.\.") as said:
        assert len(store.events()) == 1
    assert len(said) == 1 and len(str(said[0].message)) < 700


def test_what_a_damaged_row_takes_back_does_not_stand_again(store, items, answer):
    session = RatingSession(store, "task", items)
    answer(session)
    answer(session)
    session.undo(session.view().turn)
    change(store, "UPDATE events SET record = 'x' WHERE status = 'retracted'")
    with pytest.warns(UserWarning, match="passed over"):
        again = RatingSession(store, "task", items)
    assert again.view().number == 2 and len(again.records) == 1
    assert store.records() == list(again.records)


@pytest.mark.filterwarnings("ignore:.*damaged rows")
def test_a_question_whose_answer_is_damaged_is_asked_again(store, items, answer):
    session = RatingSession(store, "task", items)
    for _ in items:
        answer(session)
    change(store, "UPDATE events SET record = 'x' WHERE seq = 2")
    again = RatingSession(store, "task", items)
    assert again.view().prompt == items[1].prompt and answer(again)
    assert again.view().state == "done"


TRIGGERS = {
    "swallows": "BEFORE INSERT ON events BEGIN SELECT RAISE(IGNORE); END",
    "deletes": "AFTER INSERT ON events BEGIN DELETE FROM events WHERE uid = NEW.uid; END",
    "changes": "AFTER INSERT ON events BEGIN UPDATE events SET record = '{}' WHERE uid = NEW.uid; END",
    "refuses": "BEFORE INSERT ON events BEGIN SELECT RAISE(ABORT, 'not today'); END",
}


@pytest.mark.parametrize("trigger", TRIGGERS.values(), ids=TRIGGERS)
def test_an_answer_counts_only_when_it_can_be_read_back(store, items, rater, trigger):
    """A trigger that swallows answers made the same question come for ever."""
    session = RatingSession(store, "task", items, "simulated", "simulated")
    assert rate_with(session, rater, limit=1) == 1
    change(store, f"CREATE TRIGGER t {trigger}")
    before = session.view()
    with pytest.raises(StoreError, match=r"is damaged .*backup"):
        rate_with(session, rater)
    assert session.view() == before and len(store.events()) == 1
    change(store, "DROP TRIGGER t")
    assert rate_with(session, rater) == 3 and len(store.records()) == 4


def test_a_file_that_says_it_has_no_schema_is_not_backed_up_again_and_again(store, record):
    store.append(record(1))
    for version in (0, -1):
        change(store, f"PRAGMA user_version = {version}")
        with pytest.raises(StoreError, match=f"schema {version}.*user_version = 1"):
            FeedbackStore(store.path)
    assert not list(store.path.parent.glob("*.backup.sqlite"))
    change(store, "PRAGMA user_version = 1")
    assert len(FeedbackStore(store.path).events()) == 1


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*damaged rows")
def test_bytes_changed_anywhere_raise_nothing_but_our_own_errors(tmp_path, record):
    store = FeedbackStore(tmp_path / "feedback.sqlite")
    for number in range(30):
        store.append(record(number))
    whole, rng, read = store.path.read_bytes(), random.Random(0), 0
    for _ in range(300):
        spoilt = bytearray(whole)
        start, length = rng.randrange(len(whole)), rng.choice((1, 16, 1024))
        spoilt[start : start + length] = rng.randbytes(len(spoilt[start : start + length]))
        store.path.write_bytes(spoilt[: rng.choice((len(whole), len(whole), len(whole) // 2))])
        try:
            read += len(FeedbackStore(store.path).records())
            FeedbackStore(store.path).append(record(99))
        except FeedbackError:
            pass
    assert read > 1000
