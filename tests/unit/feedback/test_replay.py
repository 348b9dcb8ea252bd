"""A replay answers every kind of question as the recording does."""

import pytest
from feedback_strategies import events
from hypothesis import HealthCheck, given, settings

from rlhf_lab.feedback import (
    FeedbackStore,
    NoAnswerError,
    RatingSession,
    ReplayRater,
    compare_item,
    compare_value,
    question,
    rate_with,
)
from rlhf_lab.feedback.agreement import self_consistency
from rlhf_lab.feedback.pairs import preference_pairs, ratings
from rlhf_lab.feedback.queues import MixedQueue
from rlhf_lab.feedback.records import repeat_of

KINDS = ("compare", "score", "label", "rank", "edit")


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(history=events(statuses=("submitted", "skipped", "retracted"), max_size=8))
def test_every_kind_comes_back(tmp_path_factory, history):
    """Of each question the last answer, whatever the sides now."""
    last = {}
    for record in ratings(history):
        last[record.kind, record.prompt, tuple(sorted(c.text for c in record.candidates))] = record
    store = FeedbackStore(tmp_path_factory.mktemp("replay") / "f.sqlite")
    replay = ReplayRater(history, name="recorded")
    for kind in KINDS:
        items = replay.items_of(kind)
        expected = [record for record in last.values() if record.kind == kind]
        assert len(items) == len(expected)
        session = RatingSession(store, "again", items, "replay", "replay", seed=5, kind=kind)
        assert rate_with(session, replay) == len(expected)
        for again in session.records:
            record = last[kind, again.prompt, tuple(sorted(c.text for c in again.candidates))]
            if kind in ("compare", "rank", "edit"):
                assert sorted(preference_pairs([again]), key=str) == sorted(preference_pairs([record]), key=str)
            if kind == "compare":
                assert again.strength == record.strength and (
                    again.winner == record.winner or again.winner not in ("tie", "both_bad")
                )
            elif kind in ("score", "label"):
                assert again.value == record.value
            elif kind == "edit":
                assert again.value["text"] == record.value["text"]
            else:

                def tiers(r):
                    return [sorted(r.candidate(each).text for each in tier) for tier in r.value]

                assert tiers(again) == tiers(record)


def test_what_was_not_recorded_has_no_answer():
    replay = ReplayRater([])
    for ask in (
        lambda: replay.score("p", "x"),
        lambda: replay.label("p", "x"),
        lambda: replay.rank("p", ["x", "y"]),
        lambda: replay.edit("p", "x"),
        lambda: replay.compare("p", "x", "y"),
    ):
        with pytest.raises(NoAnswerError):
            ask()
    assert replay.name == "nobody" and replay.items == []


def test_kinds_are_apart(store):
    item = question("p", ["x"])
    session = RatingSession(store, "t", [item], "sim", "simulated", kind="score")
    session.answer({"overall": 3}, session.view().turn)
    replay = ReplayRater(store.records())
    assert replay.score("p", "x") == {"overall": 3}
    with pytest.raises(NoAnswerError):
        replay.label("p", "x")


def test_an_inconsistent_rater_is_replayed_inconsistent(store):
    """The recording holds a question and its repeat, answered differently; so does the replay."""
    items = [compare_item(f"p{i}", " a", " b") for i in range(3)]
    queue = [*items, *(repeat_of(item) for item in items)]
    session = RatingSession(store, "t", queue, "ann", "simulated")
    while (view := session.view()).state == "rate":
        session.answer(compare_value(view, "left"), view.turn)  # the side counts, so every repeat is the opposite
    assert self_consistency(session.records).hits == 0
    replay = ReplayRater(session.records)
    assert len(replay.items) == 6
    again = RatingSession(store, "again", queue, "replay", "replay", seed=3)
    assert rate_with(again, replay) == 6
    assert [record.winner for record in again.records] == [record.winner for record in session.records]


def test_replaying_a_mixed_queue(store, rater):
    queue = MixedQueue([compare_item(f"p{i}", f" first {i}", f" second {i}") for i in range(20)], repeat_rate=0.2)
    session = RatingSession(store, "t", queue, "ann", "simulated")
    rate_with(session, rater)
    replay = ReplayRater(session.records)
    again = RatingSession(store, "again", queue, "replay", "replay")
    assert rate_with(again, replay) == len(session.records)
    assert [(r.item_id, r.winner) for r in again.records] == [(r.item_id, r.winner) for r in session.records]
