"""The five rating panels, as the tests that they share see them: how to make one, and how to answer it."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from lab_page import Lab
from playwright.sync_api import Locator

from rlhf_lab.feedback import Record

SENTENCES = (" The plum bread was warm.", " It was fine.\n\nThe cat was better.", " <b>Cold</b> buns & cold tea.")
ITEMS = 30


@dataclass(frozen=True)
class Case:
    """A kind of panel. Both ways of answering, `click` and `keys`, give the answer that `value` expects."""

    kind: str
    widget: str
    heading: str
    texts: int  # completions of one question
    click: Callable[[Lab, Locator], None]  # all but the last click
    last: str  # the button of the last click
    keys: tuple[str, ...]
    value: Callable[[Record], Any]
    arguments: str = ""
    is_draft: bool = True  # an answer is made first and then saved
    draft: str = ""  # a script that gives the draft, the panel being `panel`

    @property
    def task(self) -> str:
        """The name of its questions in the database."""
        return f"shared-{self.kind}"

    def cells(self, extra: str = "", items: int = ITEMS, task: str = "") -> tuple[str, ...]:
        """A notebook's cells: the questions, then the panel. Every second text is too long for its box."""
        texts = [[SENTENCES[(i + j) % 3] * (60 if (i + j) % 2 else 1) for j in range(self.texts)] for i in range(items)]
        return (
            "import json\n"
            "from rlhf_lab.feedback import FeedbackStore, RatingSession, question\n"
            f"from rlhf_lab.widgets import {self.widget}\n"
            f"texts = json.loads({json.dumps(texts)!r})\n"
            "items = [question(f'Review of shop {i}:', each) for i, each in enumerate(texts)]\n"
            f"session = RatingSession(FeedbackStore(), {(task or self.task)!r}, items, kind={self.kind!r})",
            f"panel = {self.widget}(session, 'Go by feel.', confidence=True, notes=True{self.arguments}{extra})\npanel",
        )

    def answer_by_mouse(self, lab: Lab, panel: Locator, **last: Any) -> None:
        """A whole answer, as somebody gives it with a mouse; `last`: how to click in the end."""
        lab.wait_until_settled(panel)
        self.click(lab, panel)
        panel.get_by_role("button", name=self.last, exact=True).click(**last)

    def answer_by_keys(self, lab: Lab, panel: Locator) -> None:
        """A whole answer by keys, the focus being in the panel."""
        for key in self.keys:
            lab.press_key(key, panel)


def _click_scores(lab: Lab, panel: Locator) -> None:
    for axis, score in (("overall", "6"), ("tone", "3")):
        panel.get_by_role("radiogroup", name=axis).get_by_role("radio", name=score, exact=True).click()


def _click_tags(lab: Lab, panel: Locator) -> None:
    for tag in ("untrue", "off-topic"):
        panel.get_by_role("checkbox", name=tag).click()


def _click_ranks(lab: Lab, panel: Locator) -> None:
    for name in ("Place 1st: C", "Place 2nd: A", "Tie with the one above", "Place 3rd: B"):
        panel.get_by_role("button", name=name, exact=True).click()


def _type_edit(lab: Lab, panel: Locator) -> None:
    panel.get_by_role("textbox", name="Your version").click()
    lab.page.keyboard.press("Control+End")
    lab.page.keyboard.type(" bat")  # were these keys of the notebook, they would insert cells


def _tiers(event: Record) -> list[list[str]]:
    a, b, c = event.display_order
    return [[c, a], [b]]


CASES = (
    Case(
        "compare",
        "CompareWidget",
        "Which completion is better?",
        2,
        lambda lab, panel: None,
        "B is better",
        ("b",),
        lambda event: {"winner": event.display_order[1]},
        is_draft=False,
    ),
    Case(
        "score",
        "ScoreWidget",
        "How good is this completion?",
        1,
        _click_scores,
        "Save",
        ("6", "3", "Enter"),
        lambda event: {"overall": 6, "tone": 3},
        ", axes={'overall': '', 'tone': 'Would you talk like that?'}",
        draft="[...panel.querySelectorAll('[aria-checked=true]')].map(node => node.ariaLabel)",
    ),
    Case(
        "label",
        "LabelWidget",
        "What is true of this completion?",
        1,
        _click_tags,
        "Save",
        ("2", "4", "Enter"),
        lambda event: ["off-topic", "untrue"],
        draft="[...panel.querySelectorAll('[aria-checked=true]')].map(node => node.textContent)",
    ),
    Case(
        "rank",
        "RankWidget",
        "Which is best, which comes next?",
        3,
        _click_ranks,
        "Save",
        ("c", "a", "=", "b", "Enter"),
        _tiers,
        draft="panel.querySelector('.rlhf-order').textContent",
    ),
    Case(
        "edit",
        "EditWidget",
        "How should it read?",
        1,
        _type_edit,
        "Save",
        ("e", "Control+End", "Space", "b", "a", "t", "Control+Enter"),
        lambda event: {"base_id": event.candidates[0].id, "text": event.candidates[0].text + " bat"},
        draft="panel.querySelector('textarea').value",
    ),
)


def shown(panel: Locator) -> list[str]:
    """The texts on the screen, from the left; of the editing panel what is in the field."""
    return panel.evaluate(
        """panel => [...panel.querySelectorAll('.rlhf-card:not(.rlhf-absent) .rlhf-card-text, textarea')].map(
             node => node.value ?? node.textContent)"""
    )


def number(panel: Locator) -> int:
    """Which question is on the screen, from 1."""
    return int(panel.locator(".rlhf-counter").inner_text().split()[0])


def wait_for_number(panel: Locator, expected: int) -> None:
    """Wait until this question is on the screen."""
    panel.locator(".rlhf-counter").get_by_text(f"{expected} of ").wait_for()


def has_focus(panel: Locator) -> bool:
    """Whether the focus is inside the panel."""
    return panel.evaluate("node => node.contains(document.activeElement)")
