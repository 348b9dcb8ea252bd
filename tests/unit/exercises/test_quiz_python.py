"""Quizzes and the table of progress, without a browser."""

import ast
import html.parser
import json
import sqlite3
import tomllib
from contextlib import closing

import pytest

from rlhf_lab.exercises import attempts, find, names
from rlhf_lab.exercises.attempts import ProgressStore
from rlhf_lab.widgets.progress import ProgressPanel
from rlhf_lab.widgets.quizzes import FOLDER, Option, Quiz, quiz

PAGES = sorted(FOLDER.parent.glob("[0-9][0-9]_*.ipynb"))
QUIZZES = {file: tomllib.loads(file.read_text(encoding="utf-8")) for file in sorted(FOLDER.glob("*.toml"))}
NAMES = [f"{file.name[:2]}-{title}" for file, tables in QUIZZES.items() for title in tables]
OPTIONS = [Option("It rises", False, "Because ..."), Option("It falls", True, "Since ..."), Option("<b>", False, "No.")]


def pick(quiz, option, action="pick"):
    replies = []
    quiz.send = replies.append
    quiz._handle_custom_msg({"action": action, "option": option}, [])
    return replies


def test_picks_are_kept():
    quiz = Quiz("What happens?", OPTIONS, name="00-what")
    assert pick(quiz, 0) == [{"type": "reply", "alert": ""}]
    pick(quiz, 1)
    details = [event.detail for event in ProgressStore().events()]
    assert details == [
        {"first": True, "option": "It rises", "right": False},
        {"first": False, "option": "It falls", "right": True},
    ]
    assert quiz._tried == [0, 1]


@pytest.mark.parametrize("nonsense", [17, -1, "0", None, 0.5])
def test_nonsense_from_the_browser_is_passed_over(nonsense):
    quiz = Quiz("What happens?", OPTIONS, name="00-what")
    pick(quiz, nonsense)
    assert quiz._tried == [] and ProgressStore().events() == []
    assert "KeyError" in _reply_to(quiz, {})["alert"]


def _reply_to(quiz, message):
    replies = []
    quiz.send = replies.append
    quiz._handle_custom_msg(message, [])
    return replies[-1]


def test_what_cannot_be_kept_is_said_in_the_quiz(home):
    (home / "progress.sqlite").write_bytes(b"no database" * 1000)
    assert "was not kept" in pick(Quiz("What happens?", OPTIONS, name="00-what"), 1)[0]["alert"]


def test_it_can_be_shown_and_has_words_for_a_page_without_widgets(capsys):
    quiz = Quiz("What happens?", OPTIONS, name="00-what")
    assert repr(quiz) == "Quiz('00-what')"
    assert quiz.summary() == "What happens?\n  1. It rises\n  2. It falls\n  3. <b>"
    quiz._ipython_display_()
    assert quiz.summary() in capsys.readouterr().out
    assert json.loads(json.dumps(quiz._frame))["options"][1] == {"text": "It falls", "right": True, "why": "Since ..."}


def test_the_browser_half_sets_text_only():
    assert "innerHTML" not in Quiz._esm and "insertAdjacentHTML" not in Quiz._esm and "lmSuppressShortcuts" in Quiz._esm


@pytest.mark.parametrize(
    "options", [OPTIONS[:1], [OPTIONS[0], OPTIONS[2]], OPTIONS * 4, [*OPTIONS, Option("Silent", False, " ")]]
)
def test_a_quiz_must_make_sense(options):
    with pytest.raises(ValueError, match="Quiz 'bad'"):
        Quiz("What?", options, name="bad")


def code_cells(page):
    return [
        "".join(c["source"]) for c in json.loads(page.read_text(encoding="utf-8"))["cells"] if c["cell_type"] == "code"
    ]


def asked_on(page):
    """The names of the quizzes that the page's cells show, in order."""
    calls = [node for cell in code_cells(page) if "quiz(" in cell for node in ast.walk(ast.parse(cell))]
    calls = [node for node in calls if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "quiz"]
    return [ast.literal_eval(call.args[0]) for call in calls]


