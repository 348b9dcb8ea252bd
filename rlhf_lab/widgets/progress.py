"""The learner's progress: a static, escaped table of exercises and what to do next, read from the progress file."""

import html
from pathlib import Path

from rlhf_lab.exercises import attempts
from rlhf_lab.exercises.catalogue import find, names, notebook_files, notebook_of

_CSS = (Path(__file__).parent / "progress.css").read_text(encoding="utf-8")
_MARKS = {"not attempted": "○", "attempted": "◐", "solved": "●", "solved with hints": "●"}


class ProgressPanel:
    """The exercises of one notebook ("01"), or of all notebooks that exist, as the last line of a cell.

    The state is read when the panel is made. Run the cell again to update it.
    """

    def __init__(self, notebook: str | None = None):
        self._notebook, self._files = notebook, notebook_files()
        wanted = [notebook] if notebook is not None else list(self._files)
        self._names = [name for number in wanted for name in names(number)]
        self._states, self._trouble = attempts.states()

    def _state(self, name: str) -> str:
        return self._states.get(name, attempts.State()).words

    def rows(self) -> list[tuple[str, str, str, str, str]]:
        """(notebook, exercise, difficulty, minutes, state) of each exercise, as text."""
        found = [find(name) for name in self._names]
        return [
            (
                notebook_of(e.name),
                e.title,
                "●" * e.difficulty + "○" * (5 - e.difficulty),
                f"{e.minutes} min",
                f"{_MARKS[self._state(e.name)]} {self._state(e.name)}",
            )
            for e in found
        ]

    def next_step(self) -> str:
        """One line: what to do next."""
        if self._trouble and not self._states:
            return self._trouble
        return f"{self._trouble} {self._next()}".strip()

    def _next(self) -> str:
        solved = [name for name in self._names if self._state(name).startswith("solved")]
        left = [name for name in self._names if name not in solved]
        if not self._names:
            return "There are no exercises here."
        if not left:
            later = [n for n in self._files if self._notebook is not None and n > self._notebook]
            return f"All {len(self._names)} solved." + (f" On to notebook {later[0]}." if later else "")
        begun = [name for name in left if self._state(name) == "attempted"]
        name = (begun or left)[0]
        what = "Go on with" if begun else "Next" if solved else "Begin with"
        file = self._files.get(notebook_of(name), "")
        where = f", in {file}" if self._notebook is None and file else ""
        return f"{len(solved)} of {len(self._names)} solved. {what}: {find(name).title} ({name}{where})."

    def __repr__(self) -> str:
        lines = ["  ".join((row[0], f"{row[1]:42}", row[2], f"{row[3]:>6}", row[4])) for row in self.rows()]
        return "\n".join([*lines, self.next_step()])

    def _repr_html_(self) -> str:
        heads = ("notebook", "exercise", "difficulty", "time", "state")
        head = "".join(f"<th>{h}</th>" for h in heads)
        body = "".join("<tr>" + "".join(f"<td>{html.escape(v)}</td>" for v in row) + "</tr>" for row in self.rows())
        table = f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>" if body else ""
        return f"<style>{_CSS}</style><div class='rlhf-progress'>{table}<p>{html.escape(self.next_step())}</p></div>"
