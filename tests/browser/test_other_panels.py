"""What is special about the panels to score, label, rank and edit, and about strengths, in a real JupyterLab."""

import random
from itertools import pairwise
from pathlib import Path

import pytest
from panel_cases import CASES, has_focus, number, shown, wait_for_number

import rlhf_lab.widgets

BY_KIND = {case.kind: case for case in CASES}
DIFF = (Path(rlhf_lab.widgets.__file__).parent / "diff.js").read_text(encoding="utf-8")


def open_panel(lab, kind, task, extra=""):
    """A panel of this kind in a notebook of its own, with questions of its own."""
    case = BY_KIND[kind]
    lab.open_notebook(lab.write_notebook(f"{task}.ipynb", *case.cells(extra, items=9, task=task)))
    lab.run_all()
    panel = lab.panel(case.heading)
    panel.wait_for()
    panel.locator(".rlhf-title").click()
    return panel


def press(lab, panel, *keys):
    for key in keys:
        lab.press_key(key, panel)


def status(panel):
    return panel.get_by_role("status").inner_text()


def test_strength_of_a_comparison(lab):
    panel = open_panel(lab, "compare", "own-compare", ", strength=True")
    press(lab, panel, "2")
    assert status(panel) == "First A or B, then how much better."
    press(lab, panel, "b", "a")  # a change of mind
    assert lab.events("own-compare") == []
    assert "How much?" in status(panel)
    press(lab, panel, "2")
    wait_for_number(panel, 2)
    press(lab, panel, "b", "b")  # left open
    wait_for_number(panel, 3)
    lab.press_button("B is much better", panel)  # one click says both
    wait_for_number(panel, 4)
    lab.press_button("A is better", panel)
    assert panel.get_by_role("button", name="A is better").get_attribute("aria-pressed") == "true"
    lab.press_button("Tie", panel)
    events = lab.wait_for_events("own-compare", 4)
    sides = [event.display_order.index(event.winner) for event in events[:3]]
    assert sides == [0, 1, 1]
    assert [event.strength for event in events] == [2, None, 3, None]
    assert events[3].winner == "tie"
    assert panel.get_by_role("button", name="A is better").get_attribute("aria-pressed") == "false"
    press(lab, panel, "a")
    lab.screenshot("compare-strength", panel)
    assert lab.accessibility_problems(panel) == []


def test_scores_by_arrow_keys_and_what_is_missing(lab):
    panel = open_panel(lab, "score", "own-score")
    press(lab, panel, "Enter")
    assert status(panel) == "Still to score: overall, tone."
    press(lab, panel, "5", "Enter")
    assert status(panel) == "Still to score: tone."
    press(lab, panel, "ArrowRight", "ArrowRight")  # tone is marked now: 1, then 2
    press(lab, panel, "ArrowUp", "7", "ArrowLeft")  # all are scored, so the mark stays: 7, then 6
    press(lab, panel, "9", "0")  # not on the scale
    press(lab, panel, "Enter")
    (event,) = lab.wait_for_events("own-score", 1)
    assert event.value == {"overall": 6, "tone": 2}
    # By Tab and arrows alone, as with a screen reader: each row is one stop, and the focus stays in the row.
    wait_for_number(panel, 2)
    row = panel.get_by_role("radiogroup", name="tone")
    row.get_by_role("radio", name="1, poor").focus()
    press(lab, panel, "ArrowRight", "ArrowRight", "ArrowRight")
    assert row.get_by_role("radio", name="3", exact=True).evaluate("node => node === document.activeElement")
    assert row.get_by_role("radio", checked=True).count() == 1
    assert panel.locator(".rlhf-mark[tabindex='0']").count() == 2
    lab.page.keyboard.press("Shift+Tab")
    press(lab, panel, "Space", "Enter")
    events = lab.wait_for_events("own-score", 2)
    assert events[1].value == {"overall": 1, "tone": 3}


