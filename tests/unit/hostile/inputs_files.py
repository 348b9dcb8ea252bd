"""Files and imports: what cannot be read or written, rows that are none, texts that no tokenizer takes."""

import gzip
import json
import os
from pathlib import Path
from unittest.mock import patch

from hostile import Tools, hostile

from rlhf_lab.feedback import (
    Candidate,
    FeedbackError,
    FeedbackStore,
    Item,
    RatingSession,
    Record,
    RecordError,
    StoreError,
    compare_item,
    lines,
    question,
    read_records,
    write_records,
)
from rlhf_lab.feedback.formats import arena, argilla, hh, trl
from rlhf_lab.feedback.formats.rows import read_rows, write_rows
from rlhf_lab.models.sampling import Rollout, sample
from rlhf_lab.models.tokens import encode_completions
from rlhf_lab.training.language_model import held_out_loss
from rlhf_lab.widgets import CompareWidget
from rlhf_lab.world.documents import Document

HALF = "half \ud83d"  # the first half of an emoji
HUGE = 10**400


def deep(levels=100_000):
    found = []
    for _ in range(levels):
        found = [found]
    return found


def circle():
    found = []
    found.append(found)
    return found


# -- Files ---------------------------------------------------------------------------------------------


def hostile_file(name, content, error, *words, read=read_rows, file="rows.jsonl"):
    """A file with this content, read; the sentence names the file."""

    def call(tools: Tools):
        path = tools.folder / file
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return read(path)

    hostile(name, call, error, file, *words)


def hostile_path(name, make, *words, read=read_rows):
    """A path that is no file that can be read."""
    hostile(name, lambda tools: read(make(tools.folder)), StoreError, "Cannot read", *words)


def made(path, how, *arguments):
    how(*arguments, path)
    return path


LOOP = "loop.jsonl"
ROW = '{"chosen": "x", "rejected": "y"}\n'

hostile_path("no such file", lambda folder: folder / "mistyped.jsonl", "mistyped.jsonl", "no such file", "Check")
hostile_path("records: no such file", lambda folder: folder / "none.jsonl", "none.jsonl", "no such", read=read_records)
hostile_path("hh: no such file", lambda folder: folder / "none.jsonl.gz", "none.jsonl.gz", "no such", read=hh.read_hh)
hostile_path("a folder", lambda folder: folder, "a folder", "Name a file")
hostile_path("a pipe that nobody writes to", lambda folder: made(folder / "pipe", os.mkfifo), "a device or a pipe")
hostile_path("a device without an end", lambda folder: Path("/dev/zero"), "/dev/zero", "a device or a pipe")
hostile_path("NUL in a path", lambda folder: folder / "a\0b.jsonl", "null byte", "Check the path")
hostile_path("half a character in a path", lambda folder: folder / f"{HALF}.jsonl", "surrogates", "Check the path")
hostile_path("None for a path", lambda folder: None, "NoneType", "Check the path")
hostile_path("a number for a path", lambda folder: 0, "not int", "Check the path")
hostile_path("a name that is too long", lambda folder: folder / ("x" * 5000), "too long")
hostile_path("a file as a folder", lambda folder: made(folder / "f", Path.touch) / "rows", "Not a directory")
hostile_path("a link to nothing", lambda folder: made(folder / "link", os.symlink, folder / "gone"), "no such file")
hostile_path("a link to itself", lambda folder: made(folder / LOOP, os.symlink, folder / LOOP), LOOP, "symbolic links")

