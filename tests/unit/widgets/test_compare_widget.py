"""The panel's Python half, without a browser: one message in, one call of the session, one reply out."""

import threading

import pytest

from rlhf_lab.feedback import FeedbackError, FeedbackStore, Item, RatingSession, StoreBusyError, compare_item
from rlhf_lab.widgets import CompareWidget

ITEMS = [compare_item(f"Prompt {i}:", f" first {i}", f" second {i}", ("secret-old", "secret-new")) for i in range(4)]


@pytest.fixture
def store(tmp_path):
    return FeedbackStore(tmp_path / "feedback.sqlite")


@pytest.fixture
def session(store):
    return RatingSession(store, "task", ITEMS)


@pytest.fixture
def panel(session):
    panel = CompareWidget(session, guidelines="Go by feel.")
    panel.replies = []
    panel.send = panel.replies.append
    return panel


def say(panel, action, **more):
    """What the browser sends; the reply."""
    message = {"id": "1", "action": action, "turn": panel._view["turn"], "ms": 412.6, "input_method": "mouse", **more}
    panel._handle_custom_msg(message, [])
    return panel.replies[-1]


def test_answers_become_rows(panel, store):
    shown = panel._view["texts"]
    reply = say(panel, "answer", answer="right")
    said = {"saved": True, "alert": "", "status": "Saved: B is better.", "late": False}
    assert reply == {"type": "reply", "id": "1", **said}
    (record,) = store.events()
    assert record.candidate(record.winner).text == shown[1]
    assert (record.client_ms, record.input_method, record.source) == (413, "mouse", "human")
    assert panel._view["number"] == 2
    assert say(panel, "answer", answer="tie")["status"] == "Saved: a tie."
    assert say(panel, "answer", answer="both_bad")["status"] == "Saved: both bad."
    assert say(panel, "skip")["status"] == "Skipped."
    assert panel._view["state"] == "done" and panel._view["done"] == "3 rated, 1 skipped."
    assert say(panel, "undo")["status"] == "Taken back."
    assert [e.status for e in store.events()] == ["submitted"] * 3 + ["skipped", "retracted"]


def test_done(panel):
    for _ in ITEMS:
        say(panel, "answer", answer="left")
    assert (panel._view["done"], panel._view["next_step"]) == ("All 4 rated.", "Run the next cell.")


def test_the_browser_learns_nothing_about_who_wrote_what(panel, session):
    state = str({key: value for key, value in panel.get_state().items() if key not in ("_esm", "_css")})
    assert "secret" not in state
    assert not any(candidate.id in state for item in ITEMS for candidate in item.candidates)


def test_stale_messages_change_nothing_and_that_is_said(panel, store):
    turn = panel._view["turn"]
    say(panel, "answer", answer="left", turn=turn)
    for action in ("answer", "skip", "undo"):
        reply = say(panel, action, answer="right", turn=turn)
        assert not reply["saved"] and reply["late"] and "This click did not count." in reply["alert"]
    assert len(store.events()) == 1


def standing(store):
    """The winners as sides, and the statuses, of what stands."""
    return [r.display_order.index(r.winner) if r.winner else r.status for r in store.records()]


def test_with_a_busy_kernel_the_later_answer_counts(panel, store):
    """The page gave the first one up; the kernel gets both one after the other, both to the same question."""
    turn = panel._view["turn"]
    say(panel, "answer", id="a", answer="left", turn=turn)
    reply = say(panel, "answer", id="b", answer="right", turn=turn, unanswered=["a"])
    assert reply["saved"] and not reply["alert"]
    assert reply["status"].startswith("Saved: B is better.") and "“Saved: A is better.”" in reply["status"]
    assert standing(store) == [1] and [e.status for e in store.events()] == ["submitted", "retracted", "submitted"]
    assert panel._view["number"] == 2
    assert say(panel, "skip", id="c", turn=turn, unanswered=["a", "b"])["saved"], "and a third thought"
    assert standing(store) == ["skipped"]
    reply = say(panel, "undo", id="d", turn=turn, unanswered=["b", "c"])
    assert reply["saved"] and "“Skipped.”" in reply["status"]
    assert standing(store) == [] and panel._view["number"] == 1


def test_the_same_message_once_more_counts_once(panel, store):
    turn = panel._view["turn"]
    say(panel, "answer", id="a", answer="left", turn=turn)
    assert say(panel, "answer", id="a", answer="left", turn=turn, unanswered=["a"])["status"] == "Saved: A is better."
    assert len(store.events()) == 1


def test_an_answer_to_the_question_on_the_screen_is_no_second_thought(panel, store):
    """Also where the page never heard what became of the answer before."""
    say(panel, "answer", id="a", answer="left")
    assert say(panel, "answer", id="b", answer="right", unanswered=["a"])["status"] == "Saved: B is better."
    assert standing(store) == [0, 1]


def test_a_second_thought_changes_no_answer_but_the_last(panel, session, store):
    """Between the two, somebody has answered the next question."""
    turn = panel._view["turn"]
    say(panel, "answer", id="a", answer="left", turn=turn)
    session.skip(session.view().turn)
    assert say(panel, "answer", id="b", answer="right", turn=turn, unanswered=["a"])["late"]
    assert standing(store) == [0, "skipped"]


