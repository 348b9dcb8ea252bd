"""The cell that needs feedback: the learner's answers first, the rest from somebody else, said in one line."""

from itertools import pairwise

import pytest

from rlhf_lab.feedback import (
    FeedbackError,
    RatingSession,
    ReplayRater,
    compare_item,
    gather,
    preference_pairs,
    question,
    rate_with,
)


def make_items(count, prefix=""):
    return [compare_item(f"Prompt {prefix}{i}:", f" first {prefix}{i}", f" second {prefix}{i}") for i in range(count)]


@pytest.fixture
def items():
    return make_items(16)


@pytest.fixture
def lines():
    return []


@pytest.fixture
def recording(store, rater):
    """Ten recorded answers to questions of their own."""
    session = RatingSession(store, "recorded long ago", make_items(10, "old "), "ann", "simulated")
    rate_with(session, rater)
    return ReplayRater(store.records(task_id="recorded long ago"), name="ann")


def sources(gathered):
    return [record.source for record in gathered]


@pytest.mark.parametrize("mode", ["human", "simulated"])
def test_tops_up_from_the_rater(session, store, answer, rater, lines, monkeypatch, mode):
    monkeypatch.setenv("RLHF_LAB_RATER", mode)
    for _ in range(9):
        answer(session)
    gathered = gather(session, at_least=16, rater=rater, say=lines.append)
    assert sources(gathered) == ["human"] * 9 + ["simulated"] * 7
    expected = "Using 16 comparisons: 9 yours, 7 by the simulated rater 'first'."
    invitation = " Rate more above and run this cell again to use more of your own."
    assert lines == [expected + invitation * (mode == "human")]
    assert rater.asked == [f"Prompt {i}:" for i in range(9, 16)], "it goes on where the learner stopped"
    extra = store.records(source="simulated")
    assert {(r.rater_id, r.task_id) for r in extra} == {("simulated-first", "task")}
    assert gathered.pairs == preference_pairs(gathered.records) and len(gathered.pairs) == 16


def test_human_is_the_default(session, rater, lines, monkeypatch):
    monkeypatch.delenv("RLHF_LAB_RATER")
    gather(session, 16, rater, say=lines.append)
    assert lines[0].startswith("Using 16 comparisons, all by the simulated rater 'first'. Rate more above")


def test_prints_one_line(session, rater, capsys):
    gather(session, 16, rater)
    assert capsys.readouterr().out == "Using 16 comparisons, all by the simulated rater 'first'.\n"


def test_enough_of_ones_own(session, store, answer, rater, lines):
    for _ in range(12):
        answer(session)
    gathered = gather(session, 10, rater, say=lines.append)
    assert lines == ["Using 12 comparisons, all yours."] and len(gathered) == 12
    assert rater.asked == [] and store.records(source="simulated") == []


def test_again_and_again_piles_nothing_up(session, store, answer, rater, lines):
    first = gather(session, 16, rater, say=lines.append)
    second = gather(session, 16, rater, say=lines.append)
    assert first.records == second.records and len(store.events()) == 16
    for _ in range(5):
        answer(session, "left")
    third = gather(session, 16, rater, say=lines.append)
    assert lines[-1] == "Using 16 comparisons: 5 yours, 11 by the simulated rater 'first'."
    assert len({record.item_id for record in third}) == 16, "no question twice"
    assert len(rater.asked) == 16, "the rater was asked for nothing more"
    while session.view().state == "rate":
        answer(session, "left")
    assert sources(gather(session, 16, rater, say=lines.append)) == ["human"] * 16
    assert lines[-1] == "Using 16 comparisons, all yours."
    session.undo(session.view().turn)
    gather(session, 16, rater, say=lines.append)
    assert lines[-1] == "Using 16 comparisons: 15 yours, 1 by the simulated rater 'first'."
    assert len(store.records(source="simulated")) == 16


def test_another_rater_answers_for_itself(session, rater, lines):
    class Other(type(rater)):
        name = "second"

    gather(session, 16, rater, say=lines.append)
    gathered = gather(session, 16, Other(), say=lines.append)
    assert {record.rater_id for record in gathered} == {"simulated-second"}
    assert lines[-1] == "Using 16 comparisons, all by the simulated rater 'second'."


def test_what_the_learner_skipped_is_left_alone(session, answer, rater, lines):
    for _ in range(3):
        session.skip(session.view().turn)
    answer(session, "tie")
    answer(session, "both_bad")
    gathered = gather(session, 16, rater, say=lines.append)
    expected = "Using 13 comparisons: 2 yours, 11 by the simulated rater 'first'; 2 prefer neither text"
    assert lines == [f"{expected} (16 were asked for)."]
    assert not {"Prompt 0:", "Prompt 1:", "Prompt 2:"} & set(rater.asked)
    assert len(gathered.pairs) == 11