hostile_file("UTF-16 with a mark", ROW.encode("utf-16"), StoreError, "line 1", "UTF-16", "Save the file as UTF-8")
hostile_file("UTF-16 without a mark", ROW.encode("utf-16-le"), StoreError, "line 1", "UTF-16", "Save the file as UTF-8")
hostile_file("Latin-1", f"{ROW}\n{{'a': 'é'}}\n".encode("latin-1"), StoreError, "line 3", "Latin-1", "0xe9", "as UTF-8")
hostile_file("a database", b"SQLite format 3\0" + bytes(99), StoreError, "line 1", "binary file")
hostile_file("a gzip file that is cut", gzip.compress(ROW.encode() * 99)[:-20], StoreError, "cut or damaged", "Get it")
hostile_file("a gzip file with a wrong sum", gzip.compress(b"x")[:-8] + b"12345678", StoreError, "damaged", "CRC")
hostile_file("only the mark of gzip", b"\x1f\x8b", StoreError, "cut or damaged")
hostile_file("gzip in gzip", gzip.compress(gzip.compress(ROW.encode())), StoreError, "line 1", "not UTF-8")
hostile_file("a gzip bomb in one line", gzip.compress(bytes(2**25)), StoreError, "line 1 is longer", "16,777,216 bytes")
hostile("an endless line", lambda t: read_rows(made(t.folder / "holes", sparse)), StoreError, "holes, line 1 is longer")
hostile_file(
    "a gzip bomb of many lines",
    gzip.compress(ROW.encode() * 10),
    StoreError,
    "line 8: we read files of up to 256 bytes",
    "Split",
    read=lambda path: read_small(path, "LARGEST_FILE", 256),
)
hostile_file(
    "a gzip bomb of nothing",
    gzip.compress(b"\n" * 10**6),
    StoreError,
    "line 1001: we read files of up to",
    "1,000 lines",
    read=lambda path: read_small(path, "MOST_LINES", 1000),
)

hostile_file("a cut line", ROW + ROW[:-9], RecordError, "line 2", "not JSON", "Unterminated string")
hostile_file("two objects in a line", '{"a": 1} {"b": 2}', RecordError, "line 1", "Extra data, at character 10")
hostile_file("a list over many lines", '\n[\n{"a": 1}\n]', RecordError, "line 2", "Each line must be one JSON object")
hostile_file("a table of words", "prompt,chosen,rejected\np,x,y\n", RecordError, "line 1", "Expecting value")
hostile_file("Python's dicts", "{'a': None}\n", RecordError, "line 1", "double quotes")
hostile_file("brackets without an end", "\n\n" + "[" * 10**6, RecordError, "line 3", "nested too deeply")
hostile_file("a deep object", '{"a":' * 10**5 + "1" + "}" * 10**5, RecordError, "line 1", "nested too deeply")
hostile_file("a number of 400 digits", f'{ROW}{{"a": {HUGE}}}', RecordError, "line 2", "401 digits", "up to 300")
hostile_file("a row that is a text", f'{ROW}"text"', RecordError, "line 2", "JSON object", "got 'text'")
hostile_file("a row that is a list", f"[{ROW.strip()}]", RecordError, "line 1", "got [{")
hostile_file("a row that is a number", f"{ROW}\n\n7", RecordError, "line 4", "got 7")
hostile_file("NUL in a line", ROW + '{"a": "\0"}', StoreError, "line 2", "binary file")


def sparse(path):
    path.touch()
    os.truncate(path, lines.LONGEST_LINE + 1)


def read_small(path, limit, value):
    """With a limit that a small file reaches."""
    with patch.object(lines, limit, value):
        return read_rows(path)


# -- Records -------------------------------------------------------------------------------------------

ITEM = compare_item("p", " one", " two")
GOOD = Record(
    rater_id="ann",
    source="human",
    session_id="s",
    task_id="t",
    kind="compare",
    item_id=ITEM.item_id,
    prompt="p",
    candidates=ITEM.candidates,
    display_order=tuple(candidate.id for candidate in ITEM.candidates),
    status="submitted",
    value={"winner": "tie"},
).to_dict()


def hostile_record(name, change, *words):
    """A good record and one with a change, in a file."""
    content = f"{json.dumps(GOOD)}\n\n{json.dumps({**GOOD, **change})}\n"
    hostile_file(f"records: {name}", content, RecordError, "line 3", *words, read=read_records)


def hostile_value(name, kind, value, *words):
    texts = [" one", " two"] if kind == "compare" else [" one"]
    item = question("p", texts)
    ids = [candidate.id for candidate in item.candidates]
    new = {"kind": kind, "candidates": item.candidates, "display_order": ids, "value": value}
    hostile(name, lambda _: Record(**{**GOOD, **new}), RecordError, *words)