def test_none_of_these_excludes_the_others(lab):
    panel = open_panel(lab, "label", "own-label")
    press(lab, panel, "Enter")
    assert status(panel) == "Choose what applies, or 0 for none of these."
    checked = panel.get_by_role("checkbox", checked=True)
    press(lab, panel, "1", "3", "3")
    assert checked.all_inner_texts()[0].startswith("unsafe") and checked.count() == 1
    press(lab, panel, "0")
    assert [text.split("\n")[0] for text in checked.all_inner_texts()] == ["None of these"]
    press(lab, panel, "0")
    assert checked.count() == 0 and panel.get_by_role("button", name="Save").get_attribute("aria-disabled") == "true"
    press(lab, panel, "0", "Enter")
    (event,) = lab.wait_for_events("own-label", 1)
    assert event.value == []
    wait_for_number(panel, 2)
    panel.get_by_role("checkbox", name="untrue").focus()
    press(lab, panel, "Space", "Enter")  # Enter on a check box saves
    assert lab.wait_for_events("own-label", 2)[1].value == ["untrue"]


def order(panel):
    """The order as it stands: "A", "BC", ... best first."""
    return ["".join(tier.locator(".rlhf-chip").all_inner_texts()) for tier in panel.locator(".rlhf-tier").all()]


def test_an_order_changed_by_keys(lab):
    panel = open_panel(lab, "rank", "own-rank")
    press(lab, panel, "=", "ArrowLeft", "Backspace")  # nothing to move yet
    press(lab, panel, "Enter")
    assert status(panel) == "Still to place: A, B, C."
    press(lab, panel, "b", "=")
    assert status(panel) == "There is nothing above it to tie it with."
    press(lab, panel, "a", "c")
    assert order(panel) == ["B", "A", "C"]
    press(lab, panel, "ArrowLeft")
    assert order(panel) == ["B", "C", "A"] and status(panel) == "Order: B, then C, then A."
    press(lab, panel, "ArrowUp", "ArrowUp", "ArrowDown")
    assert order(panel) == ["B", "C", "A"]
    press(lab, panel, "=")
    assert order(panel) == ["BC", "A"] and status(panel) == "Order: B and C tied, then A."
    press(lab, panel, "a")  # placed already: chosen
    assert status(panel) == "A is 3rd."
    press(lab, panel, "=")
    assert order(panel) == ["BCA"]
    press(lab, panel, "ArrowUp", "b", "=")
    assert order(panel) == ["A", "B", "C"]
    press(lab, panel, "Backspace")
    assert order(panel) == ["A", "C"]
    press(lab, panel, "b", "Enter")
    (event,) = lab.wait_for_events("own-rank", 1)
    a, b, c = event.display_order
    assert event.value == [[a], [c], [b]]


def test_an_order_changed_by_dragging(lab):
    panel = open_panel(lab, "rank", "own-drag")

    def drag(letter, to, share):
        """Take a letter and drop it at a share of the width of the tier in which another one is."""
        start = panel.locator(".rlhf-chip", has_text=letter).bounding_box()
        end = panel.locator(".rlhf-tier", has_text=to).bounding_box()
        lab.page.mouse.move(start["x"] + start["width"] / 2, start["y"] + start["height"] / 2)
        lab.page.mouse.down()
        lab.page.mouse.move(end["x"] + share * end["width"], end["y"] + end["height"] / 2, steps=4)
        lab.page.mouse.up()

    press(lab, panel, "a", "b", "c")
    drag("C", "A", 0.1)
    assert order(panel) == ["C", "A", "B"]
    drag("C", "B", 0.5)
    assert order(panel) == ["A", "BC"]
    drag("B", "A", 0.9)
    assert order(panel) == ["A", "B", "C"]
    drag("B", "B", 0.6)
    lab.page.mouse.move(0, 0)
    assert order(panel) == ["A", "B", "C"], "dropped where it was"
    panel.locator(".rlhf-chip", has_text="A").click()
    assert panel.locator(".rlhf-chip[aria-pressed=true]").inner_text() == "A"
    assert not lab.errors


