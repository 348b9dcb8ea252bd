"""Text of a model in tables, token views and the live feed, as JupyterLab draws it: letters, and nothing else."""

import nbformat
import pytest

from rlhf_lab.plots import _table

LATEX = [
    " costs $5",
    " and not $6",
    " \\(x^2\\) and \\[y\\]",
    " $$\\rule{3000px}{3000px}$$",
    " \\begin{align}x\\end{align}",
]
CELL = f"""
from rlhf_lab.plots import LiveChart, show_token_values, show_tokens, side_by_side
texts = {LATEX!r}
"""
SHOWN = {
    "table": "side_by_side({'prompt $a': texts, 'completion $b': texts}, caption='$5 or $6')",
    "tokens": "show_tokens(texts, caption='$5 or $6')",
    "values": "show_token_values(texts, {'$r$': range(5)}, caption='$5 or $6')",
    "feed": "with LiveChart({'r': 'r'}) as chart: chart({'step': 1, 'r': 0.0, 'feed': {'completion': texts}})",
}
RTL = ["one", "\u202etwo", "\u05e9\u05dc\u05d5\u05dd", "four", "\u202bfive"]
WORD = "x" * 3000


def run(lab, name, code):
    """The area in which JupyterLab shows what this code displays."""
    lab.open_notebook(lab.write_notebook(f"{name}.ipynb", CELL + code))
    lab.run_all()
    return lab.page.locator(".jp-OutputArea-output.jp-RenderedHTMLCommon").last


@pytest.mark.parametrize("name", SHOWN)
def test_latex_is_shown_as_it_was_written(lab, name):
    # A formula after it, in the same output: when that one is drawn, MathJax has been there.
    formula = "\nfrom IPython.display import HTML, display\ndisplay(HTML('<p>$z^2$</p>'))"
    area = run(lab, f"latex-{name}", SHOWN[name] + formula)
    area.locator("mjx-container").wait_for()
    everything = lab.page.locator(".jp-OutputArea").first
    assert everything.locator("mjx-container").count() == 1, "only the formula that is meant as one"
    shown = everything.inner_text()
    drawn = [text.strip() if name in ("table", "feed") else text.replace(" ", "·") for text in LATEX]
    assert all(text in shown for text in drawn)
    assert area.bounding_box()["width"] < 1280


@pytest.mark.parametrize("show", ["show_tokens({0})", "show_token_values({0}, {{'r': range(5)}})"])
def test_tokens_stand_in_their_order_whatever_their_direction(lab, show):
    area = run(lab, f"rtl-{show[:11]}", show.format(RTL))
    lefts = [box.bounding_box()["x"] for box in area.locator("bdi").all()[-len(RTL) :]]
    assert lefts == sorted(lefts) and len(set(lefts)) == len(RTL)


LONG = {
    "table": f"side_by_side({{'a': ['{WORD}'], 'b': ['{WORD}'], 'c': ['in view']}}, caption='{WORD}')",
    "tokens": f"show_tokens(['{WORD}', 'in view'])",
    "values": f"show_token_values(['{WORD}', 'in view'], {{'r': [0, 1]}})",
}


@pytest.mark.parametrize("name", LONG)
def test_a_word_of_3000_letters_pushes_nothing_out_of_view(lab, name):
    area = run(lab, f"long-{name}", LONG[name])
    assert area.evaluate("node => node.scrollWidth <= node.clientWidth + 1")
    last = area.get_by_text("in" + (" " if name == "table" else "·") + "view").bounding_box()
    assert last["x"] + last["width"] <= 1280


def test_a_page_that_is_not_trusted_shows_it_in_the_same_way(lab):
    """Opened, not run: JupyterLab takes most styles and attributes away."""
    table = _table({"a": [WORD], "b": [RTL[1]], "c": ["in $5 view $6"]}, "")
    output = nbformat.v4.new_output("display_data", data=table)
    cell = nbformat.v4.new_code_cell("1", outputs=[output], execution_count=1)
    formula = nbformat.v4.new_markdown_cell("$z^2$")
    name = lab.write_notebook("untrusted.ipynb", "1")
    page = nbformat.read(lab.server.root / name, as_version=4)
    page.cells = [cell, formula]
    nbformat.write(page, lab.server.root / name)
    lab.open_notebook(name)
    area = lab.page.locator(".jp-OutputArea-output.jp-RenderedHTMLCommon").first
    lab.page.locator(".jp-MarkdownOutput mjx-container").wait_for()
    assert area.locator("mjx-container").count() == 0 and area.locator("bdi").count() == 6
    last = area.get_by_text("in $5 view $6").bounding_box()
    assert last["x"] + last["width"] <= 1280