hostile_file("records: rows of another format", ROW, RecordError, "line 1", "do not know: chosen", read=read_records)
hostile_file("records: next to nothing", "{}", RecordError, "line 1", "lacks a field", read=read_records)
hostile_file("records: no JSON", "Where is the well?", RecordError, "line 1", "not JSON", read=read_records)
hostile_record("from a newer version", {"schema_version": 2}, "form 2", "Update RLHF Lab")
hostile_record("a version of 40 digits", {"schema_version": 10**39}, "we read form 1")
hostile_record("a kind that is a list", {"kind": ["compare"]}, "kind must be one of", "['compare']")
hostile_record("a status that is a dict", {"status": {}}, "status must be one of", "got {}")
hostile_record("candidates that are texts", {"candidates": ["a", "b"]}, "wrong type")
hostile_record("candidates that are a number", {"candidates": 3}, "wrong type")
hostile_record("no candidate", {"candidates": [], "display_order": []}, "at least one Candidate")
hostile_record("a candidate with another field", {"candidates": [{"id": "a", "txt": ""}]}, "'txt'")
hostile_record("an order of numbers and texts", {"display_order": [1, "a"]}, "display_order must name every candidate")
hostile_record(
    "an order that names one twice", {"display_order": [ITEM.candidates[0].id] * 2}, "display_order must name"
)
hostile_record("an order that is a text", {"display_order": "ab"}, "display_order must name", "['ab']")
hostile_record("gold that is a word", {"is_gold": "false"}, "is_gold must be true or false", "'false'")
hostile_record("a time that is none", {"ts_utc": "yesterday"}, "ts_utc must be a time like", "'yesterday'")
hostile_record("milliseconds of 30 digits", {"client_ms": 10**29}, "client_ms must be a whole number")
hostile_record(
    "half a character in the prompt", {"prompt": HALF}, "prompt has half of a character", "position 5", "Mend it"
)
hostile_record("half a character in the note", {"note": HALF}, "note has half of a character")
hostile_record("half a character in a name", {"rater_id": HALF}, "rater_id has half of a character")
hostile_record("a value of a skipped question", {"status": "skipped"}, "carries no value")

hostile_value(
    "a strength of 400 digits", "compare", {"winner": "tie", "strength": HUGE}, "made of JSON values", "401 digits"
)
hostile_value("a score of 400 digits", "score", {"overall": HUGE}, "401 digits")
hostile_value("a score that is no number", "score", {"overall": float("nan")}, "made of JSON values")
hostile_value("half a character in an edit", "edit", {"base_id": "a", "text": HALF}, "half of a character")
hostile_value("half a character in a tag", "label", [HALF], "half of a character")
hostile_value("a value that holds itself", "label", circle(), "made of JSON values", "Circular")
hostile_value("a very deep value", "label", deep(), "made of JSON values", "recursion")
hostile_value("a value as long as a book", "label", "x" * 10**6, "Labels are a list of tags", "...")

hostile(
    "a confidence of 400 digits",
    lambda _: Record(**{**GOOD, "candidates": ITEM.candidates, "confidence": HUGE}),
    RecordError,
    "confidence must be between 0 and 1",
)
hostile("a seed of 400 digits", lambda _: Candidate("a", "x", seed=HUGE), RecordError, "seed", "whole number")
hostile("a candidate with half a text", lambda _: Candidate("a", HALF), RecordError, "text of candidate 'a' has half")
hostile(
    "half a setting", lambda _: Candidate("a", "x", sampling={"name": HALF}), RecordError, "sampling settings has half"
)
hostile(
    "a deep setting", lambda _: Candidate("a", "x", sampling={"n": deep()}), RecordError, "sampling settings", "JSON"
)
hostile("a prompt of bytes", lambda _: question(b"p", ["x"]), RecordError, "must be a string; got bytes")
hostile("a question about None", lambda _: question("p", ["x", None]), RecordError, "must be a string; got NoneType")
hostile("a question without texts", lambda _: question("p", None), RecordError, "takes a list of texts")
hostile(
    "a question with half a text", lambda _: compare_item("p", "x", HALF), RecordError, "half of a character", "Mend"
)
hostile("an item of numbers", lambda _: Item("i", "p", 5), RecordError, "at least one Candidate")


# -- hh-rlhf and TRL -----------------------------------------------------------------------------------

START = "\n\nHuman: Where?\n\nAssistant:"
USER, ASSISTANT = {"role": "user", "content": "Where?"}, {"role": "assistant", "content": "Here."}


def hostile_rows(name, convert, row, *words, before='{"prompt": "p", "chosen": "x", "rejected": "y"}\n\n'):
    """A file with a row that cannot be converted, on line 3."""
    read = lambda path: convert(read_rows(path))  # noqa: E731
    hostile_file(name, f"{before}{json.dumps(row)}\n", RecordError, "rows.jsonl, line 3: ", *words, read=read)


