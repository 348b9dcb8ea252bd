"""An exercise as notebook cells: header, stub, folded hints and solution."""

import ast
import inspect
import re
import textwrap

from rlhf_lab.exercises.framework import Exercise

# What a solution may use -> the line that imports it. The stub's cell has those that its exercise needs.
_IMPORTS = {
    "math": "import math",
    "torch": "import torch",
    "F": "import torch.nn.functional as F",
    "Sequence": "from collections.abc import Sequence",
    "NormalDist": "from statistics import NormalDist",
    "Tensor": "from torch import Tensor",
}
_STANDARD = {"math", "Sequence", "NormalDist"}  # of these, Python's own


def header(exercise: Exercise) -> str:
    """The Markdown above the stub: what, why, how hard, how long."""
    level = "●" * exercise.difficulty + "○" * (5 - exercise.difficulty)
    return (
        f"### Exercise: {exercise.title}\n\n*Difficulty {level}, about {exercise.minutes} minutes.*\n\n"
        f"{inspect.cleandoc(exercise.question)}"
    )


def stub(exercise: Exercise) -> str:
    """The code cell for the learner: imports, signature, docstring, `...`, check."""
    used = {node.id for node in ast.walk(ast.parse(exercise.solution)) if isinstance(node, ast.Name)}
    wanted = [name for name in _IMPORTS if name in used | {"torch"}]
    plain = [_IMPORTS[name] for name in wanted if name in _STANDARD]
    torches = [_IMPORTS[name] for name in wanted if name not in _STANDARD]
    ours = ["from rlhf_lab.exercises import check, hint"]
    imports = "\n\n".join("\n".join(group) for group in (plain, torches, ours) if group)
    return f"{imports}\n\n\n{_without_body(exercise)}\n\n\n{exercise.name} = check({exercise.name})"


def folds(exercise: Exercise) -> str:
    """The Markdown below the stub: two hints and the solution, folded in JupyterLab, in VS Code and on GitHub."""
    parts = [
        f"<details><summary>Hint {i}</summary>\n\n{wrapped(text)}\n</details>"
        for i, text in enumerate(exercise.hints, 1)
    ]
    parts.append(f"<details><summary>Solution</summary>\n\n```python\n{exercise.solution}\n```\n</details>")
    return "\n\n".join(parts)


def cells(exercise: Exercise) -> tuple[tuple[str, str], ...]:
    """The three cells, each as (type, source)."""
    return ("markdown", header(exercise)), ("code", stub(exercise)), ("markdown", folds(exercise))


def wrapped(text: str, width: int = 116) -> str:
    """Prose in lines that are easy to read in a source, with no line break inside `code`: a line of Markdown that
    begins with a plus or a minus would be a list."""
    whole = re.sub(r"`[^`]+`", lambda code: code.group().replace(" ", "\0"), inspect.cleandoc(text))
    return textwrap.fill(whole, width, break_long_words=False, break_on_hyphens=False).replace("\0", " ")


def _without_body(exercise: Exercise) -> str:
    """Signature and docstring as in the solution, to the letter, and of a loop its steps as comments."""
    (function,) = ast.parse(exercise.solution).body
    docstring = function.body[0]
    if not isinstance(docstring, ast.Expr) or len(function.body) < 2:
        raise ValueError(f"{exercise.name}: the reference needs a docstring and a body.")
    lines = exercise.solution.split("\n")[: docstring.end_lineno]
    steps = [f"    # {i}. {step}" for i, step in enumerate(exercise.steps, 1)]
    return "\n".join([*lines, *steps, "    return ...  # your code here"])
