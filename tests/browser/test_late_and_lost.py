"""What a person did and the kernel could not take at once: the later answer counts, and what is dropped is said."""

import shutil

import pytest
from panel_cases import CASES, wait_for_number

from rlhf_lab.feedback import FeedbackStore

BY_KIND = {case.kind: case for case in CASES}


def open_panel(lab, kind, task, setup=""):
    """A panel of this kind in a notebook of its own, with nine questions."""
    case = BY_KIND[kind]
    first, panel_cell = case.cells(items=9, task=task)
    lab.open_notebook(lab.write_notebook(f"{task}.ipynb", f"{first}\n{setup}", panel_cell))
    lab.run_all()
    panel = lab.panel(case.heading)
    panel.wait_for()
    return panel


def execute(lab, code, wait=True):
    """Run code in the kernel of the open notebook, outside of its cells."""
    status = lab.page.evaluate(
        """async ([code, wait]) => {
            const { session } = jupyterapp.shell.currentWidget.context.sessionContext;
            window.executed = session.kernel.requestExecute({ code }).done;
            return wait ? (await window.executed).content.status : 'ok';
        }""",
        [code, wait],
    )
    assert status == "ok"


def keep_busy(lab, seconds):
    """Code that lets no thread of the kernel run, as a long computation in C does."""
    execute(lab, f"import ctypes; ctypes.PyDLL(None).usleep({round(1e6 * seconds)})", wait=False)
    lab.page.wait_for_timeout(300)  # the kernel has begun


def standing(lab, task):
    """What counts in the end, as the records say."""
    return FeedbackStore(lab.server.home / "feedback.sqlite").records(task)


def not_saved(panel):
    alert = panel.get_by_role("alert")
    alert.get_by_text("NOT SAVED").wait_for(timeout=8000)
    return alert


def test_with_a_busy_kernel_the_later_answer_counts(lab):
    panel = open_panel(lab, "compare", "late-answer")
    keep_busy(lab, 8)
    lab.press_button("A is better", panel)
    assert "another one that you give in its place" in not_saved(panel).inner_text()
    lab.press_button("B is better", panel)
    events = lab.wait_for_events("late-answer", 3)
    assert [event.status for event in events] == ["submitted", "retracted", "submitted"]
    (record,) = standing(lab, "late-answer")
    assert record.winner == record.display_order[1], "B, the later answer"
    wait_for_number(panel, 2)
    said = panel.get_by_role("status").inner_text()
    assert said.startswith("Saved: B is better.") and "A is better" in said
    assert panel.get_by_role("alert").inner_text() == ""
    lab.press_button("A is better", panel)  # and the next question is answered as ever
    assert lab.wait_for_events("late-answer", 4)[-1].status == "submitted"
    assert not lab.errors


def test_a_click_while_another_is_being_saved_is_said_not_to_count(lab):
    panel = open_panel(lab, "compare", "late-meanwhile")
    keep_busy(lab, 3)
    lab.press_button("A is better", panel)
    panel.get_by_role("button", name="B is better").click()
    panel.get_by_role("status").get_by_text("Still saving. What you click meanwhile does not count.").wait_for()
    panel.get_by_role("status").get_by_text("Saved: A is better.").wait_for()
    (event,) = lab.events("late-meanwhile")
    assert event.winner == event.display_order[0]


def test_with_a_busy_kernel_the_same_answer_twice_counts_once(lab):
    panel = open_panel(lab, "compare", "late-twice")
    keep_busy(lab, 8)
    lab.press_button("A is better", panel)
    not_saved(panel)
    lab.press_button("A is better", panel)
    wait_for_number(panel, 2)
    lab.wait_until_settled(panel)
    assert len(lab.events("late-twice")) == 1
    assert panel.get_by_role("alert").inner_text() == ""


def test_with_a_busy_kernel_the_later_version_of_a_text_counts(lab):
    panel = open_panel(lab, "edit", "late-edit")
    field = panel.get_by_role("textbox", name="Your version")
    keep_busy(lab, 8)
    field.fill("the first version")
    lab.press_button("Save", panel)
    alert = not_saved(panel)
    field.fill("the second version")
    alert.get_by_role("button", name="Try again").click()
    lab.wait_for_events("late-edit", 3)
    (record,) = standing(lab, "late-edit")
    assert record.value["text"].strip() == "the second version"
    wait_for_number(panel, 2)