def test_an_edit(lab):
    panel = open_panel(lab, "edit", "own-edit")
    field, save = panel.get_by_role("textbox", name="Your version"), panel.get_by_role("button", name="Save")
    (original,) = shown(panel)
    assert save.get_attribute("aria-disabled") == "true"
    press(lab, panel, "Enter")
    assert status(panel) == "Nothing is changed yet. Skip leaves the text as it is."
    press(lab, panel, "e", "Control+Enter")
    assert status(panel) == "Nothing is changed yet. Skip leaves the text as it is."
    press(lab, panel, "Control+Home")
    lab.page.keyboard.type("Undo ")
    assert field.input_value() == "Undo " + original, "letters are letters, capital ones as well"
    assert panel.locator(".rlhf-changes ins").all_inner_texts() == ["Undo "]
    assert panel.locator(".rlhf-changes del").count() == 0
    assert "1 word in, 0 words out" in panel.locator(".rlhf-part").nth(1).inner_text()
    press(lab, panel, "Escape")
    assert panel.evaluate("node => node === document.activeElement")
    press(lab, panel, "r")
    assert field.input_value() == original and save.get_attribute("aria-disabled") == "true"
    field.fill("   ")
    press(lab, panel, "Escape", "Enter")
    assert status(panel) == "Write something, or skip."
    assert lab.events("own-edit") == []
    hostile = "<img src=x onerror=\"window.hacked = 1\"> & 'so' \u202e on\n\n🍞 end"
    field.fill(hostile)
    assert panel.locator(".rlhf-changes ins").count() > 0 and panel.locator("img").count() == 0
    press(lab, panel, "Control+Enter")
    (event,) = lab.wait_for_events("own-edit", 1)
    assert event.value["text"] == " " + hostile
    wait_for_number(panel, 2)
    assert has_focus(panel) and number(panel) == 2
    assert lab.page.evaluate("() => window.hacked") is None and not lab.dialogs


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ("a b c", "a c", [["same", "a "], ["del", "b "], ["same", "c"]]),
        ("", "new", [["ins", "new"]]),
        ("it's old", "it's new", [["same", "it's "], ["del", "old"], ["ins", "new"]]),
        ("same", "same", [["same", "same"]]),
        ("", "", []),
    ],
)
def test_changes_of_words(lab, before, after, expected):
    assert (
        lab.page.evaluate(f"([before, after]) => {{ {DIFF}; return wordChanges(before, after); }}", [before, after])
        == expected
    )


def test_changes_read_as_both_texts_and_keep_what_can_be_kept(lab):
    """On random texts, against the length of the longest common subsequence found here by other means."""
    rng = random.Random(0)
    pairs = [
        ["".join(rng.choice(["ab", "c", " ", "🍞", ".", "\n"]) for _ in range(rng.randrange(12))) for _ in "ab"]
        for _ in range(300)
    ]
    pairs.append(["x " * 3000, "y " * 3000])  # too large for the table: still both texts
    script = f"(pairs) => {{ {DIFF}; return pairs.map(([before, after]) => wordChanges(before, after)); }}"
    for (before, after), changes in zip(pairs, lab.page.evaluate(script, pairs), strict=True):
        assert "".join(text for kind, text in changes if kind != "ins") == before
        assert "".join(text for kind, text in changes if kind != "del") == after
        assert all(a[0] != b[0] for a, b in pairwise(changes)), "neighbours of one kind are one"
        if len(before) < 100:
            kept = sum(len(parts(text)) for kind, text in changes if kind == "same")
            assert kept >= longest_common(tuple(parts(before)), tuple(parts(after)))


def parts(text):
    """Words, signs and blanks, for the letters used above."""
    found = []
    for letter in text:
        if found and letter.isalpha() and found[-1][-1].isalpha():
            found[-1] += letter
        else:
            found.append(letter)
    return found


def longest_common(a, b, known=None):
    known = {} if known is None else known
    if not a or not b:
        return 0
    if (len(a), len(b)) not in known:
        known[len(a), len(b)] = (
            1 + longest_common(a[1:], b[1:], known)
            if a[0] == b[0]
            else max(longest_common(a[1:], b, known), longest_common(a, b[1:], known))
        )
    return known[len(a), len(b)]
