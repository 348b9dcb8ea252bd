"""Queues: what comes next is a policy; gold and repeats are mixed in blind, and a restart changes nothing."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rlhf_lab.feedback import FeedbackError, FeedbackStore, RatingSession, compare_item, compare_value, rate_with
from rlhf_lab.feedback.queues import MixedQueue, at_random, deal, in_order
from rlhf_lab.feedback.records import original_id, question, repeat_number, repeat_of


def make_items(count, prefix=""):
    return [compare_item(f"Prompt {prefix}{i}:", f" first {prefix}{i}", f" second {prefix}{i}") for i in range(count)]


def ids(items):
    return [item.item_id for item in items]


def test_orders():
    items = make_items(30)
    assert in_order(iter(items)) == tuple(items)
    drawn = at_random(items, seed=1)
    assert sorted(ids(drawn)) == sorted(ids(items)) and drawn != tuple(items)
    assert at_random(items, seed=1) == drawn != at_random(items, seed=2)


@given(count=st.integers(0, 20), raters=st.integers(1, 4), shared=st.integers(0, 20), seed=st.integers(0, 3))
def test_dealing(count, raters, shared, seed):
    items, names = make_items(count), [f"rater{i}" for i in range(raters)]
    shared = min(shared, count)
    queues = deal(items, names, shared, seed)
    assert list(queues) == names
    asked = [set(ids(queue)) for queue in queues.values()]
    assert set().union(*asked) == set(ids(items))
    assert sum(map(len, queues.values())) == sum(map(len, asked)) == shared * raters + count - shared
    if raters > 1:
        assert len(set.intersection(*asked)) == shared


def test_dealing_to_nobody():
    for raters, shared in (([], 0), (["a", "a"], 0), (["a"], 9)):
        with pytest.raises(FeedbackError):
            deal(make_items(3), raters, shared)


def test_repeats_are_found_and_stand_the_other_way_round(store):
    items = make_items(20)
    repeats = [repeat_of(item) for item in items]
    thirds = [repeat_of(repeat, 3) for repeat in repeats]
    assert repeats[0].item_id == items[0].item_id + "#2" and thirds[0].item_id == items[0].item_id + "#3"
    assert [original_id(r.item_id) for r in (items[0], repeats[0], thirds[0])] == [items[0].item_id] * 3
    assert [repeat_number(r.item_id) for r in (items[0], repeats[0], thirds[0])] == [1, 2, 3]
    assert repeat_number("chapter#1") == 1 and original_id("chapter#1") == "chapter#1"
    with pytest.raises(FeedbackError, match="number 2"):
        repeat_of(items[0], 1)

    def shown(queue):
        session = RatingSession(store, "t", queue)
        return [[candidate.id for candidate in session._in_display_order(item)] for item in queue]

    assert shown(repeats) == [order[::-1] for order in shown(items)] != shown(items)
    assert shown(thirds) == shown(items)
    three = question("p", ["a", "b", "c"])
    ranked = RatingSession(store, "t", [three, repeat_of(three)], kind="rank")
    first, second = (ranked._in_display_order(item) for item in ranked.queue)
    assert first == second[::-1]


def run(queue, store, skip=lambda n: False, rater="sim"):
    """Everything a queue asks until it is done; the item ids in order."""
    session = RatingSession(store, "t", queue, rater, "simulated")
    asked = []
    while (view := session.view()).state == "rate":
        asked.append(session._item)
        assert view.total >= view.number
        if skip(len(asked)):
            session.skip(view.turn)
        else:
            session.answer(compare_value(view, "left"), view.turn)
        assert len(asked) < 500
    assert session.view().state == "done", session.view().problem
    return asked


@pytest.mark.slow
@settings(max_examples=15, deadline=None)
@given(
    count=st.integers(1, 25),
    gold=st.integers(0, 6),
    gold_rate=st.sampled_from([0.0, 0.1, 0.3]),
    repeat_rate=st.sampled_from([0.0, 0.1, 0.4]),
    gap=st.integers(0, 6),
    seed=st.integers(0, 5),
)
def test_mixing(tmp_path_factory, count, gold, gold_rate, repeat_rate, gap, seed):
    items, golds = make_items(count), make_items(gold, "gold ")
    queue = MixedQueue(
        items, gold=golds, gold_rate=gold_rate if gold else 0, repeat_rate=repeat_rate, gap=gap, seed=seed
    )
    store = FeedbackStore(tmp_path_factory.mktemp("mixed") / "f.sqlite")
    asked = run(queue, store)
    own = [item for item in asked if not item.is_gold and repeat_number(item.item_id) == 1]
    assert own == items, "every question once, in order"
    repeats = [item for item in asked if repeat_number(item.item_id) > 1]
    assert len(repeats) == len({original_id(item.item_id) for item in repeats}), "none is repeated twice"
    for item in repeats:
        places = [asked.index(next(i for i in asked if i.item_id == original_id(item.item_id))), asked.index(item)]
        assert places[1] - places[0] > gap
    asked_gold = [item for item in asked if item.is_gold]
    assert {item.item_id for item in asked_gold} <= set(ids(golds)) and len(asked_gold) <= gold
    assert len(asked) <= len(queue)
    if count > gap + 5:
        assert len(asked) == len(queue)
        assert abs(len(repeats) - repeat_rate * len(asked)) < 2.5
        assert abs(len(asked_gold) - min(gold, gold_rate * len(asked))) < 2.5


@pytest.mark.slow
def test_mixing_is_the_same_after_a_restart_and_an_undo(tmp_path):
    queue = MixedQueue(make_items(20), gold=make_items(5, "gold "), gold_rate=0.15, repeat_rate=0.2, seed=4)
    whole = ids(run(queue, FeedbackStore(tmp_path / "a.sqlite")))
    store, asked = FeedbackStore(tmp_path / "b.sqlite"), []
    while True:
        session = RatingSession(store, "t", queue, "sim", "simulated")  # a restart before every question
        view = session.view()
        if view.state == "done":
            break
        session.answer(compare_value(view, "right"), view.turn)
        session.undo(session.view().turn)
        assert session.view().prompt == view.prompt and session.view().options == view.options
        asked.append(session._item.item_id)
        session.answer(compare_value(view, "right"), session.view().turn)
    assert asked == whole


def test_what_was_skipped_is_not_repeated(store):
    queue = MixedQueue(make_items(20), repeat_rate=0.3, gap=1, seed=1)
    asked = run(queue, store, skip=lambda n: n % 2)
    skipped = {item.item_id for item in asked[::2] if repeat_number(item.item_id) == 1}
    assert not skipped & {original_id(item.item_id) for item in asked if repeat_number(item.item_id) > 1}
    assert [item for item in asked if repeat_number(item.item_id) == 1] == make_items(20)


class Backwards:
    """An adaptive queue that asks from the end, `length` answers, and knows of its own questions only."""

    def __init__(self, items, length):
        self.items, self.length = items, length

    def __len__(self):
        return self.length

    def next_item(self, records):
        assert all(record.prompt.startswith("Prompt ") and "#" not in record.item_id for record in records)
        assert not any(record.is_gold for record in records)
        done = {record.item_id for record in records}
        if sum(record.status == "submitted" for record in records) >= self.length:
            return None
        return next((item for item in reversed(self.items) if item.item_id not in done), None)


def test_mixing_into_an_adaptive_queue(store):
    items = make_items(40)
    queue = MixedQueue(Backwards(items, 20), gold=make_items(4, "gold "), gold_rate=0.1, repeat_rate=0.2, seed=2)
    assert set(ids(queue.items)) == set(ids(items)) | set(ids(queue.gold))
    asked = run(queue, store, skip=lambda n: n in (3, 5))
    own = [item for item in asked if not item.is_gold and repeat_number(item.item_id) == 1]
    assert own == items[::-1][: len(own)] and len(own) in (20, 21, 22)
    assert sum(repeat_number(item.item_id) == 2 for item in asked) >= 4
    assert sum(item.is_gold for item in asked) >= 2


def test_raters_share_a_store_with_queues_of_their_own(store, rater):
    items = make_items(12)
    queues = deal(items, ["ann", "bob"], shared=4)
    for name, queue in queues.items():
        assert rate_with(RatingSession(store, "t", queue, name, "simulated"), rater) == 8
    assert len(store.records()) == 16
    by_item = {}
    for record in store.records():
        by_item.setdefault(record.item_id, []).append(record.rater_id)
    assert sorted(map(len, by_item.values())) == [1] * 8 + [2] * 4


@pytest.mark.parametrize(
    "settings_",
    [
        {"gold_rate": 0.1},
        {"gold_rate": -0.1},
        {"repeat_rate": 1.0},
        {"gap": -1},
        {"gold_rate": 0.5, "repeat_rate": 0.5},
    ],
)
def test_impossible_mixtures(settings_):
    with pytest.raises(FeedbackError):
        MixedQueue(make_items(3), **settings_)
