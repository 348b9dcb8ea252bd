"""What the five rating panels promise, each tested in the same way in a real JupyterLab.

One notebook for each panel, in which a test goes on at the question where the one before left off. What is special
about a panel is in test_compare_panel.py and test_other_panels.py. What counts is the database.
"""

import sqlite3
import subprocess
import sys
import time
from contextlib import closing, contextmanager

import pytest
from panel_cases import CASES, has_focus, number, shown, wait_for_number

LOCK = """
import sqlite3, sys, time
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN EXCLUSIVE")
print("locked", flush=True)
sys.stdin.readline()
connection.execute("ROLLBACK")
"""


@contextmanager
def locked_database(lab):
    """The database, kept by another process."""
    path = str(lab.server.home / "feedback.sqlite")
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    other = subprocess.Popen([sys.executable, "-c", LOCK, path], **pipes)
    try:
        assert other.stdout.readline() == "locked\n"
        yield
    finally:
        other.communicate("\n")


@pytest.fixture(scope="module", params=CASES, ids=lambda case: case.kind)
def case(request, lab):
    """A kind of panel, in a notebook that has been run."""
    lab.open_notebook(lab.write_notebook(f"{request.param.task}.ipynb", *request.param.cells()))
    lab.run_all()
    return request.param


@pytest.fixture
def panel(case, lab):
    panel = lab.panel(case.heading)
    panel.wait_for()
    lab.wait_until_settled(panel)  # the test before may have ended with a click
    return panel


@pytest.fixture
def before(case, lab):
    """How many events there are before the test."""
    return len(lab.events(case.task))


def the_next(case, lab, before, count=1):
    return lab.wait_for_events(case.task, before + count)[before:]


def test_mouse(case, lab, panel, before):
    lab.screenshot(f"{case.kind}-light", panel)
    texts, question = shown(panel), number(panel)
    case.answer_by_mouse(lab, panel)
    (event,) = the_next(case, lab, before)
    assert event.value == case.value(event)
    assert (event.source, event.status, event.kind, event.input_method) == ("human", "submitted", case.kind, "mouse")
    assert [event.candidate(i).text.removeprefix(" ") for i in event.display_order] == texts
    assert 0 < event.client_ms < 60_000
    assert (event.confidence, event.note) == (None, "")
    panel.get_by_role("status").get_by_text("Saved: ").wait_for()
    wait_for_number(panel, question + 1)
    assert not lab.errors and not lab.dialogs


def test_keyboard_alone(case, lab, panel, before):
    """From the panel's cell by Tab into the panel; every part of an answer by key, confidence and note as well."""
    lab.page.evaluate(
        """() => { const notebook = jupyterapp.shell.currentWidget.content;
                   notebook.activeCellIndex = 1; notebook.mode = 'command'; notebook.activeCell.node.focus(); }"""
    )
    for _ in range(12):
        lab.page.keyboard.press("Tab")
        if has_focus(panel):
            break
    else:
        pytest.fail("the Tab key does not lead into the panel")
    if panel.locator("textarea:focus").count():
        lab.page.keyboard.press("Escape")
    lab.press_key("k", panel)
    lab.press_key("n", panel)
    lab.page.keyboard.type("bad, d1 su x")  # were these keys of the panel, they would answer, skip and undo
    lab.page.keyboard.press("Enter")
    assert panel.evaluate("node => node === document.activeElement"), "Enter leaves the note"
    case.answer_by_keys(lab, panel)
    (event,) = the_next(case, lab, before)
    assert event.value == case.value(event)
    assert (event.confidence, event.note, event.input_method) == (0.5, "bad, d1 su x", "keyboard")
    assert has_focus(panel), "the focus left the panel"
    assert panel.get_by_role("textbox", name="Note").input_value() == "", "the note is of one question"
    assert panel.locator(".rlhf-sure [aria-pressed=true]").count() == 0


def test_no_key_reaches_the_notebook(case, lab, panel, before):
    """Keys that edit the notebook where the focus is on a cell: a, b, d d, m, y, x, z, Enter, Escape, arrows."""
    kinds = "() => [...jupyterapp.shell.currentWidget.content.model.cells].map(cell => cell.type)"
    cells = lab.page.evaluate(kinds)
    panel.locator(".rlhf-title").click()
    for key in ("y", "m", "z", "v", "o", "Shift+M", "Escape", "ArrowDown", "Control+Shift+Minus"):
        lab.page.keyboard.press(key)
    panel.get_by_role("button", name="Undo").focus()  # JupyterLab asks the focused element first
    for key in ("c", "v", "d", "d", "o", "y", "m"):
        lab.page.keyboard.press(key)
    assert lab.page.evaluate(kinds) == cells
    lab.press_key("n", panel)
    for key in ("a", "b", "d", "d", "x", "Shift+Enter", "n"):
        lab.page.keyboard.press(key)
        lab.page.keyboard.press("Escape") if key == "Shift+Enter" else None
    lab.page.wait_for_timeout(200)
    assert lab.page.evaluate(kinds) == cells
    assert has_focus(panel)
    assert len(lab.events(case.task)) == before
    assert lab.page.evaluate("() => jupyterapp.shell.currentWidget.content.mode") == "command"
    lab.page.keyboard.press("Escape")
    lab.press_key("s", panel)
    assert the_next(case, lab, before)[0].note == "abddx", "a skip keeps its note"