def hostile_hh(name, row, *words):
    hostile_rows(f"hh: {name}", hh.from_hh, row, *words, before="\n\n")


def hostile_trl(name, row, *words, convert=trl.from_preference):
    hostile_rows(f"trl: {name}", convert, row, *words, before="\n\n")


hostile_hh("no rejected transcript", {"chosen": START}, "needs a text 'rejected'", "Its keys are ['chosen']")
hostile_hh("a chat", {"chosen": [USER, ASSISTANT], "rejected": [USER]}, "needs a text 'chosen'", "got [{")
hostile_hh("two questions", {"chosen": START + "x", "rejected": START[:12] + "?"}, "begin with the same question")
hostile_hh("half a character", {"chosen": START + "x", "rejected": START + HALF}, "'rejected' has half of a character")
hostile(
    "hh: a path for rows", lambda t: hh.from_hh(t.folder / "hh.jsonl"), RecordError, "list of dicts", "read_rows(path)"
)
hostile("hh: one row for rows", lambda _: hh.from_hh({"chosen": "x"}), RecordError, "list of dicts")
hostile("hh: a number for rows", lambda _: hh.from_hh(5), RecordError, "list of dicts", "got 5")
hostile("hh: a text among rows", lambda _: hh.from_hh(["x"]), RecordError, "Row 0 must be a dict; got str: 'x'")
hostile("hh: a list among rows", lambda _: hh.from_hh([[1]]), RecordError, "Row 0 must be a dict; got list: [1]")

CHAT = {"prompt": [USER], "chosen": [ASSISTANT], "rejected": [{**ASSISTANT, "content": "There."}]}
hostile_trl(
    "a role that is a list", {**CHAT, "chosen": [{**ASSISTANT, "role": ["assistant"]}]}, "A message is", "'role'"
)
hostile_trl(
    "a role that nobody knows", {**CHAT, "chosen": [{**ASSISTANT, "role": "tool"}]}, "one of ['user',", "'tool'"
)
hostile_trl("a chat of texts", {**CHAT, "chosen": ["Here."]}, "A message is {'role'", "got 'Here.'")
hostile_trl("a chat of lists", {**CHAT, "prompt": [["user", "Where?"]]}, "A message is {'role'", "got ['user'")
hostile_trl("two chats of texts", {"chosen": ["a", "b"], "rejected": ["a", "c"]}, "A message is {'role'", "got 'a'")
hostile_trl("a message of pictures", {**CHAT, "prompt": [{**USER, "content": [{"type": "image"}]}]}, "of text only")
hostile_trl("half a message", {**CHAT, "prompt": [{**USER, "content": HALF}]}, "message of the user has half of a")
hostile_trl("nobody answers", {**CHAT, "chosen": [USER]}, "begins with a message of the assistant")
hostile_trl("no prompt", {"chosen": "x", "rejected": "y"}, "needs a text 'prompt'")
hostile_trl(
    "a margin of another scale", {"prompt": "p", "chosen": "x", "rejected": "y", "margin": 9}, "margin is none of"
)
hostile_trl(
    "a margin that is no number", {"prompt": "p", "chosen": "x", "rejected": "y", "margin": "1"}, "Leave it out"
)
hostile_trl("no label", {"prompt": "p", "completion": "x"}, "label, true or false; got None", convert=trl.from_unpaired)
hostile_trl("no completion", {"prompt": "p"}, "needs a text 'completion'", convert=trl.from_prompt_completion)
hostile(
    "trl: a margin of 400 digits",
    lambda _: trl.from_preference([{"prompt": "p", "chosen": "x", "rejected": "y", "margin": HUGE}]),
    RecordError,
    "Row 0: ",
    "margin is none of",
)


# -- Chatbot Arena and Argilla -------------------------------------------------------------------------

BATTLE = {
    "model_a": "a",
    "model_b": "b",
    "winner": "tie",
    "conversation_a": [USER, ASSISTANT],
    "conversation_b": [USER, ASSISTANT],
}


def hostile_battle(name, change, *words):
    hostile_rows(f"arena: {name}", arena.from_battles, {**BATTLE, **change}, *words, before="\n\n")


