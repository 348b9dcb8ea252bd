"""Raters that are no person: they answer like one, and are never taken for one."""

import pytest

from rlhf_lab.feedback import (
    FeedbackError,
    FeedbackStore,
    NoAnswerError,
    RatingSession,
    ReplayRater,
    compare_item,
    compare_value,
    question,
    rank_value,
    rate_with,
    rater_name,
    read_records,
    write_records,
)


@pytest.fixture
def simulated(store, items):
    return RatingSession(store, "task", items, rater_id="sim", source="simulated")


def test_rates_everything(simulated, store, rater):
    assert rate_with(simulated, rater) == 4
    records = store.records()
    assert all(record.winner == record.candidates[0].id for record in records)
    assert {record.display_order[0] == record.winner for record in records} == {True, False}, "both sides occur"
    assert {(r.source, r.input_method, r.client_ms) for r in records} == {("simulated", "rater", None)}
    assert rate_with(simulated, rater) == 0 and len(rater.asked) == 4


def test_limit(simulated, rater):
    assert rate_with(simulated, rater, limit=3) == 3
    assert rate_with(simulated, rater, limit=0) == 0
    assert rate_with(simulated, rater, limit=3) == 1


@pytest.mark.parametrize("verdict", ["tie", "both_bad"])
def test_ties(simulated, store, verdict):
    class Undecided:
        def compare(self, prompt, left, right):
            return verdict

    rate_with(simulated, Undecided(), limit=1)
    assert store.records()[0].winner == verdict


def test_a_rater_is_never_taken_for_a_person(session, store, rater):
    with pytest.raises(FeedbackError, match="source='simulated'"):
        rate_with(session, rater)
    assert store.events() == []


def test_a_rater_that_says_something_else(simulated, store):
    class Chatty:
        def compare(self, prompt, left, right):
            return "A, because it is warm"

    with pytest.raises(FeedbackError, match="left, right, tie or both_bad; got 'A, because"):
        rate_with(simulated, Chatty())
    assert store.events() == []


class Everything:
    """Answers every kind: prefers longer texts, much."""

    def compare(self, prompt, left, right):
        return ("left", 3) if len(left) > len(right) else ("right", 3)

    def score(self, prompt, text):
        return {"length": len(text)}

    def label(self, prompt, text):
        return ["short"] if len(text) < 3 else []

    def rank(self, prompt, texts):
        lengths = sorted({len(text) for text in texts}, reverse=True)
        return [[i for i, text in enumerate(texts) if len(text) == length] for length in lengths]

    def edit(self, prompt, text):
        return text + "!"


@pytest.mark.parametrize(
    ("kind", "texts", "value_of"),
    [
        ("compare", ["aa", "b"], lambda a, b: {"winner": a, "strength": 3}),
        ("score", ["aa"], lambda a: {"length": 2}),
        ("label", ["aa"], lambda a: ["short"]),
        ("rank", ["a", "bb", "c"], lambda a, b, c: [[b], [a, c]]),
        ("edit", ["aa"], lambda a: {"base_id": a, "text": "aa!"}),
    ],
)
def test_a_rater_for_every_kind(store, kind, texts, value_of):
    items = [question(f"p{i}", texts) for i in range(6)]
    session = RatingSession(store, "t", items, "sim", "simulated", kind=kind)
    assert rate_with(session, Everything()) == 6
    for record in store.records():
        expected = value_of(*(c.id for c in record.candidates))
        if kind == "rank":
            expected[1].sort(key=record.display_order.index)
        assert record.value == expected


def test_a_rater_that_does_not_know_the_kind(store, rater):
    session = RatingSession(store, "t", [question("p", ["a"])], "sim", "simulated", kind="score")
    with pytest.raises(FeedbackError, match="'first' does not answer questions of kind 'score'"):
        rate_with(session, rater)


def test_values_for_the_screen(simulated):
    view = simulated.view()
    assert compare_value(view, "left", 1) == {"winner": view.options[0].id, "strength": 1}
    assert compare_value(view, "right") == {"winner": view.options[1].id}
    with pytest.raises(FeedbackError, match="Only a preference has a strength"):
        compare_value(view, "tie", 1)
    assert rank_value(view, ((1,), (0,))) == [[view.options[1].id], [view.options[0].id]]
    for wrong in ([[0]], [[0], [0]], [[0], [1], [2]], [0, 1], None, [["a"], ["b"]]):
        with pytest.raises(FeedbackError, match="each of the places 0 to 1 once"):
            rank_value(view, wrong)


def test_a_queue_that_fails_is_reported(store, rater):
    class Broken:
        def __len__(self):
            return 3

        def next_item(self, records):
            raise RuntimeError("no posterior")

    with pytest.raises(FeedbackError, match="no posterior"):
        rate_with(RatingSession(store, "t", Broken(), "sim", "simulated"), rater)


def test_replay_answers_as_recorded_whatever_the_side(simulated, store, rater, tmp_path, items):
    rate_with(simulated, rater, limit=3)
    recorded = store.records()
    write_records(tmp_path / "recorded.jsonl", recorded)
    replay = ReplayRater(read_records(tmp_path / "recorded.jsonl"))
    assert replay.name == "sim" and [item.item_id for item in replay.items] == [i.item_id for i in items[:3]]
    other = FeedbackStore(tmp_path / "other.sqlite")
    session = RatingSession(other, "task", items, rater_id="replay", source="replay", seed=99)
    assert rate_with(session, replay) == 3
    again = other.records()
    assert [r.winner for r in again] == [r.winner for r in recorded] + [None]
    assert again[3].status == "skipped", "the recording knows nothing about the fourth"
    assert {r.source for r in again} == {"replay"}
    assert [r.display_order for r in again[:3]] != [r.display_order for r in recorded], "else this tests little"


def test_replay_follows_what_stands(store, items, answer):
    session = RatingSession(store, "task", items)
    answer(session, "tie")
    session.undo(session.view().turn)
    answer(session, "both_bad")
    answer(session, "tie")
    session.undo(session.view().turn)
    replay = ReplayRater(store.events())
    texts = [c.text for c in items[0].candidates]
    assert replay.compare(items[0].prompt, *texts) == replay.compare(items[0].prompt, *texts[::-1]) == "both_bad"
    with pytest.raises(NoAnswerError):
        replay.compare(items[1].prompt, *(c.text for c in items[1].candidates))
    assert len(replay.items) == 1


def test_replay_needs_the_same_prompt(store, answer):
    item = compare_item("p", " x", " y")
    session = RatingSession(store, "task", [item])
    answer(session)
    with pytest.raises(NoAnswerError):
        ReplayRater(store.events()).compare("q", " x", " y")


def test_names():
    class Taste:
        name = "gloomy"

    class ByTaste:
        taste = Taste()

    class Named:
        name = "ann"

    assert [rater_name(r) for r in (Named(), ByTaste(), object())] == ["ann", "gloomy", "object"]