def test_skip_is_recorded(case, lab, panel, before):
    question = number(panel)
    lab.press_button("Skip", panel)
    (event,) = the_next(case, lab, before)
    assert (event.status, event.value) == ("skipped", None)
    wait_for_number(panel, question + 1)


def test_undo_brings_the_question_back_with_its_answer(case, lab, panel, before):
    texts, question = shown(panel), number(panel)
    case.answer_by_mouse(lab, panel)
    wait_for_number(panel, question + 1)
    lab.press_key("Escape", panel)  # out of the field, where there is one
    lab.press_key("u", panel)
    events = the_next(case, lab, before, 2)
    assert events[1].status == "retracted" and events[1].supersedes == events[0].uid
    wait_for_number(panel, question)
    if case.is_draft:
        lab.press_button("Save", panel)
        assert the_next(case, lab, before, 3)[2].value == case.value(events[0])
    else:
        assert shown(panel) == texts


def test_impatient_clicks_and_keys_count_once(case, lab, panel, before):
    question = number(panel)
    for count, pause in ((2, 5), (3, 80)):
        case.answer_by_mouse(lab, panel, click_count=count, delay=pause)
        lab.page.wait_for_timeout(450)
    case.answer_by_keys(lab, panel)
    for _ in range(3):
        lab.page.keyboard.press(case.keys[-1])
        lab.page.wait_for_timeout(60)
    lab.page.wait_for_timeout(350)  # time for more to arrive than should
    the_next(case, lab, before, 3)
    wait_for_number(panel, question + 3)


def test_locked_database(case, lab, panel, before):
    """A banner within four seconds, the draft stays, and trying again saves it as it is then."""
    texts, question = shown(panel), number(panel)
    with locked_database(lab):
        lab.wait_until_settled(panel)
        case.click(lab, panel)
        started = time.monotonic()
        panel.get_by_role("button", name=case.last, exact=True).click()
        panel.get_by_role("alert").get_by_text("NOT SAVED").wait_for(timeout=4000)
        assert time.monotonic() - started < 4
        assert number(panel) == question
        assert "try again" in panel.get_by_role("alert").inner_text()
        if case.kind != "edit":
            assert shown(panel) == texts
        draft = panel.evaluate(f"panel => {case.draft or 'null'}")
        lab.screenshot(f"{case.kind}-not-saved", panel)
        if case.is_draft:
            assert draft, "the draft was lost"
    panel.get_by_role("textbox", name="Note").fill("added later")
    panel.get_by_role("button", name="Try again").click()
    (event,) = the_next(case, lab, before)
    assert event.value == case.value(event)
    assert event.note == "added later"
    wait_for_number(panel, question + 1)
    assert panel.get_by_role("alert").inner_text() == ""
    assert has_focus(panel)
    with closing(sqlite3.connect(lab.server.home / "feedback.sqlite")) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_long_texts_scroll_and_nothing_jumps(case, lab, panel, before):
    """Short and long texts, a draft, a status of two lines: the panel keeps its height, each box scrolls."""
    height = "node => node.getBoundingClientRect().height"
    heights = {panel.evaluate(height)}
    longest = 0
    for _ in range(4):
        longest = max(longest, *map(len, shown(panel)))
        lab.wait_until_settled(panel)
        case.click(lab, panel)
        heights.add(panel.evaluate(height))
        lab.press_button("Skip", panel)
        the_next(case, lab, before)
        before += 1
        lab.wait_until_settled(panel)
        heights.add(panel.evaluate(height))
    assert longest > 1000
    assert len(heights) == 1, f"the panel's height jumps: {heights}"
    assert panel.evaluate("node => node.scrollWidth <= node.clientWidth")


def test_themes_and_accessibility(case, lab, panel):
    """Colours follow the theme, and axe finds nothing serious, with an empty form and with a draft."""
    colours = "node => getComputedStyle(node).backgroundColor + getComputedStyle(node).color"
    light = panel.evaluate(colours)
    assert lab.accessibility_problems(panel) == []
    try:
        lab.set_theme("JupyterLab Dark")
        assert panel.evaluate(colours) != light
        lab.wait_until_settled(panel)
        case.click(lab, panel)
        assert lab.accessibility_problems(panel) == []
        lab.screenshot(f"{case.kind}-dark", panel)
    finally:
        lab.set_theme("JupyterLab Light")
    assert panel.evaluate(colours) == light
    lab.press_button("Skip", panel)


def test_resumes_after_a_restart(case, lab, panel, before):
    texts, question, sitting = shown(panel), number(panel), lab.events(case.task)[-1].session_id
    lab.restart_and_run_all()
    panel = lab.panel(case.heading)
    wait_for_number(panel, question)
    assert shown(panel) == texts, "the order of the texts survives a restart"
    case.answer_by_mouse(lab, panel)
    (event,) = the_next(case, lab, before)
    assert event.value == case.value(event) and event.session_id != sitting
    lab.press_button("Undo", panel)
    lab.press_button("Undo", panel)  # also what was answered before the restart
    assert [e.status for e in the_next(case, lab, before, 3)[1:]] == ["retracted", "retracted"]
    assert not lab.errors and not lab.dialogs