@pytest.mark.parametrize("name", NAMES)
def test_every_quiz_is_well_made(name):
    shown, again = quiz(name), quiz(name)
    assert shown._frame == again._frame and not shown._frame["question"].startswith(" ")
    texts = [option["text"] for option in shown._frame["options"]]
    assert len(set(texts)) == len(texts) >= 3


def test_the_place_of_the_right_answer_says_nothing():
    places = [next(i for i, option in enumerate(quiz(name)._options) if option.right) for name in NAMES]
    assert set(places) >= {0, 1, 2} and max(places.count(i) for i in set(places)) < len(NAMES) / 2


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page_asks_its_quizzes_and_holds_no_answer(page):
    tables = QUIZZES.get(FOLDER / f"{page.stem}.toml", {})
    assert asked_on(page) == [f"{page.name[:2]}-{title}" for title in tables]
    answers = [o[key] for table in tables.values() for kind in ("right", "wrong") for o in table[kind] for key in o]
    for cell in code_cells(page):
        assert "Option(" not in cell and not [answer for answer in answers if answer in cell]


def test_a_quiz_that_is_not_there():
    with pytest.raises(LookupError, match=r"No quiz is called '08-clap'. Of notebook 08 there are: 08-clip"):
        quiz("08-clap")
    with pytest.raises(LookupError, match="there are: none"):
        quiz("../../secrets")


class _Text(html.parser.HTMLParser):
    def __init__(self, page):
        super().__init__()
        self.texts, self.tags = [], []
        self.feed(page)

    def handle_data(self, data):
        self.texts.append(data)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)


def test_the_table_of_a_fresh_learner():
    panel = ProgressPanel("01")
    assert [row[-1] for row in panel.rows()] == ["○ not attempted"] * len(names("01"))
    first = find(names("01")[0])
    assert panel.next_step() == f"0 of {len(names('01'))} solved. Begin with: {first.title} ({first.name})."
    page = _Text(panel._repr_html_())
    assert page.tags.count("tr") == 1 + len(names("01")) and panel.next_step() in page.texts
    assert "●●○○○" in repr(panel) and repr(panel) == repr(ProgressPanel("01"))


def test_the_table_follows():
    first, second, *rest = names("01")
    attempts.record("hinted", first, number=1)
    attempts.record("solved", first)
    attempts.record("attempted", second)
    panel = ProgressPanel("01")
    assert [row[-1] for row in panel.rows()][:3] == ["● solved with hints", "◐ attempted", "○ not attempted"]
    assert panel.next_step().startswith("1 of 5 solved. Go on with:")
    for name in (second, *rest):
        attempts.record("solved", name)
    assert ProgressPanel("01").next_step().startswith("All 5 solved.")


def test_the_overview_has_the_notebooks_that_exist():
    panel = ProgressPanel()
    shown = {row[0] for row in panel.rows()}
    assert {"00", "01"} <= shown and shown <= {path[:2] for path in panel._files.values()}
    assert "in 00_the_whole_loop.ipynb" in panel.next_step()
    assert ProgressPanel("no such").next_step() == "There are no exercises here."


def test_a_broken_file_is_said_below_the_table(home):
    (home / "progress.sqlite").write_bytes(b"no database" * 1000)
    panel = ProgressPanel("01")
    assert "cannot be shown" in panel.next_step() and len(panel.rows()) == 5


def test_a_damaged_row_is_said_and_the_table_goes_on(home):
    first, second, *_ = names("01")
    for name in (first, second):
        attempts.record("solved", name)
    with closing(sqlite3.connect(home / "progress.sqlite")) as connection, connection:
        connection.execute("UPDATE events SET detail = '[]' WHERE seq = 1")
    panel = ProgressPanel("01")
    assert [row[-1] for row in panel.rows()][:2] == ["○ not attempted", "● solved"]
    assert "passed over: 1." in panel.next_step() and "1 of 5 solved. Next: " in panel.next_step()
