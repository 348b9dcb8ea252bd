"""Python's half of the panels to score, label, rank and edit, and what all five share, without a browser."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rlhf_lab.feedback import FeedbackError, FeedbackStore, RatingSession, StoreBusyError, question
from rlhf_lab.widgets import CompareWidget, EditWidget, LabelWidget, RankWidget, ScoreWidget

WIDGETS = {widget.kind: widget for widget in (CompareWidget, ScoreWidget, LabelWidget, RankWidget, EditWidget)}
TEXTS = {"compare": 2, "score": 1, "label": 1, "rank": 3, "edit": 1}
ANSWERS = {"compare": "left", "score": {"overall": 4}, "label": [], "rank": [[2], [0, 1]], "edit": "all new"}


@pytest.fixture
def store(tmp_path):
    return FeedbackStore(tmp_path / "feedback.sqlite")


def items(kind, count=3):
    return [
        question(
            f"Prompt {i}:", [f" text {i} {j}" for j in range(TEXTS[kind])], [f"secret-{j}" for j in range(TEXTS[kind])]
        )
        for i in range(count)
    ]


def make(store, kind, questions=None, task="task", **how):
    panel = WIDGETS[kind](RatingSession(store, task, questions or items(kind), kind=kind), **how)
    panel.replies = []
    panel.send = panel.replies.append
    return panel


def say(panel, answer, action="answer", **more):
    """What the browser sends; the reply."""
    message = {
        "id": "1",
        "action": action,
        "turn": panel._view["turn"],
        "ms": 412.6,
        "input_method": "keyboard",
        "answer": answer,
        **more,
    }
    panel._handle_custom_msg(message, [])
    return panel.replies[-1]


def test_scores(store):
    panel = make(store, "score", axes={"tone": "Is it kind?", "overall": ""}, scale=(0, 5), ends=("no", "yes"))
    assert panel._frame["axes"] == [("tone", "Is it kind?"), ("overall", "")]
    assert (panel._frame["low"], panel._frame["high"], panel._frame["ends"]) == (0, 5, ("no", "yes"))
    assert say(panel, {"overall": 5, "tone": 0})["status"] == "Saved: tone 0, overall 5."
    assert store.events()[0].value == {"tone": 0, "overall": 5}


def test_labels(store):
    panel = make(store, "label", tags=["rude", "vague", "wrong"])
    assert say(panel, ["rude", "wrong"])["status"] == "Saved: rude, wrong."
    assert say(panel, [])["status"] == "Saved: none of these."
    assert [event.value for event in store.events()] == [["rude", "wrong"], []]


def test_ranks(store):
    panel = make(store, "rank")
    shown = panel._view["texts"]
    assert say(panel, [[1], [2, 0]])["status"] == "Saved: B > C = A."
    (event,) = store.events()
    texts = [[event.candidate(one).text for one in tier] for tier in event.value]
    assert texts == [[shown[1]], [shown[2], shown[0]]]


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(order=st.permutations(range(5)), ties=st.tuples(*[st.booleans()] * 4), prompt=st.text(max_size=5))
def test_a_ranking_is_about_the_texts_as_they_stood_on_the_screen(store, order, ties, prompt):
    """Whatever the order, and wherever the session put the texts."""
    tiers = [[order[0]]]
    for place, tied in zip(order[1:], ties, strict=True):
        if tied:
            tiers[-1].append(place)
        else:
            tiers.append([place])
    task = f"{order}{ties}{prompt!a}"
    panel = make(store, "rank", [question(prompt, [f" {j}" for j in range(5)])], task)
    shown = panel._view["texts"]
    if panel._view["state"] == "done":  # hypothesis tries the same example again
        return
    assert say(panel, tiers)["saved"]
    (event,) = store.events(task)
    assert [[event.candidate(one).text for one in tier] for tier in event.value] == [
        [shown[place] for place in tier] for tier in tiers
    ]


def test_edits_keep_the_blank_that_joins_them_to_the_prompt(store):
    panel = make(store, "edit", [question("Prompt:", [text]) for text in (" Cold tea.", "Tea", " x")])
    assert say(panel, "Hot tea.")["status"] == "Saved: your version."
    say(panel, "Hot tea.")
    say(panel, "  two blanks are meant")
    values = [event.value["text"] for event in store.events()]
    assert values == [" Hot tea.", "Hot tea.", "  two blanks are meant"]
    assert [event.value["base_id"] for event in store.events()] == [e.candidates[0].id for e in store.events()]


@pytest.mark.parametrize(
    ("text", "answer", "words"),
    [
        (" Cold tea.", "Cold tea.", "Nothing was changed"),
        (" Cold tea.", " Cold tea.", "Nothing was changed"),
        (" Cold tea.", "half \ud800", "half of a character"),
        (" Cold tea.", " \n", "no text left"),
    ],
)
def test_what_is_no_edit_is_refused(store, text, answer, words):
    panel = make(store, "edit", [question("p", [text])])
    assert words in say(panel, answer)["alert"]
    assert store.events() == []


@pytest.mark.parametrize(
    ("kind", "answer"),
    [
        ("score", {}),
        ("score", {"overall": 8}),
        ("score", {"overall": 0}),
        ("score", {"overall": 4.5}),
        ("score", {"overall": True}),
        ("score", {"overall": 4, "tone": 4}),
        ("score", {"tone": 4}),
        ("score", 4),
        ("label", ["rude"]),
        ("label", "unsafe"),
        ("label", None),
        ("label", ["unsafe", "unsafe"]),
        ("label", [[1]]),
        ("rank", [[0], [1]]),
        ("rank", [[0, 1], [1, 2]]),
        ("rank", "abc"),
        ("rank", None),
        ("rank", [[0, 1, 3]]),
        ("edit", None),
        ("edit", 3),
        ("edit", {"text": "x"}),
        ("compare", {"verdict": "left", "strength": 4}),
        ("compare", {"verdict": "tie", "strength": 1}),
        ("compare", {"strength": 1}),
        ("compare", ["left"]),
    ],
)
def test_nonsense_is_said_and_not_saved(store, kind, answer):
    reply = say(make(store, kind), answer)
    assert reply["alert"] and not reply["saved"]
    assert store.events() == []


def test_strength(store):
    panel = make(store, "compare", strength=True)
    assert panel._frame["strength"] is True
    assert say(panel, {"verdict": "right", "strength": 3})["status"] == "Saved: B is much better."
    assert say(panel, "left")["status"] == "Saved: A is better."
    first, second = store.events()
    assert (first.winner, first.strength) == (first.display_order[1], 3)
    assert (second.winner, second.strength) == (second.display_order[0], None)


@pytest.mark.parametrize("kind", WIDGETS)
def test_confidence_and_note(store, kind):
    panel = make(store, kind, confidence=True, notes=True)
    assert panel._frame["confidence"] and panel._frame["notes"]
    assert say(panel, ANSWERS[kind], confidence=1, note=" because ")["saved"]
    assert say(panel, ANSWERS[kind], confidence=None, note=None)["saved"]
    assert say(panel, None, "skip", confidence=2, note="no idea")["saved"]
    first, second, third = store.events()
    assert (first.confidence, first.note) == (0.5, "because")
    assert (second.confidence, second.note) == (None, "")
    assert (third.status, third.confidence, third.note) == ("skipped", None, "no idea")


@pytest.mark.parametrize("confidence", [3, -1, True, "certain", 0.5])
def test_a_confidence_that_is_not_known(store, confidence):
    assert "confidence" in say(make(store, "score"), {"overall": 4}, confidence=confidence)["alert"]
    assert store.events() == []


@pytest.mark.parametrize("kind", WIDGETS)
def test_what_could_not_be_saved_is_saved_as_it_is_when_tried_again(store, kind, monkeypatch):
    """The draft may have changed meanwhile: the last word counts, once."""
    panel = make(store, kind)
    append = store.append

    def busy(*_, **__):
        raise StoreBusyError("Another program has the file.")

    monkeypatch.setattr(store, "append", busy)
    view = panel._view
    assert say(panel, ANSWERS[kind], note="first thought", confidence=0)["alert"] == "Another program has the file."
    assert panel._view == view
    monkeypatch.setattr(store, "append", append)
    assert say(panel, ANSWERS[kind], note="second thought", confidence=2, turn=view["turn"])["saved"]
    assert not say(panel, ANSWERS[kind], note="second thought", turn=view["turn"])["saved"]
    (event,) = store.events()
    assert (event.note, event.confidence) == ("second thought", 1.0)


@pytest.mark.parametrize("kind", WIDGETS)
def test_the_browser_learns_nothing_about_who_wrote_what(store, kind):
    panel = make(store, kind)
    state = str({key: value for key, value in panel.get_state().items() if key not in ("_esm", "_css")})
    assert "secret" not in state
    assert not any(candidate.id in state for item in items(kind) for candidate in item.candidates)


@pytest.mark.parametrize("kind", WIDGETS)
def test_browser_files_use_no_network_and_no_html(kind):
    code, looks = WIDGETS[kind]._esm, WIDGETS[kind]._css
    for word in ("innerHTML", "outerHTML", "insertAdjacentHTML", "http://", "https://", "import ", "eval("):
        assert word not in code
    assert "url(" not in looks and "@import" not in looks
    assert code.count("export default") == 1


@pytest.mark.parametrize("kind", WIDGETS)
def test_each_panel_is_for_its_own_kind(store, kind):
    other = "score" if kind != "score" else "label"
    with pytest.raises(FeedbackError, match=f"kind='{kind}'"):
        WIDGETS[kind](RatingSession(store, "task", items(other), kind=other))


@pytest.mark.parametrize(
    ("kind", "how", "words"),
    [
        ("score", {"axes": "overall"}, "list of names"),
        ("score", {"axes": {}}, "1 to 6 names"),
        ("score", {"axes": ["a", "a"]}, "twice"),
        ("score", {"axes": ["a", " "]}, "empty"),
        ("score", {"axes": {"a": 3}}, "explanation"),
        ("score", {"axes": [f"axis {i}" for i in range(7)]}, "1 to 6 names"),
        ("score", {"scale": (7, 1)}, r"\(7, 1\)"),
        ("score", {"scale": (0, 10)}, "0 to 9"),
        ("score", {"scale": (0.5, 3)}, "whole number"),
        ("label", {"tags": "unsafe"}, "list of names"),
        ("label", {"tags": [str(i) for i in range(10)]}, "1 to 9 names"),
    ],
)
def test_what_a_panel_cannot_show_is_refused_when_it_is_made(store, kind, how, words):
    with pytest.raises(FeedbackError, match=words):
        make(store, kind, **how)


def test_too_many_texts_to_rank(store):
    many = question("p", [str(i) for i in range(9)])
    with pytest.raises(FeedbackError, match=r"at most 8 .* has 9"):
        make(store, "rank", [many])

    class Queue:
        def __len__(self):
            return 1

        def next_item(self, records):
            return many

    panel = make(store, "rank", Queue())
    assert panel._view["state"] == "stuck" and "at most 8" in panel._view["problem"]


def test_boxes_suit_the_texts(store):
    def frame(kind, *texts, **how):
        return make(store, kind, [question("p", texts)], **how)._frame

    assert frame("score", "short")["text_lines"] == 3 and frame("edit", "x " * 9999)["text_lines"] == 7
    assert frame("rank", "a", "b", "c")["columns"] == 3 and frame("rank", "a", "b", "c", "d")["columns"] == 2
    assert frame("rank", "a", "b" * 9999)["text_lines"] == 9 and frame("rank", *"abc", "d" * 9999)["text_lines"] == 6
    assert frame("label", "short", text_lines=12)["text_lines"] == 12
