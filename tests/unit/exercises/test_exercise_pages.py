"""Exercises as cells: the notebooks show just what the exercise files say, and run unattempted and solved."""

import inspect
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from rlhf_lab.exercises import catalogue, check, find, names
from rlhf_lab.exercises.catalogue import by_notebook, notebook_files, notebook_of
from rlhf_lab.exercises.pages import cells, folds, header, stub

sys.path.insert(0, str(Path(__file__).parent))
from filling import fill_stubs, solved

NOTEBOOKS = Path(__file__).parents[3] / "notebooks"
ASKED = [name for number in notebook_files() for name in names(number)]


def load(name):
    return json.loads((NOTEBOOKS / notebook_files()[notebook_of(name)]).read_text(encoding="utf-8"))


def test_a_page():
    exercise = find("prompt_mask")
    assert header(exercise).startswith("### Exercise: the prompt mask\n\n*Difficulty ●●○○○, about 10 minutes.*")
    assert stub(exercise).startswith(
        "import torch\nfrom torch import Tensor\n\nfrom rlhf_lab.exercises import check, hint\n"
    )
    assert stub(exercise).endswith('    """\n    return ...  # your code here\n\n\nprompt_mask = check(prompt_mask)')
    assert "torch.arange" not in stub(exercise) and exercise.solution in solved(exercise)
    assert folds(exercise).count("<details>") == folds(exercise).count("</details>") == 3


@pytest.mark.parametrize("name", names())
def test_cells_are_well_made(name):
    exercise = find(name)
    for _, source in cells(exercise):
        assert all(len(line) <= 120 for line in source.split("\n")), source
    assert len(stub(exercise).split("\n")) <= 25 and len(exercise.solution.split("\n")) <= 30
    assert exercise.solution in folds(exercise)


@pytest.mark.parametrize("name", ASKED)
def test_the_notebook_shows_what_the_exercise_says(name):
    page = [(cell["cell_type"], "".join(cell["source"])) for cell in load(name)["cells"]]
    wanted = list(cells(find(name)))
    assert page.count(wanted[1]) == 1, f"put what `python -m rlhf_lab.exercises {name}` prints into the notebook"
    at = page.index(wanted[1])
    assert page[at - 1 : at + 2] == wanted


def exercise_cells(notebook, numbers):
    sources = {stub(find(n)) for n in numbers} | {solved(find(n)) for n in numbers}
    return ["".join(c["source"]) for c in notebook["cells"] if "".join(c["source"]) in sources]


@pytest.mark.slow
@pytest.mark.parametrize("number", notebook_files())
def test_exercise_cells_run_unattempted_and_solved(number, capsys):
    """The cells alone: each needs nothing of the notebook above it."""
    asked = names(number)
    notebook = json.loads((NOTEBOOKS / notebook_files()[number]).read_text(encoding="utf-8"))
    for filled, words in ((notebook, "not attempted"), (fill_stubs(notebook), "correct")):
        sources = exercise_cells(filled, asked)
        assert len(sources) == len(asked)
        for source in sources:
            namespace = {"__name__": "__main__"}
            exec(compile(source, "<cell>", "exec"), namespace)
            assert callable(namespace[next(n for n in asked if f"{n} = check({n})" in source)])
            assert words in capsys.readouterr().out
    assert all("return ..." in source for source in exercise_cells(notebook, asked)), "the notebook was changed"


@pytest.mark.skipif(
    os.environ.get("RLHF_LAB_SOLVED_NOTEBOOKS") != "1",
    reason="runs whole notebooks with every solution filled in, for minutes: RLHF_LAB_SOLVED_NOTEBOOKS=1",
)
@pytest.mark.parametrize("number", [number for number in notebook_files() if names(number)])
def test_the_whole_notebook_runs_solved(number, home):
    import nbformat
    from nbclient import NotebookClient

    path = NOTEBOOKS / notebook_files()[number]
    filled = fill_stubs(json.loads(path.read_text(encoding="utf-8")))
    notebook = nbformat.reads(json.dumps(filled), as_version=4)
    NotebookClient(notebook, timeout=600, resources={"metadata": {"path": str(NOTEBOOKS)}}).execute()
    printed = [o["text"] for c in notebook.cells for o in c.get("outputs", []) if o.get("name") == "stdout"]
    assert sum(": correct, in all of" in text for text in printed) == len(names(number))


@pytest.mark.slow
def test_the_command_prints_the_cells():
    command = [sys.executable, "-m", "rlhf_lab.exercises"]
    done = subprocess.run([*command, "prompt_mask"], capture_output=True, text=True, check=True, encoding="utf-8")
    for kind, source in cells(find("prompt_mask")):
        assert f"--- {kind} ---\n{source}\n" in done.stdout
    done = subprocess.run([*command, "prompt_msk"], capture_output=True, text=True, encoding="utf-8")
    assert done.returncode == 2 and "Did you mean prompt_mask" in done.stderr


def test_the_catalogue_is_sound():
    assert list(by_notebook()) == sorted(by_notebook()) and len(set(names())) == len(names())
    assert sorted(names()) == sorted(path.stem for path in (NOTEBOOKS / "exercises").glob("*.py"))
    assert all(find(name).name == name for name in names())
    assert names("99") == ()


@pytest.fixture
def elsewhere(tmp_path, monkeypatch):
    """The exercises are looked for in this empty folder."""
    monkeypatch.setattr(catalogue, "FOLDER", tmp_path / "exercises")
    catalogue.by_notebook.cache_clear()
    yield tmp_path / "exercises"
    catalogue.by_notebook.cache_clear()


def test_without_the_folder_one_sentence_says_so(elsewhere):
    with pytest.raises(FileNotFoundError, match="so that notebooks/ stays beside rlhf_lab/"):
        check(lambda losses, counts: losses, name="perplexity")


def test_an_exercise_is_a_file_and_a_row(elsewhere):
    elsewhere.mkdir()
    (elsewhere / "catalogue.json").write_text('{"00": ["exp"], "01": ["missing"]}', encoding="utf-8")
    source = "def exp(x):\n    return x.exp()\n"
    (elsewhere / "exp.py").write_text(f"{source}\n\nEXERCISE = exp\n", encoding="utf-8")
    assert names() == ("exp", "missing") and inspect.getsource(find("exp")) == source and find("exp") is find("exp")
    with pytest.raises(FileNotFoundError, match="lists the exercise missing, but there is no file"):
        find("missing")
