"""Sessions: nothing counts before it is saved, nothing counts twice, nothing gives away who wrote what."""

import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rlhf_lab.feedback import (
    Candidate,
    ConflictError,
    FeedbackError,
    FeedbackStore,
    Item,
    RatingSession,
    RecordError,
    StoreBusyError,
    compare_item,
    compare_value,
    edit_value,
    question,
    rank_value,
)


def make_items(count):
    return [compare_item(f"Prompt {i}:", f" first {i}", f" second {i}", ("old", "new")) for i in range(count)]


class Growing:
    """An adaptive queue: asks item i + 2 after a win of the first candidate, i + 1 else, up to `length` answers."""

    def __init__(self, items, length):
        self.items, self.length, self.calls = items, length, []

    def __len__(self):
        return self.length

    def next_item(self, records):
        self.calls.append(records)
        answers = [record for record in records if record.status == "submitted"]
        if len(answers) >= self.length:
            return None
        place = -1
        for record in records:
            place += 2 if record.winner == record.candidates[0].id else 1
        return self.items[place + 1] if place + 1 < len(self.items) else None


def test_from_first_to_last(session, store, items, answer):
    for number, item in enumerate(items, start=1):
        view = session.view()
        assert (view.state, view.prompt, view.number, view.total) == ("rate", item.prompt, number, 4)
        assert sorted(option.id for option in view.options) == sorted(c.id for c in item.candidates)
        assert answer(session, "right", ms=1200, input_method="mouse")
        assert len(store.events()) == number
    view = session.view()
    assert (view.state, view.number, view.total, view.answered, view.skipped) == ("done", 4, 4, 4, 0)
    assert view.options == () and view.prompt == ""
    record = store.events()[0]
    assert record.winner == record.display_order[1], "the answer is canonical, the side is in display_order"
    assert (record.client_ms, record.input_method, record.source) == (1200, "mouse", "human")
    assert record.session_id == session.session_id and record.guideline_version == "1"


def test_a_stale_turn_changes_nothing(session, store):
    first = session.view()
    assert session.answer(compare_value(first, "left"), first.turn)
    second = session.view()
    assert not session.answer(compare_value(first, "left"), first.turn)
    assert not session.answer(compare_value(first, "right"), first.turn)
    assert not session.skip(first.turn)
    assert not session.undo(first.turn)
    assert not session.answer({"winner": "tie"}, "")
    assert not session.answer({"winner": "tie"}, "nonsense")
    assert session.view() == second
    assert len(store.events()) == 1


def test_every_change_begins_a_new_turn(session, answer):
    turns = [session.view().turn]
    for change in (lambda: answer(session), lambda: session.skip(turns[-1]), lambda: session.undo(turns[-1])):
        assert change()
        turns.append(session.view().turn)
    assert len(set(turns)) == 4
    assert session.view().turn == turns[-1], "looking changes nothing"


def test_turns_of_two_sessions_differ(store, items):
    one, two = RatingSession(store, "task", items), RatingSession(store, "task", items)
    assert one.view().turn != two.view().turn