def test_another_notebook_was_faster(panel, store):
    other = RatingSession(store, "task", ITEMS)
    other.skip(other.view().turn)
    reply = say(panel, "answer", answer="left")
    assert not reply["saved"] and reply["late"] and "Another notebook has recorded an answer" in reply["alert"]
    assert panel._view["number"] == 2 and len(store.events()) == 1
    assert say(panel, "answer", answer="left")["saved"]
    other.refresh()
    assert other.skip(other.view().turn)
    assert "Another notebook has recorded an answer" in say(panel, "undo")["alert"]


def test_the_database_was_deleted_underneath(panel, store):
    for _ in range(2):
        say(panel, "answer", answer="left")
    store.path.unlink()
    reply = say(panel, "answer", answer="left")
    assert not reply["saved"] and reply["late"]
    assert "feedback.sqlite was deleted or replaced: 2 of your earlier answers" in reply["alert"]
    assert panel._view["number"] == 1 and say(panel, "answer", answer="left")["saved"]


def test_messages_at_once_from_several_threads(panel, store):
    turn = panel._view["turn"]
    threads = [
        threading.Thread(target=say, args=(panel, "answer"), kwargs={"answer": a, "turn": turn})
        for a in ("left", "right", "tie") * 3
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(store.events()) == 1
    assert [reply["saved"] for reply in panel.replies].count(True) == 1
    assert panel._view["number"] == 2


def test_what_was_not_saved_is_said(panel, store, monkeypatch):
    before = panel._view
    append = store.append

    def busy(*_, **__):
        raise StoreBusyError("Another program has the file.")

    monkeypatch.setattr(store, "append", busy)
    reply = say(panel, "answer", answer="left")
    assert not reply["saved"] and reply["alert"] == "Another program has the file."
    assert panel._view == before
    monkeypatch.setattr(store, "append", append)
    assert say(panel, "answer", answer="left")["saved"]
    assert len(store.events()) == 1


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({"action": "answer", "answer": "A"}, "left, right, tie or both_bad"),
        ({"action": "answer"}, "left, right, tie or both_bad"),
        ({"action": "dance"}, "'dance'. Please run this cell again"),
    ],
)
def test_no_message_raises(panel, store, content, words):
    assert words in say(panel, **content)["alert"]
    assert store.events() == []


@pytest.mark.parametrize("content", [None, "text", [], 3])
def test_not_even_nonsense_raises(panel, content):
    panel._on_message(panel, content, [])
    assert "Please run this cell again" in panel.replies[-1]["alert"]


@pytest.mark.parametrize("ms", [None, -1, "soon", float("nan"), float("inf"), True, {}])
def test_a_clock_that_is_off_costs_no_answer(panel, store, ms):
    assert say(panel, "answer", answer="left", ms=ms)["saved"]
    assert store.events()[0].client_ms is None


def test_a_note_that_no_message_can_carry_is_refused(panel, store):
    say(panel, "answer", answer="left", note="half \ud800")
    assert "note has half of a character" in panel.replies[-1]["alert"] and not store.events()
    assert say(panel, "answer", answer="left", note="nul \x00")["saved"]


def test_a_queue_that_fails_is_shown_and_can_be_tried_again(store):
    class Queue:
        broken = False

        def __len__(self):
            return 4

        def next_item(self, records):
            if self.broken:
                raise RuntimeError("no posterior")
            return ITEMS[len(records)]

    queue = Queue()
    panel = CompareWidget(RatingSession(store, "task", queue))
    panel.replies = []
    panel.send = panel.replies.append
    queue.broken = True
    assert say(panel, "answer", answer="left")["saved"]
    assert panel._view["state"] == "stuck" and "no posterior" in panel._view["problem"]
    queue.broken = False
    assert say(panel, "refresh")["alert"] == ""
    assert panel._view["state"] == "rate"


def test_says_what_it_is_without_a_browser(panel, capsys):
    assert repr(panel) == "CompareWidget(task 'task')"
    assert panel.summary() == (
        "A rating panel with 4 questions. Every answer is saved at once, in feedback.sqlite."
        " Where no panel is shown, run this cell."
    )
    say(panel, "answer", answer="left")
    assert repr(panel) == "CompareWidget(task 'task')", "committed pages do not change with the answers"


def test_only_for_comparisons(store):
    item = Item("i", "p", ITEMS[0].candidates)
    with pytest.raises(FeedbackError, match="kind='compare'"):
        CompareWidget(RatingSession(store, "task", [item], kind="rank"))


def test_boxes_suit_the_texts(store):
    def frame(prompt, text, **how):
        return CompareWidget(RatingSession(store, "t", [compare_item(prompt, text, "x")]), **how)._frame

    assert frame("p", "short")["text_lines"] == 4 and frame("p", "short")["prompt_lines"] == 1
    assert frame("p\nq\nr", "x" * 10_000)["text_lines"] == 9 and frame("p\nq\nr", "")["prompt_lines"] == 3
    assert frame("p", "short", text_lines=12, prompt_lines=2)["text_lines"] == 12


def test_browser_files_use_no_network_and_no_html():
    code = CompareWidget._esm
    for word in ("innerHTML", "outerHTML", "insertAdjacentHTML", "http://", "https://", "import ", "eval("):
        assert word not in code
    assert "url(" not in CompareWidget._css and "@import" not in CompareWidget._css