def test_replay(session, store, answer, rater, recording, lines, monkeypatch):
    monkeypatch.setenv("RLHF_LAB_RATER", "replay")
    rater.asked.clear()
    for _ in range(4):
        answer(session)
    gathered = gather(session, 12, rater, recording, say=lines.append)
    assert lines == ["Using 12 comparisons: 4 yours, 8 recorded from 'ann'."]
    assert sources(gathered) == ["human"] * 4 + ["replay"] * 8
    assert rater.asked == []
    count = len(store.events())
    assert gather(session, 12, rater, recording, say=lines.append).records == gathered.records
    assert len(store.events()) == count
    gather(session, 16, rater, recording, say=lines.append)
    assert lines[-1] == "Using 14 comparisons: 4 yours, 10 recorded from 'ann' (16 were asked for)."


def test_replay_without_a_recording_uses_the_rater(session, rater, lines):
    gather(session, 3, rater, mode="replay", say=lines.append)
    assert lines == ["Using 3 comparisons, all by the simulated rater 'first'."]


def test_without_anybody(session, answer, lines):
    with pytest.raises(FeedbackError, match=r"no answers for 'task' yet. Rate some above"):
        gather(session, 16, say=lines.append)
    assert lines == []
    answer(session)
    gather(session, 16, say=lines.append)
    assert lines == ["Using 1 comparison, yours (16 were asked for)."]


def test_a_mode_that_is_none(session, rater, monkeypatch):
    monkeypatch.setenv("RLHF_LAB_RATER", "nobody")
    with pytest.raises(FeedbackError, match="human, simulated, replay; got 'nobody'"):
        gather(session, 16, rater)


def test_sees_what_another_notebook_wrote(session, store, items, answer, rater, lines):
    other = RatingSession(store, "task", items)
    answer(other)
    answer(other)
    gather(session, 16, rater, say=lines.append)
    assert lines[0].startswith("Using 16 comparisons: 2 yours, 14 by")


class Spread:
    """An adaptive queue that asks about the middle of the widest stretch without an answer."""

    def __init__(self, items, length):
        self.items, self.length, self.seen = items, length, []

    def __len__(self):
        return self.length

    def next_item(self, records):
        self.seen.append(tuple(record.item_id for record in records))
        if sum(record.status == "submitted" for record in records) >= self.length:
            return None
        ids = [item.item_id for item in self.items]
        marks = [-1, *sorted(ids.index(record.item_id) for record in records), len(ids)]
        width, start = max((b - a, a) for a, b in pairwise(marks))
        return self.items[start + width // 2] if width > 1 else None


def test_adaptive_top_up_goes_on_from_the_learners_answers(store, answer, rater, lines):
    queue = Spread(make_items(60), 16)
    session = RatingSession(store, "task", queue)
    for _ in range(9):
        answer(session)
    own = tuple(record.item_id for record in session.records)
    queue.seen.clear()
    gathered = gather(session, 16, rater, say=lines.append)
    assert queue.seen[0] == own, "the queue is shown the learner's answers first of all"
    assert all(seen[:9] == own for seen in queue.seen)
    assert len({record.item_id for record in gathered}) == 16
    # The learner comes back. Their own queue knows nothing of the rater's answers.
    assert session.view().number == 10
    queue.seen.clear()
    while session.view().state == "rate":
        answer(session)
        asked = len(rater.asked)
        again = gather(session, 16, rater, say=lines.append)
        assert len({record.item_id for record in again}) == len(again) == 16
        assert len(rater.asked) - asked <= 1
    assert lines[-1] == "Using 16 comparisons, all yours."
    assert len(store.records(source="simulated")) <= 16


def test_a_simulated_learner(store, items, rater, lines):
    """A benchmark's rater drives the session as a person would; then nothing is said to be yours."""
    session = RatingSession(store, "task", items, rater_id="gloomy", source="simulated")
    rate_with(session, rater, limit=5)
    gather(session, 8, rater, say=lines.append)
    assert lines == ["Using 8 comparisons: 5 by 'gloomy', 3 by the simulated rater 'first'."]


def test_other_kinds_and_judges(store, lines):
    """A model's answers are said to be a model's, and a recording gives the questions of its kind only."""

    class Judge:
        name, source = "rubric", "model"

        def score(self, prompt, text):
            return {"overall": len(text)}

    session = RatingSession(store, "scores", [question(f"p{i}", ["x" * i]) for i in range(1, 6)], kind="score")
    session.answer({"overall": 3}, session.view().turn)
    gathered = gather(session, 4, Judge(), mode="simulated", say=lines.append)
    assert lines == ["Using 4 answers: 1 yours, 3 by the model 'rubric'."]
    assert sources(gathered) == ["human"] + ["model"] * 3
    assert {r.rater_id for r in gathered} == {"learner", "model-rubric"}
    others = [*store.records(source="model"), *store.records(source="human")]
    compared = RatingSession(store, "pairs", make_items(2), "ann", "simulated")
    compared.answer({"winner": "tie"}, compared.view().turn)
    recording = ReplayRater([*others, *compared.records], name="ann")
    fresh = RatingSession(store, "fresh", [], kind="score")
    assert len(gather(fresh, 9, replay=recording, mode="replay", say=lines.append)) == 4
    assert lines[-1] == "Using 4 answers, all recorded from 'ann' (9 were asked for)."
