"""The notebooks as committed: pages that GitHub draws, from one run top to bottom, with cells that fit a screen.

That they *run* is checked by nbval, which pytest applies to notebooks/ itself.
"""

import json
import re
from pathlib import Path

import pytest

NOTEBOOKS = sorted((Path(__file__).parents[2] / "notebooks").glob("*.ipynb"))


@pytest.fixture(params=NOTEBOOKS, ids=lambda path: path.stem)
def page(request):
    return request.param, json.loads(request.param.read_text(encoding="utf-8"))


def code_cells(notebook):
    return [c for c in notebook["cells"] if c["cell_type"] == "code" and "".join(c["source"]).strip()]


def test_there_are_notebooks():
    assert len(NOTEBOOKS) >= 2


def test_page_comes_from_one_run_without_errors(page):
    _, notebook = page
    cells = code_cells(notebook)
    assert [c["execution_count"] for c in cells] == list(range(1, len(cells) + 1))
    assert not [o for c in cells for o in c["outputs"] if o["output_type"] == "error"]


def test_page_can_be_drawn_and_is_small(page):
    path, notebook = page
    assert "widgets" not in notebook["metadata"]
    assert path.stat().st_size < 1_000_000


def test_cells_fit_a_screen(page):
    _, notebook = page
    long = ["".join(c["source"]) for c in code_cells(notebook) if len("".join(c["source"]).splitlines()) > 30]
    assert not long, long[0]


def test_prose_is_prose(page):
    """Text whose every line begins with a hash is a comment that was meant to be text: it would all be headings."""
    _, notebook = page
    for cell in (c for c in notebook["cells"] if c["cell_type"] == "markdown"):
        lines = [line for line in "".join(cell["source"]).splitlines() if line.strip()]
        assert len(lines) < 2 or not all(line.startswith("#") for line in lines), lines[:2]


def test_page_knows_no_machine(page):
    """No absolute path and no host name of the machine it ran on."""
    path, _ = page
    text = path.read_text(encoding="utf-8")
    assert not re.search(r"(/(home|root|tmp|Users)/|C:\\\\)", text)


def test_images_have_text(page):
    """Every figure is followed, in the same or the next cell, by words that say how to read it."""
    _, notebook = page
    cells = notebook["cells"]
    for i, cell in enumerate(cells):
        if cell["cell_type"] == "code" and any("image/png" in o.get("data", {}) for o in cell["outputs"]):
            assert i + 1 < len(cells) and cells[i + 1]["cell_type"] == "markdown", "".join(cell["source"])