hostile_battle("a conversation of texts", {"conversation_a": ["Where?", "Here."]}, "A message is", "got 'Where?'")
hostile_battle("a conversation that is a text", {"conversation_b": "Where?"}, "A chat is a list of messages")
hostile_battle("no conversation", {"conversation_b": None}, "A chat is a list of messages; got None")
hostile_battle("a role that is a list", {"conversation_a": [{**USER, "role": []}]}, "A message is")
hostile_battle("nobody says anything", {"conversation_a": [], "conversation_b": []}, "message of the assistant")
hostile_battle("a winner that nobody knows", {"winner": "A"}, "winner is none of", "'A'")
hostile_battle("winners", {"winner": ["model_a"]}, "needs a text 'winner'")
hostile_battle("a model without a name", {"model_a": None}, "needs a text 'model_a'")
hostile_battle("a model with half a name", {"model_a": HALF}, "'model_a' has half of a character")
hostile_battle("a time that is none", {"tstamp": "soon"}, "tstamp is no time: 'soon'")
hostile_battle("a time of 40 digits", {"tstamp": 10**39}, "tstamp is no time", "leave it out")
hostile_battle("a judge that is a dict", {"judge": {"name": "ann"}}, "'judge' must be a text or a whole number")
hostile_battle("a question's id that is a list", {"question_id": [1]}, "'question_id' must be a text or a whole number")
hostile(
    "arena: a battle as deep as a well",
    lambda _: arena.from_battles([{**BATTLE, "more": deep()}]),
    RecordError,
    "Battle 0: ",
    "nested too deeply",
)

ASKED = {"fields": {"prompt": "p", "text_1": "x", "text_2": "y"}, "metadata": {"kind": "compare"}}


def answered(answer, name="preference", **more):
    return {"responses": {name: [{"value": answer, "user_id": "u", **more}]}}


def hostile_argilla(name, change, *words):
    row = {**ASKED, **answered("text_1"), **change}
    hostile_rows(f"argilla: {name}", argilla.from_argilla, row, *words, before="\n\n")


def with_metadata(**more):
    return {"metadata": {"kind": "compare", **more}}


RANK = {"metadata": {"kind": "rank"}}

hostile_argilla("no fields", {"fields": None}, "needs a text 'prompt'")
hostile_argilla("fields that are a list", {"fields": ["p", "x"]}, "fields must be a dict", "['p', 'x']")
hostile_argilla("no texts", {"fields": {"prompt": "p"}}, "at least one Candidate")
hostile_argilla("texts that do not begin with 1", {"fields": {"prompt": "p", "text_2": "x"}}, "needs a text 'text_1'")
hostile_argilla("metadata that are a text", {"metadata": "kind: compare"}, "metadata must be a dict", "'kind: compare'")
hostile_argilla("no kind", {"metadata": None}, "does not say its kind", "Pass kind=")
hostile_argilla("a kind that is a list", {"metadata": {"kind": ["compare"]}}, "needs a text 'kind'")
hostile_argilla("a task that is a number", with_metadata(task_id=3), "needs a text 'task_id'; got 3")
hostile_argilla("candidates that are no JSON", with_metadata(candidates="a, b"), "must be JSON", "'a, b'", "Without it")
hostile_argilla("too few candidates", with_metadata(candidates='[["a", ""]]'), "for each of 2 texts")
hostile_argilla("candidates without policies", with_metadata(candidates='[["a"], ["b"]]'), "[[id, policy], ...]")
hostile_argilla("candidates that are numbers", with_metadata(candidates="[1, 2]"), "[[id, policy], ...]")
hostile_argilla("candidates that are a list", with_metadata(candidates=[["a", ""], ["b", ""]]), "must be JSON")
hostile_argilla("responses that are a list", {"responses": []}, "responses must be a dict; got []")
hostile_argilla("responses to a question that are a text", {"responses": {"preference": "text_1"}}, "a list of dicts")
hostile_argilla("a response without a user", {"responses": {"preference": [{"value": "tie"}]}}, "needs 'user_id' and")
hostile_argilla("a response without a value", {"responses": {"preference": [{"user_id": "u"}]}}, "and 'value'; got {")
hostile_argilla("a text that was not shown", answered("text_9"), "user u gave no answer of kind 'compare'", "'text_9'")
hostile_argilla("an answer to another question", answered("x", "edit"), "no answer of kind 'compare', see", "Mend it")
hostile_argilla("a preference that is a list", answered(["text_1"]), "user u gave no answer of kind 'compare'")
hostile_argilla(
    "a ranking of dicts", {**RANK, **answered([{"value": "text_1"}], "ranking")}, "no answer of kind 'rank'"
)
hostile_argilla("a ranking of one of two", {**RANK, **answered(["text_1"], "ranking")}, "names each of")
hostile_argilla(
    "ties that are a list",
    {
        **RANK,
        "responses": {
            "ranking": answered(["text_1", "text_2"])["responses"]["preference"],
            "ties": answered([])["responses"]["preference"],
        },
    },
    "no answer of kind 'rank'",
)
hostile_argilla(
    "half an edit",
    {"fields": {"prompt": "p", "text_1": "x"}, "metadata": {"kind": "edit"}, **answered(HALF, "edit")},
    "half of a character",
)
hostile(
    "argilla: an object for a row",
    lambda _: argilla.from_argilla([ITEM]),
    RecordError,
    "Argilla record 0 must be a dict",
    "got Item",
)


