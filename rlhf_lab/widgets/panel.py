"""What all rating panels share: the way from a click in the browser to a record on disk, and back.

A panel is a thin layer. It shows `session.view()`, turns each message from the browser into one call of the session,
and shows the result. The session saves before it advances. If saving fails, the panel says NOT SAVED, because nobody
would see an exception raised here in a notebook.

A message may arrive in any thread, even while a cell is running. So handling takes a lock, and uses neither torch nor
matplotlib.

The browser's half consists of `parts.js` (buttons, boxes, clock), `extras.js` (confidence, note), `panel.js` (frame,
keys, messages, banners) and a panel's own file, joined into one module. `panel.css` and `kinds.css` style it.
"""

import math
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import anywidget
import traitlets

from rlhf_lab.feedback import FeedbackError, Item, RatingSession, View
from rlhf_lab.texts import fault_in

_HERE = Path(__file__).parent
CONFIDENCE = (0.0, 0.5, 1.0)  # recorded for "guess", "fairly sure", "certain"


def browser_module(*names: str) -> str:
    """The JavaScript of a panel as one module: the shared files and the panel's own."""
    parts = ("parts.js", "extras.js", "panel.js", *names)
    return "\n".join((_HERE / part).read_text(encoding="utf-8") for part in parts)


class _Saved(NamedTuple):
    """The last message that was an answer or a skip."""

    id: str | None = None
    after: str = ""  # the turn that followed it
    said: str = ""  # what the rater was told


class _TooLate(FeedbackError):
    """A click on a question that is over. Sending it again would not help."""

    def __init__(self, notice: str):
        notice = notice or "The question had changed before it arrived, by an earlier click or in another window."
        super().__init__(f"This click did not count. {notice}")


