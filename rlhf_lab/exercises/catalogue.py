"""The list of exercises. They are next to the notebooks that ask them, in `notebooks/exercises`.

`catalogue.json` lists the exercises of each notebook in order. Each is one Python file, loaded when it is needed.
"""

import difflib
import importlib.util
import json
import sys
from functools import cache
from pathlib import Path

from rlhf_lab.exercises.framework import Exercise
from rlhf_lab.paths import REPOSITORY

FOLDER = REPOSITORY / "notebooks" / "exercises"


class UnknownExerciseError(LookupError):
    """There is no exercise of that name. The message suggests similar names."""


@cache
def by_notebook() -> dict[str, tuple[str, ...]]:
    """Number of the notebook -> its exercises, in the order in which it asks them.

    Raises FileNotFoundError if the package was installed without the repository around it.
    """
    table = FOLDER / "catalogue.json"
    if not table.is_file():
        raise FileNotFoundError(
            f"The exercises are not at {FOLDER}. Install from a checkout of the repository with"
            " `python -m pip install -r requirements.txt`, so that notebooks/ stays beside rlhf_lab/."
        )
    rows = json.loads(table.read_text(encoding="utf-8"))
    return {notebook: tuple(row) for notebook, row in rows.items()}


def names(notebook: str | None = None) -> tuple[str, ...]:
    """Names of all exercises, or of a notebook's ("01"), in order."""
    if notebook is not None:
        return by_notebook().get(notebook, ())
    return tuple(name for row in by_notebook().values() for name in row)


def find(name: str) -> Exercise:
    """The exercise of that name. Raises UnknownExerciseError, with suggestions, if there is none."""
    if name not in names():
        close = difflib.get_close_matches(name, names(), n=2)
        meant = f" Did you mean {' or '.join(close)}?" if close else f" There are: {', '.join(names())}."
        raise UnknownExerciseError(f"No exercise is called {name!r}.{meant}")
    return _load(FOLDER / f"{name}.py")


def notebook_of(name: str) -> str:
    """Number of the notebook that has the exercise."""
    return next(notebook for notebook, row in by_notebook().items() if name in row)


def notebook_files() -> dict[str, str]:
    """Number -> file name of the notebooks that exist."""
    return {path.name[:2]: path.name for path in sorted((REPOSITORY / "notebooks").glob("[0-9][0-9]_*.ipynb"))}


@cache
def _load(path: Path) -> Exercise:
    """The exercise in a file. Its module is registered under a unique name, so that `inspect` finds its source."""
    if not path.is_file():
        raise FileNotFoundError(f"catalogue.json lists the exercise {path.stem}, but there is no file {path}.")
    module_name = f"rlhf_lab_exercise_{path.stem}"
    spec = importlib.util.spec_from_file_location(module_name, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[module_name] = module
    try:
        spec.loader.exec_module(module)
        return module.EXERCISE
    except BaseException:
        del sys.modules[module_name]
        raise