# -- Writing -------------------------------------------------------------------------------------------


def hostile_write(name, rows, error, *words, to="rows.jsonl", write=write_rows):
    hostile(
        f"writing: {name}",
        lambda tools: write(to(tools.folder) if callable(to) else tools.folder / to, rows),
        error,
        *words,
    )


hostile_write(
    "a number that is none", [{"a": 1}, {"a": float("nan")}], RecordError, "Row 1 cannot", "Nothing was written"
)
hostile_write("a number of 400 digits", [{"a": HUGE}], RecordError, "Row 0 cannot", "401 digits")
hostile_write("a set", [{"a": {1}}], RecordError, "Row 0 cannot be written as JSON", "set")
hostile_write("a row that holds itself", [{"a": circle()}], RecordError, "Row 0 cannot", "Circular")
hostile_write("a very deep row", [{"a": deep()}], RecordError, "Row 0 cannot", "recursion")
hostile_write("half a character", [{"a": HALF}], RecordError, "Row 0 has half of a character", "Nothing was written")
hostile_write("a row that is a list", [["a"]], RecordError, "Row 0 must be a dict")
hostile_write("a text for rows", "abc", RecordError, "Rows are a list of dicts")
hostile_write("a dict for a record", [GOOD], RecordError, "Record 0 is none", write=write_records)
hostile_write("over a folder", [], StoreError, "Cannot write", "not a file that may be written to", to="")
hostile_write("into no folder", [], StoreError, "no such file or folder", "its folder exists", to="none/rows.jsonl")
hostile_write("over a pipe", [], StoreError, "not a file", to=lambda folder: made(folder / "pipe", os.mkfifo))
hostile_write("NUL in a name", [], StoreError, "Cannot write", "null byte", to="a\0b")
hostile_write("None for a path", [], StoreError, "Cannot write 'None'", to=lambda folder: None)
hostile_write("a name that is too long", [], StoreError, "too long", to="x" * 500)


# -- Tokens and panels ---------------------------------------------------------------------------------

hostile(
    "half a prompt",
    lambda t: sample(t.model, t.tokenizer, ["Review of", HALF]),
    ValueError,
    "Prompt 1 of 2 has half of a character",
    "Mend it",
)
hostile(
    "a prompt that is None",
    lambda t: sample(t.model, t.tokenizer, [None]),
    ValueError,
    "Prompt 0 of 1 must be a string",
)
hostile(
    "half a completion",
    lambda t: Rollout.from_texts(t.tokenizer, ["p"], [HALF]),
    ValueError,
    "Completion 0 of 1 has half of a character",
)
hostile(
    "one text for completions",
    lambda t: encode_completions(t.tokenizer, "yes"),
    TypeError,
    "list of completions and got one string",
    "Pass [completion]",
)
hostile(
    "half a document",
    lambda t: held_out_loss(t.model, t.tokenizer, [Document("review", "p", HALF)]),
    ValueError,
    "Completion 0 of 1 has half",
)
hostile(
    "half a guideline",
    lambda t: CompareWidget(RatingSession(FeedbackStore(t.folder / "f.sqlite"), "t", [ITEM]), guidelines=HALF),
    FeedbackError,
    "guidelines of a panel has half of a character",
)
