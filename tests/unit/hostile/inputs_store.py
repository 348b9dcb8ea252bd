"""A learner's folder, damaged databases, answers and questions without sense, and what no panel or table can show."""

import os
import sqlite3
from contextlib import closing, contextmanager
from pathlib import Path
from unittest import mock

from hostile import Tools, hostile
from kit import make_record

from rlhf_lab import paths, plots
from rlhf_lab.exercises.attempts import ProgressError, ProgressStore
from rlhf_lab.feedback import (
    ConflictError,
    FeedbackError,
    FeedbackStore,
    RatingSession,
    RecordError,
    StoreBusyError,
    StoreError,
    compare_item,
    gather,
    question,
    rate_with,
)
from rlhf_lab.widgets import CompareWidget, LabelWidget, RankWidget, ScoreWidget
from rlhf_lab.widgets.quizzes import Option, Quiz
from rlhf_lab.widgets.sliders import explore

# -- the learner's folder --


@contextmanager
def home(path):
    with mock.patch.dict(os.environ, {"RLHF_LAB_HOME": str(path)}):
        yield


def in_home(make):
    """A call of `home_dir` with what `make(folder)` gives as RLHF_LAB_HOME."""

    def call(tools: Tools):
        with home(make(tools.folder)):
            paths.home_dir()

    return call


def a_file(folder: Path) -> Path:
    (folder / "file").write_text("in the way")
    return folder / "file"


def a_link(folder: Path, to: str) -> Path:
    (folder / "link").symlink_to(to)
    return folder / "link"


def may_not_be_made(tools: Tools):
    with home(tools.folder / "new"), mock.patch.object(Path, "mkdir", side_effect=PermissionError(13, "not allowed")):
        paths.home_dir()


def may_not_be_written(tools: Tools):
    with home(tools.folder), mock.patch("os.access", return_value=False):
        paths.home_dir()


def no_place_in_the_checkout(tools: Tools):
    with home(""), mock.patch.object(paths, "REPOSITORY", a_file(tools.folder)):
        paths.home_dir()


TODO = "Set it to a folder that is there or can be made"
hostile("home: a file", in_home(a_file), ValueError, "RLHF_LAB_HOME names", "file, which", "a file has that name", TODO)
hostile("home: below a file", in_home(lambda f: a_file(f) / "home"), ValueError, "file/home", "Not a directory", TODO)
hostile("home: a link to nothing", in_home(lambda f: a_link(f, "gone")), ValueError, "a link that leads nowhere", TODO)
hostile("home: a link to itself", in_home(lambda f: a_link(f, "link")), ValueError, "a link that leads nowhere", TODO)
hostile("home: of nobody", in_home(lambda f: "~nosuchuser/lab"), ValueError, "~nosuchuser/lab", "nobody of that name")
hostile("home: 300 letters", in_home(lambda f: f / ("x" * 300)), ValueError, "RLHF_LAB_HOME", "...", "too long", TODO)
hostile(
    "home: 5,000 letters", in_home(lambda f: f / ("x/" * 2500)), ValueError, "RLHF_LAB_HOME", "...", "too long", TODO
)
hostile("home: a device", in_home(lambda f: os.devnull), ValueError, os.devnull, "a file has that name", TODO)
hostile("home: may not be made", may_not_be_made, ValueError, "RLHF_LAB_HOME", "new", "not allowed", TODO)
hostile(
    "home: may not be written to", may_not_be_written, ValueError, "RLHF_LAB_HOME", "it may not be written to", TODO
)
hostile("home: none in the checkout", no_place_in_the_checkout, ValueError, "Set RLHF_LAB_HOME to a folder", "my_lab")
hostile(
    "home: a store in a file",
    lambda tools: _store_at_home(a_file(tools.folder)),
    ValueError,
    "RLHF_LAB_HOME names",
    TODO,
)


def _store_at_home(folder: Path):
    with home(folder):
        FeedbackStore()


# -- databases --


def store_of(folder: Path, *statements: str) -> FeedbackStore:
    """A store with one record, and then these SQL statements done to its file."""
    store = FeedbackStore(folder / "feedback.sqlite")
    store.append(make_record())
    with closing(sqlite3.connect(store.path)) as connection, connection:
        for statement in statements:
            connection.execute(statement)
    return store