def test_double_answers_from_threads_count_once(session, store):
    view = session.view()
    counted = []
    threads = [
        threading.Thread(target=lambda v=v: counted.append(session.answer(compare_value(view, v), view.turn)))
        for v in ("left", "right", "tie", "both_bad") * 3
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(counted) == [False] * 11 + [True]
    assert len(store.events()) == 1


def test_nonsense_is_refused_and_the_question_stays(session, store):
    view = session.view()
    for value in ({"winner": "left"}, {"winner": "x"}, None, "tie", {}):
        with pytest.raises(RecordError):
            session.answer(value, view.turn)
    with pytest.raises(RecordError):
        session.answer({"winner": "tie"}, view.turn, -5)
    assert session.view() == view and store.events() == []
    assert session.answer({"winner": "tie"}, view.turn)


def test_skip_is_recorded_as_skip(session, store):
    assert session.skip(session.view().turn, 300, "keyboard")
    (record,) = store.events()
    assert (record.status, record.value, record.client_ms, record.input_method) == ("skipped", None, 300, "keyboard")
    view = session.view()
    assert (view.number, view.answered, view.skipped) == (2, 0, 1)


def test_undo_at_the_start(session, store):
    view = session.view()
    assert not view.can_undo
    assert not session.undo(view.turn)
    assert session.view() == view and store.events() == []


def test_undo_shows_the_question_again(session, store, answer):
    shown = [session.view().options]
    answer(session)
    shown.append(session.view().options)
    session.skip(session.view().turn)
    assert session.undo(session.view().turn)  # the skip
    assert session.view().options == shown[1] and session.view().number == 2
    assert session.undo(session.view().turn)  # the answer
    assert session.view().options == shown[0] and session.view().number == 1
    assert not session.undo(session.view().turn)
    events = store.events()
    assert [e.status for e in events] == ["submitted", "skipped", "retracted", "retracted"]
    assert [e.supersedes for e in events[2:]] == [events[1].uid, events[0].uid]
    assert store.records() == [] and session.records == ()
    assert answer(session, "tie") and len(store.records()) == 1


def test_undo_after_all_is_done(session, answer):
    while session.view().state == "rate":
        answer(session)
    assert session.undo(session.view().turn)
    assert session.view().state == "rate" and session.view().number == 4


def test_resume(store, items, answer):
    first = RatingSession(store, "task", items)
    answer(first, "left")
    first.skip(first.view().turn)
    again = RatingSession(FeedbackStore(store.path), "task", items)
    assert again.view().prompt == items[2].prompt and again.view().number == 3
    assert again.view().options == first.view().options
    assert again.undo(again.view().turn), "what was done before the restart can be taken back"
    assert again.undo(again.view().turn)
    assert [e.session_id for e in store.events()] == [first.session_id] * 2 + [again.session_id] * 2
    third = RatingSession(store, "task", items)
    assert third.view().options == again.view().options and third.view().prompt == items[0].prompt


def test_resume_shows_what_was_taken_back(store, items, answer):
    """Also when other questions come before it in the queue now."""
    session = RatingSession(store, "task", items[2:])
    answer(session)
    answer(session)
    session.undo(session.view().turn)
    longer = RatingSession(store, "task", items)
    assert longer.view().prompt == items[3].prompt
    assert longer.view().number == 2


def test_raters_and_tasks_are_apart(store, items, answer):
    answer(RatingSession(store, "task", items, rater_id="ann"))
    assert RatingSession(store, "task", items, rater_id="bob").view().number == 1
    assert RatingSession(store, "other", items, rater_id="ann").view().number == 1
    assert RatingSession(store, "task", items, rater_id="ann").view().number == 2


def test_answers_about_other_items_do_not_count(store, items, answer):
    answer(RatingSession(store, "task", items))
    changed = [compare_item(item.prompt, item.candidates[0].text, " third") for item in items]
    session = RatingSession(store, "task", changed)
    assert session.view().number == 1 and session.records == () and not session.view().can_undo


def test_the_order_is_blind_and_stable(tmp_path):
    items = make_items(300)
    store = FeedbackStore(tmp_path / "f.sqlite")

    def lefts(**how):
        session = RatingSession(store, "task", items, **how)
        return [session._in_display_order(item)[0].policy for item in items]

    assert lefts() == lefts()
    assert lefts() != lefts(rater_id="bob") and lefts() != lefts(seed=1)
    assert 110 < lefts().count("old") < 190  # 150 expected, standard deviation 8.7
    both_left = sum(a == b for a, b in zip(lefts(), lefts(rater_id="bob"), strict=True))
    assert 110 < both_left < 190, "raters see independent orders"


@pytest.mark.slow
def test_swapping_the_screen_does_not_change_the_answer(store):
    """The same preference, whichever side it stood on, is the same value."""
    items = make_items(40)
    sides = set()
    for rater in ("ann", "bob", "cy"):
        session = RatingSession(store, "task", items, rater_id=rater)
        while session.view().state == "rate":
            view = session.view()
            side = "left" if "first" in view.options[0].text else "right"
            sides.add(side)
            session.answer(compare_value(view, side), view.turn)
    assert sides == {"left", "right"}
    assert all(record.winner == record.candidates[0].id for record in store.records())


def test_a_write_that_fails_changes_nothing_and_can_be_tried_again(session, store, answer, monkeypatch):
    answer(session)
    before = session.view()
    appended = store.append
    for broken in (
        lambda: session.skip(before.turn),
        lambda: session.undo(before.turn),
        lambda: session.answer(compare_value(before, "left"), before.turn),
    ):
        monkeypatch.setattr(store, "append", _raise(StoreBusyError("busy")))
        with pytest.raises(StoreBusyError):
            broken()
        monkeypatch.setattr(store, "append", appended)
        assert session.view() == before and len(store.events()) == 1
    assert broken()
    assert session.view().number == 3 and len(store.events()) == 2


def _raise(error):
    def fail(*_, **__):
        raise error

    return fail


def test_an_answer_that_was_saved_although_it_seemed_to_fail_counts_once(session, store, monkeypatch):
    """The disk has it, the acknowledgement got lost: trying again must not record it twice."""
    view = session.view()
    appended = store.append

    def lose_the_reply(record, **how):
        appended(record, **how)
        raise StoreBusyError("lost")

    monkeypatch.setattr(store, "append", lose_the_reply)
    with pytest.raises(StoreBusyError):
        session.answer({"winner": "tie"}, view.turn, 100)
    monkeypatch.setattr(store, "append", appended)
    assert session.answer({"winner": "tie"}, view.turn, 900), "the same answer, a little later"
    assert len(store.events()) == 1 and session.view().number == 2


def test_another_answer_after_a_lost_acknowledgement(session, store, monkeypatch):
    view = session.view()
    appended = store.append
    monkeypatch.setattr(store, "append", lambda record, **how: (appended(record, **how), _raise(StoreBusyError("x"))()))
    with pytest.raises(StoreBusyError):
        session.answer({"winner": "tie"}, view.turn)
    monkeypatch.setattr(store, "append", appended)
    assert session.answer({"winner": "both_bad"}, view.turn), "the later answer counts"
    assert [r.winner for r in store.records()] == ["both_bad"]
    assert [e.status for e in store.events()] == ["submitted", "retracted", "submitted"]
    assert session.view().number == 2 and session.view().can_undo


def test_two_notebooks_of_one_rater(store, items, answer):
    """The question that the other notebook answered is passed over, and its answer is not lost."""
    one, two = RatingSession(store, "task", items), RatingSession(store, "task", items)
    assert answer(one, "left")
    assert not answer(two, "right")
    assert two.view().number == 2 and two.records == one.records
    assert answer(two, "right")
    one.refresh()
    assert one.view().number == 3
    assert len(store.events()) == 2


def test_two_notebooks_of_one_rater_about_different_questions_both_count(store, items, answer):
    """The other notebook wrote first, but not about this question: nothing of what was clicked is lost."""
    one, two = RatingSession(store, "task", items[:2]), RatingSession(store, "task", items[2:])
    for _ in range(2):
        assert answer(one, "left") and answer(two, "right")
    assert one.undo(one.view().turn) is False, "what is last in the records is the other notebook's"
    assert "Another notebook has recorded an answer" in one.view().notice
    assert {r.item_id for r in store.records()} == {item.item_id for item in items}
    assert one.undo(one.view().turn) and one.view().notice == ""


def test_six_votes_at_the_same_moment(store, items):
    """Of two notebooks, each time one is faster; the other one is told."""
    told = []
    for number in range(3):
        sessions = [RatingSession(store, f"task {number}", items[:1]) for _ in range(2)]
        views = [session.view() for session in sessions]
        for session, view in zip(sessions, views, strict=True):
            if not session.answer({"winner": "tie"}, view.turn):
                told.append(session.view().notice)
    assert len(store.records()) == 3 and len(told) == 3 and all("that one stands" in notice for notice in told)


def test_conflict_is_no_error_for_the_session(session, monkeypatch):
    view = session.view()
    monkeypatch.setattr(session.store, "append", _raise(ConflictError("other")))
    assert session.skip(view.turn) is False
    assert session.view().turn != view.turn and session.view().notice


def test_refresh_keeps_the_turn_when_nothing_happened(session):
    turn = session.view().turn
    session.refresh()
    assert session.view().turn == turn


def test_the_folder_was_deleted_meanwhile(session, store, answer):
    answer(session)
    store.path.unlink()
    assert not answer(session)
    assert "feedback.sqlite was deleted or replaced: 1 of your earlier answers" in session.view().notice
    assert session.view().number == 1 and answer(session)
    assert session.view().notice == ""


@pytest.mark.parametrize(
    ("kind", "fits"), [("compare", {2}), ("score", {1}), ("label", {1}), ("edit", {1}), ("rank", {2, 3})]
)
def test_each_kind_takes_its_number_of_texts(store, kind, fits):
    for count in (1, 2, 3):
        queue = [question("p", ["a", "b", "c"][:count])]
        if count in fits:
            assert len(RatingSession(store, "t", queue, kind=kind).view().options) == count
        else:
            with pytest.raises(FeedbackError, match=f"has {count} candidates; {kind} takes"):
                RatingSession(store, "t", queue, kind=kind)


@pytest.mark.parametrize(
    ("kind", "count", "value_of"),
    [
        ("compare", 2, lambda view: compare_value(view, "right", 2)),
        ("score", 1, lambda view: {"overall": 4}),
        ("label", 1, lambda view: ["untrue"]),
        ("rank", 3, lambda view: rank_value(view, [[2], [0, 1]])),
        ("edit", 1, lambda view: edit_value(view, " better")),
    ],
)
def test_every_kind_is_answered_saved_and_taken_back(store, kind, count, value_of):
    session = RatingSession(store, "t", [question(f"p{i}", ["a", "b", "c"][:count]) for i in range(2)], kind=kind)
    view = session.view()
    assert session.answer(value_of(view), view.turn)
    (record,) = store.records(kind=kind)
    assert record.value == value_of(view) and record.display_order == tuple(o.id for o in view.options)
    again = RatingSession(store, "t", session.queue, kind=kind)
    assert again.view().number == 2 and again.undo(again.view().turn) and store.records() == []


# -- adaptive queues --


def test_adaptive_queue(store, answer):
    queue = Growing(make_items(20), length=5)
    session = RatingSession(store, "task", queue)
    assert session.is_adaptive and queue.calls[0] == ()
    asked = []
    while session.view().state == "rate":
        view = session.view()
        asked.append(view.prompt)
        assert (view.number, view.total) == (len(asked), 5)
        side = "left" if "first" in view.options[0].text else "right"
        session.answer(compare_value(view, side if len(asked) % 2 else "tie"), view.turn)
    assert asked == [f"Prompt {i}:" for i in (0, 2, 3, 5, 6)]
    assert queue.calls[-1] == session.records
    assert session.view().state == "done" and session.view().total == 5


def test_adaptive_queue_resumes_and_undoes(store, answer):
    items = make_items(20)
    session = RatingSession(store, "task", Growing(items, 5))
    for verdict in ("tie", "tie", "tie"):
        answer(session, verdict)
    view = session.view()
    again = RatingSession(store, "task", Growing(items, 5))
    assert (again.view().prompt, again.view().options) == (view.prompt, view.options)
    third = again.records[-1]
    again.undo(again.view().turn)
    assert again.view().prompt == third.prompt
    resumed = RatingSession(store, "task", Growing(items, 5))
    assert resumed.view().prompt == third.prompt, "what was taken back is asked again after a restart as well"
    answer(resumed, "tie")
    assert resumed.view().prompt == view.prompt


def test_adaptive_queue_that_replaces_what_was_skipped(store, answer):
    session = RatingSession(store, "task", Growing(make_items(20), 3))
    session.skip(session.view().turn)
    assert (session.view().number, session.view().total) == (1, 3), "progress counts answers"
    for _ in range(3):
        answer(session)
    view = session.view()
    assert (view.state, view.answered, view.skipped) == ("done", 3, 1)


class Broken(Growing):
    broken = False

    def next_item(self, records):
        if self.broken:
            raise ZeroDivisionError("no posterior")
        return super().next_item(records)


def test_a_queue_that_fails_loses_no_answer(store, answer):
    queue = Broken(make_items(9), 5)
    session = RatingSession(store, "task", queue)
    queue.broken = True
    assert answer(session, "tie"), "it was saved"
    view = session.view()
    assert view.state == "stuck" and "ZeroDivisionError: no posterior" in view.problem
    assert len(store.events()) == 1
    assert not session.answer({"winner": "tie"}, view.turn)
    queue.broken = False
    session.refresh()
    assert session.view().state == "rate" and session.view().problem == ""


@pytest.mark.parametrize(
    ("offered", "words"),
    [
        (make_items(1)[0], "again"),
        ("text", "made of Items"),
        (Item("three", "p", tuple(Candidate(i, i) for i in "abc")), "compare takes two"),
    ],
)
def test_what_a_queue_may_not_offer(store, answer, offered, words):
    class Odd(Growing):
        def next_item(self, records):
            return offered if records else self.items[0]

    session = RatingSession(store, "task", Odd(make_items(3), 3))
    answer(session)
    assert session.view().state == "stuck" and words in session.view().problem


def test_queues_that_make_no_sense(store, items):
    with pytest.raises(FeedbackError, match="same item_id"):
        RatingSession(store, "task", [items[0], items[0]])
    with pytest.raises(FeedbackError, match="compare takes two"):
        RatingSession(store, "task", [Item("i", "p", (Candidate("a", "x"),))])
    with pytest.raises(FeedbackError, match="kind must be one of"):
        RatingSession(store, "task", items, kind="wink")


def test_other_kinds_fit_in(store):
    item = Item("i", "p", tuple(Candidate(name, f" {name}") for name in "abc"))
    session = RatingSession(store, "ranks", [item], kind="rank")
    assert len(session.view().options) == 3
    assert session.answer([["b"], ["a", "c"]], session.view().turn, confidence=0.5, note="close")
    (record,) = store.records(kind="rank")
    assert record.value == [["b"], ["a", "c"]] and record.confidence == 0.5 and record.note == "close"


def test_an_empty_queue(store):
    view = RatingSession(store, "task", []).view()
    assert (view.state, view.number, view.total) == ("done", 0, 0)


STEPS = st.lists(st.sampled_from(["left", "right", "tie", "both_bad", "skip", "undo", "stale", "restart"]), max_size=25)


@pytest.mark.slow
@settings(max_examples=40, deadline=None)
@given(steps=STEPS, adaptive=st.booleans())
def test_any_sequence_of_steps(steps, adaptive, tmp_path_factory):
    """A model of a few lines: a list to which answers are added and from which undo takes the last."""
    items = make_items(6)
    store = FeedbackStore(tmp_path_factory.mktemp("any") / "f.sqlite")

    def make():
        return RatingSession(store, "task", Growing(items, 4) if adaptive else items)

    session, model, events, stale = make(), [], 0, "none"
    for step in steps:
        view = session.view()
        if step == "restart":
            session = make()
            assert (session.view().prompt, session.view().options) == (view.prompt, view.options)
            continue
        if step == "stale":
            assert not session.answer({"winner": "tie"}, stale) and not session.undo(stale)
            continue
        if step == "undo":
            done = session.undo(view.turn)
            assert done == bool(model)
            model = model[:-1]
        elif step == "skip":
            done = session.skip(view.turn)
            assert done == (view.state == "rate")
            model += [(view.prompt, None)] * done
        else:
            done = view.state == "rate"
            if done:
                value = compare_value(view, step)
                assert session.answer(value, view.turn)
                model.append((view.prompt, value["winner"]))
        events += done
        if done:
            stale = view.turn
        assert [(r.prompt, r.winner) for r in session.records] == model
        assert [(r.prompt, r.winner) for r in store.records()] == model
        assert len(store.events()) == events
        assert len({prompt for prompt, _ in model}) == len(model), "no question is asked twice"
