"""Quizzes, checks and the table of progress in a real JupyterLab: by mouse, by keyboard, and with a busy kernel."""

import time

import pytest

from rlhf_lab.exercises import find
from rlhf_lab.exercises.attempts import ProgressStore
from rlhf_lab.exercises.pages import stub

QUESTION = "What happens to <b>KL</b>?"
QUIZ = f"""
from rlhf_lab.widgets import ProgressPanel
from rlhf_lab.widgets.quizzes import Option, Quiz

Quiz({QUESTION!r}, [
    Option("It falls", False, "It would if nothing moved. <img src=x onerror='window.hacked = 1'>"),
    Option("It rises", True, "Whoever moves away from the start is further from it."),
    Option("Nothing", False, "Then nothing is learned."),
], name="00-test-{{}}")
"""
ENDLESS = """
from rlhf_lab.exercises import check

def perplexity(mean_losses, token_counts):
    print("here I am")
    while True:
        pass

perplexity = check(perplexity)
"""


def events(lab, name, count, seconds=20):
    """The events of that name, as soon as there are so many."""
    deadline = time.monotonic() + seconds
    while True:
        found = [e for e in ProgressStore(lab.server.home / "progress.sqlite").events() if e.name == name]
        if len(found) >= count or time.monotonic() > deadline:
            assert len(found) == count
            return found
        lab.page.wait_for_timeout(40)


@pytest.fixture
def quiz(lab, request):
    name = request.node.name.replace("[", "-").replace("]", "")
    lab.open_notebook(lab.write_notebook(f"{name}.ipynb", QUIZ.format(name)))
    lab.run_all()
    panel = lab.panel(QUESTION)
    panel.wait_for()
    panel.quiz_name = f"00-test-{name}"
    return panel


def test_a_pick_explains_itself_and_is_kept(lab, quiz):
    quiz.get_by_role("button", name="It falls").click()
    wrong, right = quiz.locator(".rlhf-why").nth(0), quiz.locator(".rlhf-why").nth(1)
    assert wrong.inner_text().startswith("✗ Not this one.") and "onerror" in wrong.inner_text()
    assert right.inner_text() == ""
    quiz.get_by_role("button", name="It rises").click()
    assert right.inner_text().startswith("✓ Right.") and wrong.inner_text()
    quiz.get_by_role("button", name="It rises").click()
    kept = events(lab, quiz.quiz_name, 2)
    assert [(e.kind, e.detail["right"], e.detail["first"]) for e in kept] == [
        ("answered", False, True),
        ("answered", True, False),
    ]
    assert not lab.page.evaluate("() => window.hacked") and not lab.errors and not lab.dialogs
    lab.screenshot("quiz-light", quiz)


def test_by_keyboard_alone_and_no_key_reaches_the_notebook(lab, quiz):
    cells = lab.cell_count()
    quiz.get_by_role("button", name="It falls").focus()
    for key in ("b", "a", "d", "d", "x", "3"):
        lab.page.keyboard.press(key)
    quiz.locator(".rlhf-why").nth(2).get_by_text("Then nothing is learned.").wait_for()
    lab.page.keyboard.press("Tab")
    lab.page.keyboard.press("Enter")
    quiz.locator(".rlhf-why").nth(1).get_by_text("Whoever moves away").wait_for()
    assert [e.detail["option"] for e in events(lab, quiz.quiz_name, 2)] == ["Nothing", "It rises"]
    assert lab.cell_count() == cells


def test_it_can_be_read_by_everybody(lab, quiz):
    quiz.get_by_role("button", name="It falls").click()
    quiz.get_by_role("button", name="It rises").click()
    assert "Whoever moves away" in quiz.get_by_role("status").text_content()
    for theme in ("JupyterLab Dark", "JupyterLab Light"):
        lab.set_theme(theme)
        lab.screenshot(f"quiz-{theme}", quiz)
        assert lab.accessibility_problems(quiz) == []


def test_the_explanation_does_not_wait_for_a_busy_kernel(lab):
    busy = "import time\ntime.sleep(8)\nprint('done')"
    lab.open_notebook(lab.write_notebook("busy.ipynb", QUIZ.format("busy"), busy))
    lab._evaluate("() => { jupyterapp.commands.execute('notebook:run-all-cells'); }", 5)
    quiz = lab.panel(QUESTION)
    quiz.get_by_role("button", name="It rises").click()
    started = time.monotonic()
    quiz.locator(".rlhf-why").nth(1).get_by_text("Whoever moves away").wait_for()
    assert time.monotonic() - started < 1
    assert "done" not in lab.printed(), "the kernel was free before anything was shown: this tested nothing"
    events(lab, "00-test-busy", 1)


def test_checks_and_progress_in_a_notebook(lab):
    """Unattempted, endless, right; then the table knows. The same kernel goes on after a loop that never ends."""
    exercise = find("perplexity")
    imports = "from rlhf_lab.exercises import check, hint\nfrom torch import Tensor"
    solved = f"{imports}\n\n{exercise.solution}\n\nperplexity = check(perplexity)"
    table = "from rlhf_lab.widgets import ProgressPanel\nProgressPanel('01')"
    lab.open_notebook(lab.write_notebook("checks.ipynb", stub(exercise), ENDLESS, solved, table))
    lab.run_all()
    printed = lab.printed()
    assert "perplexity: not attempted yet" in printed and "has not finished after" in printed
    assert "perplexity: correct" in printed and printed.count("here I am") == 1
    page = lab.page.locator(".rlhf-progress")
    page.wait_for()
    assert "● solved" in page.inner_text() and "1 of 5 solved." in page.inner_text()
    lab.screenshot("progress", page)