def reading(*statements: str):
    return lambda tools: store_of(tools.folder, *statements).events()


def opening(*statements: str):
    return lambda tools: FeedbackStore(store_of(tools.folder, *statements).path)


def adding(*statements: str):
    return lambda tools: store_of(tools.folder, *statements).append(make_record(1))


def opened(make):
    """A store of what `make(folder)` gives as its path."""
    return lambda tools: FeedbackStore(make(tools.folder))


def written(content: bytes):
    def make(folder: Path) -> Path:
        (folder / "feedback.sqlite").write_bytes(content)
        return folder / "feedback.sqlite"

    return make


def changed(change):
    """A database of one record with its bytes changed."""
    return lambda folder: written(change(store_of(folder).path.read_bytes()))(folder)


def a_pipe(folder: Path) -> Path:
    os.mkfifo(folder / "pipe")
    return folder / "pipe"


def full_disk(tools: Tools):
    store = store_of(tools.folder)
    import resource  # not on every system

    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (store.path.stat().st_size, before[1]))
    try:
        store.append(make_record(1, note="long " * 100_000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


class Hurried(FeedbackStore):
    wait_seconds = 0.05


def locked(tools: Tools):
    store = Hurried(store_of(tools.folder).path)
    with closing(sqlite3.connect(store.path, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        store.append(make_record(1))


def written_by_another_notebook(tools: Tools):
    store_of(tools.folder).append(make_record(1), after=0)


def same_uid(tools: Tools):
    store = store_of(tools.folder)
    store.append(make_record(1, uid=store.events()[0].uid))


BACKUP = "put a backup in its place"
SWALLOW = "CREATE TRIGGER t BEFORE INSERT ON events BEGIN SELECT RAISE(IGNORE); END"
DELETE = "CREATE TRIGGER t AFTER INSERT ON events BEGIN DELETE FROM events WHERE uid = NEW.uid; END"
CHANGE = "CREATE TRIGGER t AFTER INSERT ON events BEGIN UPDATE events SET status = 'skipped' WHERE uid = NEW.uid; END"
REFUSE = "CREATE TRIGGER t BEFORE INSERT ON events BEGIN SELECT RAISE(ABORT, 'not today'); END"
VIEW = ("ALTER TABLE events RENAME TO old", "CREATE VIEW events AS SELECT * FROM old")
hostile(
    "store: a shopping list", opened(written(b"bread, butter\n" * 99)), StoreError, "not a feedback database", BACKUP
)
hostile(
    "store: cut in half", opened(changed(lambda b: b[: len(b) // 2])), StoreError, "feedback.sqlite", "damaged", BACKUP
)
hostile(
    "store: its first page is noise", opened(changed(lambda b: b[:16] + b"\xa5" * 84 + b[100:])), StoreError, BACKUP
)
hostile(
    "store: somebody else's",
    opened(changed(lambda b: b[:68] + b"PNG!" + b[72:])),
    StoreError,
    "another program",
    "path",
)
hostile("store: newer than we are", opening("PRAGMA user_version = 9"), StoreError, "schema 9", "Update RLHF Lab")
hostile("store: of schema 0", opening("PRAGMA user_version = 0"), StoreError, "feedback.sqlite", "schema 0", BACKUP)
hostile("store: of schema -1", reading("PRAGMA user_version = -1"), StoreError, "schema -1", "user_version = 1", BACKUP)
hostile("store: no table", reading("DROP TABLE events"), StoreError, "damaged", "no such table: events", BACKUP)
hostile("store: no column", reading("ALTER TABLE events RENAME record TO r"), StoreError, "no such column", BACKUP)
hostile("store: a view as table", adding(*VIEW), StoreError, "damaged", "events", BACKUP)
hostile(
    "store: a column that must be filled",
    adding(
        "ALTER TABLE events ADD x INT NOT NULL DEFAULT 0",
        "DROP INDEX events_by_task",
        "CREATE UNIQUE INDEX i ON events (x)",
    ),
    StoreError,
    "damaged",
    "UNIQUE",
    BACKUP,
)
hostile("store: a trigger swallows", adding(SWALLOW), StoreError, "could not be read back", "trigger", BACKUP)
hostile("store: a trigger deletes", adding(DELETE), StoreError, "could not be read back", "trigger", BACKUP)
hostile("store: a trigger changes", adding(CHANGE), StoreError, "could not be read back", "trigger", BACKUP)
hostile("store: a trigger refuses", adding(REFUSE), StoreError, "not today", BACKUP)
hostile("store: a folder", opened(lambda f: f), StoreError, "not a file", "RLHF_LAB_HOME")
hostile(
    "store: below a file", opened(lambda f: a_file(f) / "x.sqlite"), StoreError, "x.sqlite", "Check that its folder"
)
if os.name == "posix":
    hostile("store: a pipe", opened(a_pipe), StoreError, "pipe", "not a file")
    hostile("store: endless zeros", opened(lambda f: "/dev/zero"), StoreError, "/dev/zero", "not a file")
    hostile("store: a full disk", full_disk, StoreError, "feedback.sqlite", "space left")
hostile("store: a bin that forgets", opened(lambda f: os.devnull), StoreError, os.devnull, "not a file")
hostile("store: NUL in its path", opened(lambda f: f"{f}/a\0b"), StoreError, "null", "Cannot use the feedback database")
hostile("store: a name too long", opened(lambda f: f / ("x" * 300)), StoreError, "Cannot use the feedback database")
hostile("store: locked", locked, StoreBusyError, "feedback.sqlite", "locked", "nothing was written", "try again")
hostile("store: another was faster", written_by_another_notebook, ConflictError, "Another notebook", "'task'")
hostile("store: one uid, two records", same_uid, RecordError, "already has uid", "never changed")
hostile("store: half a character", lambda t: store_of(t.folder).events("\ud800"), StoreError, "surrogates not allowed")
hostile("store: not a record", lambda t: store_of(t.folder).append({"a": 1}), RecordError, "keeps Records", "got dict")

# -- sessions and raters --

PAIRS = [compare_item(f"Prompt {number}:", " one", " two") for number in range(3)]


def session(tools: Tools, queue=PAIRS, task="task", rater="ann", source="human", **how) -> RatingSession:
    return RatingSession(FeedbackStore(tools.folder / "feedback.sqlite"), task, queue, rater, source, **how)


def answering(value, **how):
    def call(tools: Tools):
        one = session(tools)
        one.answer(value, one.view().turn, **how)

    return call


class Judge:
    """A rater that says the same thing to every pair."""

    def __init__(self, said):
        self.said = said

    def compare(self, prompt, left, right):
        return self.said


def rated_by(rater, source="simulated"):
    return lambda tools: rate_with(session(tools, source=source), rater)


ALL = "human, simulated, replay, gold, model"
hostile("session: no task", lambda t: session(t, task=""), FeedbackError, "task_id must be a string", "''")
hostile("session: a task that is a number", lambda t: session(t, task=7), FeedbackError, "task_id must be", "7")
hostile("session: no rater", lambda t: session(t, rater=None), FeedbackError, "rater_id must be a string", "None")
hostile(
    "session: an unknown source", lambda t: session(t, source="robot"), FeedbackError, "source must be", ALL, "'robot'"
)
hostile("session: an unknown kind", lambda t: session(t, kind="wink"), FeedbackError, "kind must be one of", "'wink'")
hostile("session: texts for items", lambda t: session(t, ["a", "b"]), FeedbackError, "made of Items", "got str")
hostile("session: one item twice", lambda t: session(t, [PAIRS[0]] * 2), FeedbackError, "same item_id", "its own")
hostile(
    "session: one text to compare", lambda t: session(t, [question("p", ["a"])]), FeedbackError, "compare takes two"
)
hostile(
    "session: a side for an answer", answering({"winner": "left"}), RecordError, "The answer to a comparison", "'left'"
)
hostile("session: an answer of none", answering(None), RecordError, "The answer to a comparison", "None")
hostile("session: time runs backwards", answering({"winner": "tie"}, ms=-1), RecordError, "client_ms", "-1")
hostile("session: surer than sure", answering({"winner": "tie"}, confidence=2), RecordError, "between 0 and 1", "got 2")
hostile("rater: in a person's place", rated_by(Judge("tie"), "human"), FeedbackError, "a person's answers", "sibling")
hostile("rater: cannot do this", rated_by(object()), FeedbackError, "'object' does not answer", "'compare'")
hostile("rater: says nonsense", rated_by(Judge("maybe")), FeedbackError, "left, right, tie or both_bad", "'maybe'")
hostile(
    "gather: an unknown mode", lambda t: gather(session(t), 1, mode="maybe"), FeedbackError, "RLHF_LAB_RATER", "maybe"
)
hostile(
    "gather: nobody answers", lambda t: gather(session(t), 1, mode="human"), FeedbackError, "'task' yet", "Rate some"
)

# -- panels, quizzes, tables and figures --

ONE = [question("p", ["a"])]
HALF = [Option("It rises", True, "Because."), Option("It falls", False, " ")]
hostile(
    "panel: of another kind", lambda t: CompareWidget(session(t, ONE, kind="score")), FeedbackError, "kind='compare'"
)
hostile(
    "panel: nine texts",
    lambda t: RankWidget(session(t, [question("p", list("abcdefghi"))], kind="rank")),
    FeedbackError,
    "at most 8",
    "has 9",
)
hostile(
    "panel: a scale upside down",
    lambda t: ScoreWidget(session(t, ONE, kind="score"), scale=(5, 1)),
    FeedbackError,
    "(5, 1)",
)
hostile(
    "panel: a tag twice",
    lambda t: LabelWidget(session(t, ONE, kind="label"), tags=["a", "a"]),
    FeedbackError,
    "given twice",
)
hostile(
    "quiz: no right answer", lambda t: Quiz("?", HALF[1:] * 2, name="00-x"), ValueError, "'00-x'", "one of them right"
)
hostile("quiz: an answer without a reason", lambda t: Quiz("?", HALF, name="00-x"), ValueError, "'It falls'", "why")
hostile("slider: starts outside", lambda t: explore(print, beta=(0, 1, 2)), ValueError, "'beta'", "cannot start at 2")
hostile(
    "table: uneven",
    lambda t: plots.side_by_side({"a": ["x"], "b": []}),
    ValueError,
    "one length",
    "'a' has 1, 'b' has 0",
)
hostile("tokens: too few marks", lambda t: plots.show_tokens(["a", "b"], [True]), ValueError, "1 marks for 2 tokens")
hostile("tokens: too many numbers", lambda t: plots.show_token_values(["a"], {"KL": [1, 2]}), ValueError, "'KL' has 2")
hostile("runs: nobody measured it", lambda t: plots.runs_figure({"a": [{"step": 1}]}, {"x": "kl"}), ValueError, "'kl'")

# -- progress: the store says what is wrong, and nothing above it raises (test_attempts.py) --


def progress(*statements: str, then=ProgressStore.events):
    def call(tools: Tools):
        store = ProgressStore(tools.folder / "progress.sqlite")
        store.append("solved", "gae")
        with closing(sqlite3.connect(store.path)) as connection, connection:
            for statement in statements:
                connection.execute(statement)
        then(store)

    return call


def more(store: ProgressStore):
    store.append("solved", "kl")


def no_home(tools: Tools):
    with home(a_file(tools.folder)):
        ProgressStore().events()


AWAY = "move it away"
hostile("progress: no table", progress("DROP TABLE events"), ProgressError, "progress.sqlite is damaged", AWAY)
hostile("progress: a trigger swallows", progress(SWALLOW, then=more), ProgressError, "progress.sqlite is damaged", AWAY)
hostile("progress: newer", progress("PRAGMA user_version = 3"), ProgressError, "a newer version", "not touched")
hostile("progress: somebody else's", progress("PRAGMA application_id = 1"), ProgressError, "another program", AWAY)
hostile("progress: no home", no_home, ProgressError, "RLHF_LAB_HOME names", TODO)