def test_what_was_changed_after_an_answer_was_sent_is_not_lost(lab):
    """Nobody tried again: what was sent is saved, the panel says so, and the change is there again after Undo."""
    panel = open_panel(lab, "edit", "late-change")
    field = panel.get_by_role("textbox", name="Your version")
    keep_busy(lab, 7)
    field.fill("the first version")
    lab.press_button("Save", panel)
    not_saved(panel)
    field.fill("the second version")
    wait_for_number(panel, 2)
    panel.get_by_role("status").get_by_text("What you changed after that is there again after Undo.").wait_for()
    assert standing(lab, "late-change")[0].value["text"].strip() == "the first version"
    lab.press_button("Undo", panel)
    wait_for_number(panel, 1)
    assert field.input_value() == "the second version"


def test_another_notebook_was_faster(lab):
    """It has answered the question: the click does not count, and that is said where it was made."""
    panel = open_panel(lab, "compare", "lost-race", "other = RatingSession(FeedbackStore(), 'lost-race', items)")
    for number in (1, 2, 3):
        wait_for_number(panel, number)
        execute(lab, "assert other.skip(other.view().turn)")
        lab.press_button("A is better", panel)
        alert = not_saved(panel)
        assert "did not count" in alert.inner_text() and "Another notebook" in alert.inner_text()
        assert alert.get_by_role("button").count() == 0, "to try again would not help"
        wait_for_number(panel, number + 1)
        assert [record.status for record in standing(lab, "lost-race")] == ["skipped"] * number
    lab.press_button("A is better", panel)
    wait_for_number(panel, 5)
    assert panel.get_by_role("alert").inner_text() == ""
    assert standing(lab, "lost-race")[-1].status == "submitted"


def test_the_folder_of_the_database_was_deleted_underneath(lab):
    setup = (
        "import os, pathlib\n"
        "own = pathlib.Path(os.environ['RLHF_LAB_HOME']) / 'own' / 'feedback.sqlite'\n"
        "session = RatingSession(FeedbackStore(own), 'lost-folder', items)"
    )
    panel = open_panel(lab, "compare", "lost-folder", setup)
    for number in (1, 2):
        lab.press_button("A is better", panel)
        wait_for_number(panel, number + 1)
    shutil.rmtree(lab.server.home / "own")
    lab.press_button("B is better", panel)
    alert = not_saved(panel)
    assert "feedback.sqlite was deleted or replaced: 2 of your earlier answers" in alert.inner_text()
    wait_for_number(panel, 1)
    lab.press_button("B is better", panel)
    lab.wait_for_events("lost-folder", 1, database="own/feedback.sqlite")
    assert alert.inner_text() == ""


@pytest.mark.parametrize("kind", ["compare", "label", "rank", "edit"])
def test_what_was_begun_is_there_after_a_reload(lab, kind):
    case, task = BY_KIND[kind], f"reload-{kind}"
    panel = open_panel(lab, kind, task)
    lab.press_button("Skip", panel)
    wait_for_number(panel, 2)
    lab.wait_until_settled(panel)
    if case.is_draft:
        case.click(lab, panel)
    panel.get_by_role("button", name="fairly sure").click()
    panel.get_by_role("textbox", name="Note").fill("typed before")
    lab.reload()
    panel = lab.panel(case.heading)
    panel.wait_for()
    wait_for_number(panel, 2)
    assert panel.get_by_role("textbox", name="Note").input_value() == "typed before"
    lab.press_button(case.last, panel)
    event = lab.wait_for_events(task, 2)[-1]
    assert event.value == case.value(event)
    assert (event.note, event.confidence) == ("typed before", 0.5)
    wait_for_number(panel, 3)
    assert panel.get_by_role("textbox", name="Note").input_value() == ""


def test_a_page_that_is_opened_again_says_to_run_the_cell(lab):
    open_panel(lab, "compare", "opened-again")
    lab.open_notebook(lab.write_notebook("in-between.ipynb", "1"))  # this one is saved and its kernel ended
    lab.open_notebook("opened-again.ipynb")
    lab.page.get_by_text("Where no panel is shown, run this cell.").wait_for()
