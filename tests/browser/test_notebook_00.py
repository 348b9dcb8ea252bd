"""Notebook 00 as its learner meets it: run all, rate by mouse and keyboard, come back the next day.

Two training steps are enough here. The notebook in its full length is executed by nbval.
"""

import nbformat
import pytest

NAME = "00_the_whole_loop.ipynb"
TASK = "00-first-round"
SHORT = """from dataclasses import replace
import lessons.whole_loop as whole_loop
whole_loop.TRAINING = replace(whole_loop.TRAINING, steps=2, batch_size=16)"""


@pytest.fixture(scope="module")
def notebook(lab):
    """The notebook in the server's folder, with the training cut short, opened and run."""
    path = lab.server.root / NAME
    page = nbformat.read(path, as_version=4)
    page.cells.insert(0, nbformat.v4.new_code_cell(SHORT))
    nbformat.write(page, path)
    lab.open_notebook(NAME)
    lab.run_all(300)
    return lab


def test_run_all_without_a_click_says_who_answered(notebook):
    assert "Using 16 comparisons, all by the simulated rater" in notebook.printed()
    assert "Rate more above" in notebook.printed()
    notebook.panel().scroll_into_view_if_needed()
    notebook.page.wait_for_timeout(1000)  # the page draws its cells as they come into view
    notebook.screenshot("notebook-00")
    notebook.screenshot("notebook-00-panel", notebook.panel())


def test_clicks_and_keys_are_rows_and_a_double_click_counts_once(notebook):
    panel = notebook.panel()
    panel.scroll_into_view_if_needed()
    notebook.press_button("A is better", panel)
    notebook.wait_for_events(TASK, 16 + 1)
    notebook.press_button("B is better", panel, click_count=2, delay=20)
    notebook.wait_for_events(TASK, 16 + 2)
    panel.press("Tab")
    notebook.press_key("a", panel)
    notebook.press_key("t", panel)
    events = [e for e in notebook.wait_for_events(TASK, 16 + 4) if e.source == "human"]
    assert [e.input_method for e in events] == ["mouse", "mouse", "keyboard", "keyboard"]
    assert events[3].winner == "tie"
    assert len({e.item_id for e in events}) == 4
    assert all(e.display_order and e.client_ms > 0 for e in events)


def test_undo_takes_the_last_answer_back(notebook):
    notebook.press_button("Undo", notebook.panel())
    events = [e for e in notebook.wait_for_events(TASK, 16 + 5) if e.source == "human"]
    assert events[-1].status == "retracted" and events[-1].supersedes == events[-2].uid


def test_the_next_day_it_resumes_and_uses_the_answers(notebook):
    before = notebook.panel().locator(".rlhf-card-text").first.evaluate("node => node.textContent")
    notebook.restart_and_run_all(300)
    assert "Using 16 comparisons: 3 yours, 13 by the simulated rater" in notebook.printed()
    after = notebook.panel().locator(".rlhf-card-text").first.evaluate("node => node.textContent")
    assert after == before
    notebook.panel().get_by_text("4 of 16").wait_for()
    assert not notebook.dialogs
    notebook.close_notebook()
