"""Multiple-choice questions that explain every choice: why it is right, or where the mistake lies.

A cell says `quiz("08-clip")`. The questions are in `notebooks/quizzes`, one file per page, so that the cell does not
give away the answer. Each table in a file is a quiz. It has a `question`, and options under `right` and `wrong`, each
with a `text` and a `why`.

The browser shows the explanation at once, even while a training cell keeps the kernel busy. The kernel only records
the answer. On pages that cannot draw the quiz (GitHub), plain text shows the question.
"""

import random
import threading
import tomllib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import anywidget
import traitlets

from rlhf_lab.exercises import attempts
from rlhf_lab.paths import REPOSITORY
from rlhf_lab.widgets.panel import browser_module

_HERE = Path(__file__).parent
FOLDER = REPOSITORY / "notebooks" / "quizzes"


@dataclass(frozen=True)
class Option:
    """One choice."""

    text: str
    right: bool
    why: str  # why it is right, or where the mistake lies


class Quiz(anywidget.AnyWidget):
    """One question. The learner may pick until they find the right option. Every pick is explained.

    question: text, not Markdown. options: two to nine, at least one of them right, each with a `why`.
    name: key of the answer in the learner's progress. It begins with the notebook's number, as in "00-kl".
    ValueError if the options do not make a quiz.
    """

    _esm = browser_module("quiz.js")
    _css = "\n".join((_HERE / name).read_text(encoding="utf-8") for name in ("panel.css", "quiz.css"))
    _frame = traitlets.Dict().tag(sync=True)
    _tried = traitlets.List(traitlets.Int()).tag(sync=True)  # picks so far, for a second view of the quiz

    def __init__(self, question: str, options: Sequence[Option], name: str):
        if not 2 <= len(options) <= 9 or not any(option.right for option in options):
            raise ValueError(f"Quiz {name!r} needs two to nine options, one of them right at least.")
        if silent := [option.text for option in options if not option.why.strip()]:
            raise ValueError(f"Quiz {name!r}: say why for every option; {silent[0]!r} has no explanation.")
        self._name, self._options, self._handling = name, tuple(options), threading.Lock()
        super().__init__()
        self._frame = {"question": question, "options": [asdict(option) for option in options]}
        self.on_msg(self._on_message)

    def __repr__(self) -> str:
        return f"Quiz({self._name!r})"

    def _ipython_display_(self) -> None:
        """Show the quiz, and the question as text that remains when the quiz no longer works."""
        from IPython.display import display

        data, metadata = self._repr_mimebundle_()
        display(data, metadata=metadata, raw=True)
        print(self.summary())

    def summary(self) -> str:
        """The question and its choices as plain text."""
        choices = [f"  {i}. {option.text}" for i, option in enumerate(self._options, 1)]
        return "\n".join([self._frame["question"], *choices])

    def _on_message(self, _widget: Any, content: Any, _buffers: Any = None) -> None:
        """Record a pick. Never raises; the quiz shows any error."""
        with self._handling:
            try:
                i = content["option"]
                if content["action"] != "pick" or not isinstance(i, int) or not 0 <= i < len(self._options):
                    return
                first = not self._tried
                self._tried = [*self._tried, i]
                option = self._options[i]
                alert = attempts.record("answered", self._name, option=option.text, right=option.right, first=first)
            except Exception as error:  # nobody would see it otherwise
                alert = f"{type(error).__name__}: {error}"
            self.send({"type": "reply", "alert": alert})


def quiz(name: str) -> Quiz:
    """The quiz of that name. "08-clip" is table `clip` in the quiz file of notebook 08.

    Options are shuffled with the name as the seed: the order never changes and does not reveal the right one.
    LookupError, listing the quizzes of that notebook, if there is none of that name.
    """
    number, _, title = name.partition("-")
    tables = {}
    for file in FOLDER.glob(f"{number}_*.toml") if number.isdigit() else ():
        tables = tomllib.loads(file.read_text(encoding="utf-8"))
    if title not in tables:
        there = ", ".join(f"{number}-{each}" for each in tables) or "none"
        raise LookupError(f"No quiz is called {name!r}. Of notebook {number or '?'} there are: {there}.")
    table = tables[title]
    options = [
        Option(each["text"], kind == "right", each["why"]) for kind in ("right", "wrong") for each in table[kind]
    ]
    random.Random(name).shuffle(options)
    return Quiz(table["question"], options, name)