class RatingPanel(anywidget.AnyWidget):
    """Base of the panels. A subclass sets `kind`, `_esm`, `question` and defines `_answer`.

    session: the session to drive. The panel keeps no answers of its own.
    guidelines: how to judge, in a sentence or two; always in view.
    question: the headline.
    text_lines, prompt_lines: height of the boxes, in lines. Longer texts scroll inside, so that the panel keeps its
        height. The default fits the texts of the queue, if it is a sequence of items or has them as `items`.
    next_step: what to do when everything is rated.
    confidence: also ask how sure the rater is (guess, fairly sure, certain); answering is optional.
    notes: offer a field for a note.
    """

    kind: ClassVar[str]
    question: ClassVar[str]
    _room: ClassVar[dict[str, int]] = {"per_line": 44, "least": 4, "most": 9, "default": 7}  # for a text, in lines
    _css = "\n".join((_HERE / name).read_text(encoding="utf-8") for name in ("panel.css", "kinds.css"))
    _frame = traitlets.Dict().tag(sync=True)  # what stays the same from item to item
    _view = traitlets.Dict().tag(sync=True)  # what is shown now

    def __init__(
        self,
        session: RatingSession,
        guidelines: str = "",
        *,
        question: str | None = None,
        text_lines: int | None = None,
        prompt_lines: int | None = None,
        next_step: str = "Run the next cell.",
        confidence: bool = False,
        notes: bool = False,
    ):
        if session.kind != self.kind:
            raise FeedbackError(
                f"{type(self).__name__} shows questions of kind {self.kind!r}, the session asks"
                f" {session.kind!r}. Make the session with kind={self.kind!r}."
            )
        self._session = session
        self._next_step = next_step
        self._handling = threading.Lock()
        self._saved = _Saved()
        items = session.queue if isinstance(session.queue, tuple) else getattr(session.queue, "items", ())
        items = [item for item in items if isinstance(item, Item)]
        texts = [candidate.text for item in items for candidate in item.candidates]
        own = self._own_frame(items)
        task = f"{session.task_id} {session.rater_id}"
        for name, text in (
            ("task", task),
            ("question", question or self.question),
            ("guidelines", guidelines),
            ("next_step", next_step),
        ):
            if fault := fault_in(text):
                raise FeedbackError(f"The {name} of a panel {fault}")
        super().__init__()
        self._frame = {
            "question": question or self.question,
            "guidelines": guidelines,
            "task": task,  # key for the drafts that the page remembers
            "text_lines": text_lines or _lines(texts, **self._room),
            "prompt_lines": prompt_lines or _lines([i.prompt for i in items], per_line=96, least=1, most=5, default=2),
            "confidence": bool(confidence),
            "notes": bool(notes),
            **own,
        }
        self._view = self._picture(session.view())
        self.on_msg(self._on_message)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(task {self._session.task_id!r})"

    def _ipython_display_(self) -> None:
        """Show the panel, and a line of text that remains when the panel no longer works."""
        from IPython.display import display

        data, metadata = self._repr_mimebundle_()
        display(data, metadata=metadata, raw=True)
        print(self.summary())

    def summary(self) -> str:
        """One line for pages that cannot draw the panel."""
        total = len(self._session.queue)
        return (
            f"A rating panel with {total} question{'s' * (total != 1)}."
            f" Every answer is saved at once, in {self._session.store.path.name}."
            " Where no panel is shown, run this cell."
        )

    # -- from the browser ---------------------------------------------------------------------------

    def _on_message(self, _widget: Any, content: Any, _buffers: Any = None) -> None:
        """Carry out one click or key, then tell the browser the result. Never raises."""
        with self._handling:
            reply = {"type": "reply", "id": None, "saved": False, "alert": "", "status": "", "late": False}
            try:
                reply["id"] = content.get("id")
                reply["saved"], reply["status"] = self._act(content)
            except FeedbackError as error:
                reply["alert"], reply["late"] = str(error), isinstance(error, _TooLate)
            except Exception as error:  # nobody would see it otherwise
                reply["alert"] = f"{type(error).__name__}: {error}. Please run this cell again."
            try:
                self._view = self._picture(self._session.view())
            finally:
                self.send(reply)

    def _act(self, content: dict[str, Any]) -> tuple[bool, str]:
        """Whether something was saved, and what to say about it."""
        action = content.get("action")
        ms, method = _milliseconds(content.get("ms")), str(content.get("input_method") or "")
        note = str(content.get("note") or "").strip()
        if action == "refresh":
            self._session.refresh()
            return False, ""
        turn, replaced, view = str(content.get("turn")), "", self._session.view()
        given_up = self._saved.id in (content.get("unanswered") or ()) and self._saved.after == view.turn
        if given_up and turn != view.turn:
            # The kernel was busy, so the page said that the previous answer was not saved. It was saved after all, and
            # this message names a question that is over. The later answer counts.
            replaced = self._saved.said
            if content.get("id") == self._saved.id:
                return True, replaced  # the same message once more
            undone = self._session.undo(view.turn, method)
            view = self._session.view()
            turn = view.turn if undone else turn
        if view.turn != turn or (view.state != "rate" and action != "undo"):
            raise _TooLate(view.notice)
        if action == "undo":
            done, said = bool(replaced) or self._session.undo(turn, method), "Taken back."
        elif action == "skip":
            done, said = self._session.skip(turn, ms, method, note=note), "Skipped."
        elif action == "answer":
            value, words = self._answer(content.get("answer"), view)
            sure = _confidence(content.get("confidence"))
            done = self._session.answer(value, turn, ms, method, confidence=sure, note=note)
            said = f"Saved: {words}."
        else:
            raise FeedbackError(f"The panel sent an action that is not known: {action!r}. Please run this cell again.")
        view = self._session.view()
        if not done:
            raise _TooLate(view.notice)
        self._saved = _Saved(content.get("id"), view.turn, said) if action != "undo" else _Saved()
        return True, f"{said} Before, this was kept: “{replaced}” It no longer counts." if replaced else said

    def _answer(self, answer: Any, view: View) -> tuple[Any, str]:
        """The browser's answer as a canonical value, and in words for the status line."""
        raise NotImplementedError(f"{type(self).__name__} must define _answer.")

    @staticmethod
    def _nonsense(answer: Any) -> FeedbackError:
        return FeedbackError(f"The panel sent an answer that makes no sense: {answer!r}. Please run this cell again.")

    # -- to the browser -----------------------------------------------------------------------------

    def _own_frame(self, items: Sequence[Item]) -> dict[str, Any]:
        """More entries that the browser's half of this kind of panel needs. items: the questions known beforehand."""
        return {}

    def _picture(self, view: View) -> dict[str, Any]:
        """What the browser sees: texts in display order, and nothing about who wrote them."""
        return {
            "turn": view.turn,
            "state": view.state,
            "prompt": view.prompt,
            "texts": [option.text for option in view.options],
            "number": view.number,
            "total": view.total,
            "can_undo": view.can_undo,
            "problem": view.problem,
            "done": self._done(view) if view.state == "done" else "",
            "next_step": self._next_step,
        }

    @staticmethod
    def _done(view: View) -> str:
        if not view.answered and not view.skipped:
            return "There is nothing to rate here."
        if view.skipped:
            return f"{view.answered} rated, {view.skipped} skipped."
        return f"All {view.answered} rated." if view.answered > 1 else "Rated."


def _milliseconds(value: Any) -> int | None:
    if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value) and value >= 0:
        return round(value)
    return None


def _confidence(step: Any) -> float | None:
    if step is None:
        return None
    if isinstance(step, int) and not isinstance(step, bool) and 0 <= step < len(CONFIDENCE):
        return CONFIDENCE[step]
    raise FeedbackError(f"The panel sent a confidence that is not known: {step!r}. Please run this cell again.")


def named(choices: Mapping[str, str] | Sequence[str], what: str, most: int) -> list[tuple[str, str]]:
    """(name, explanation) pairs, from {name: explanation} or a sequence of names. FeedbackError if that is wrong.

    what: what such a name is called in the message. most: the largest number of names.
    """
    pairs = list(choices.items()) if isinstance(choices, Mapping) else [(name, "") for name in choices]
    if isinstance(choices, str) or not all(isinstance(word, str) for pair in pairs for word in pair):
        raise FeedbackError(f"Give a dict {{{what}: explanation}} or a list of names; got {choices!r}.")
    if not 1 <= len(pairs) <= most or not all(name.strip() for name, _ in pairs):
        raise FeedbackError(f"A panel takes 1 to {most} names, none of them empty; got {choices!r}.")
    if len(dict(pairs)) != len(pairs):
        raise FeedbackError(f"A name is given twice: {choices!r}.")
    return pairs


def _lines(texts: Sequence[str], per_line: int, least: int, most: int, default: int) -> int:
    """How many lines a box needs for the longest of the texts, within reason."""
    needed = [sum(1 + len(line) // per_line for line in text.split("\n")) for text in texts]
    return min(max(max(needed), least), most) if needed else default
