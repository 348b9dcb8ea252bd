"""Records hold any text exactly, and refuse what makes no sense with words that help."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rlhf_lab.feedback import (
    Candidate,
    Item,
    Record,
    RecordError,
    StoreError,
    compare_item,
    effective,
    question,
    read_records,
    write_records,
)

ANY_TEXT = st.text(st.characters(codec="utf-8"), max_size=60)  # NUL included, lone surrogates not: they are refused
CANDIDATES = (Candidate("a", " one"), Candidate("b", " two"))


@given(prompt=ANY_TEXT, first=ANY_TEXT, second=ANY_TEXT, note=ANY_TEXT)
def test_any_text_survives(prompt, first, second, note):
    item = compare_item(prompt, first, second, sampling={"temperature": 0.7}, seeds=(3, None))
    record = Record(
        rater_id="r",
        source="human",
        session_id="s",
        task_id="t",
        kind="compare",
        item_id=item.item_id,
        prompt=prompt,
        candidates=item.candidates,
        display_order=[c.id for c in reversed(item.candidates)],
        status="submitted",
        value={"winner": item.candidates[1].id},
        note=note,
    )
    line = record.to_json()
    assert line.isascii() and "\n" not in line
    assert Record.from_json(line) == record
    assert record.item == item
    assert len({c.id for c in item.candidates}) == 2


def test_item_ids_come_from_the_content():
    item = compare_item("p", " x", " y", ("old", "new"))
    assert compare_item("p", " x", " y", ("old", "new")) == item
    changed = [("q", " x", " y"), ("p", " z", " y"), ("p", " x", " z"), ("p", " y", " x")]
    assert len({item.item_id, *(compare_item(*texts, ("old", "new")).item_id for texts in changed)}) == 5
    same = compare_item("p", " x", " x")
    assert same.candidates[0].id != same.candidates[1].id


def test_questions_about_any_number_of_texts():
    item = question("p", [" x", " y", " x", " x"], ("old", "new", "old", "new"))
    assert len({c.id for c in item.candidates}) == 4 and item.candidates[2].text == " x"
    assert question("p", [" x", " y"], ("old", "new")) == compare_item("p", " x", " y", ("old", "new"))
    assert len(question("p", [" x"]).candidates) == 1
    assert question("p", [" x", " y"], seeds=(1, None)).candidates[0].seed == 1
    for nonsense, words in ((" x", r"write \[text\]"), ([], "at least one Candidate")):
        with pytest.raises(RecordError, match=words):
            question("p", nonsense)
    with pytest.raises(RecordError, match="2 texts, 1 policies"):
        question("p", [" x", " y"], policies=("old",))


def test_strength(record):
    item = compare_item("p", " x", " y")
    ids = [c.id for c in item.candidates]
    shown = {"candidates": item.candidates, "display_order": ids}
    assert record(**shown, value={"winner": ids[1], "strength": 2}).strength == 2
    assert record(**shown, value={"winner": ids[1]}).strength is None
    assert record(**shown, value={"winner": "tie"}).strength is None
    assert record(**shown, status="skipped", value=None).strength is None


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"source": "robot"}, "source must be one of human"),
        ({"kind": "shrug"}, "kind must be one of compare"),
        ({"status": "maybe"}, "status must be one of submitted"),
        ({"rater_id": ""}, "rater_id must be a string that is not empty"),
        ({"task_id": 3}, "task_id must be a string"),
        ({"prompt": None}, "prompt must be a string"),
        ({"display_order": ("x",)}, "display_order must name every candidate"),
        ({"candidates": ()}, "at least one Candidate"),
        ({"client_ms": -1}, "client_ms must be a whole number"),
        ({"client_ms": 1.5}, "client_ms must be a whole number"),
        ({"client_ms": True}, "client_ms must be a whole number"),
        ({"confidence": 2}, "confidence must be between 0 and 1"),
        ({"confidence": float("nan")}, "confidence must be between 0 and 1"),
        ({"value": {"winner": "nobody"}}, "The answer to a comparison is"),
        ({"value": {"winner": "left"}}, "The answer to a comparison is"),
        ({"value": "tie"}, "The answer to a comparison is"),
        ({"value": None}, "The answer to a comparison is"),
        ({"status": "skipped"}, "carries no value"),
        ({"status": "retracted", "value": None}, "must name the record it takes back"),
        ({"uid": "u", "supersedes": "u"}, "cannot supersede itself"),
        ({"schema_version": 99}, "Update RLHF Lab"),
    ],
)
def test_nonsense_is_refused(record, changes, words):
    with pytest.raises(RecordError, match=words):
        record(**changes)


@pytest.mark.parametrize(
    ("kind", "good", "bad"),
    [
        (
            "compare",
            [
                {"winner": "a"},
                {"winner": "tie"},
                {"winner": "both_bad"},
                {"winner": "b", "strength": 1},
                {"winner": "b", "strength": 3},
            ],
            [
                {},
                {"winner": "a", "x": 1},
                ["a"],
                {"strength": 1},
                {"winner": "tie", "strength": 1},
                *({"winner": "a", "strength": wrong} for wrong in (0, 4, 1.0, True, None, "2")),
            ],
        ),
        ("score", [{"overall": 7}, {"tone": 1, "truth": 2}], [{}, {"overall": 1.5}, {"overall": True}, 7]),
        ("label", [[], ["unsafe", "untrue"]], [["unsafe", "unsafe"], [1], "unsafe", None]),
        ("rank", [[["a"], ["b"]], [["a", "b"]]], [[["a"]], [["a"], ["a", "b"]], ["a", "b"], [["a"], [], ["b"]], None]),
        (
            "edit",
            [{"base_id": "a", "text": ""}],
            [{"base_id": "c", "text": ""}, {"base_id": "a"}, {"base_id": "a", "text": 1}],
        ),
    ],
)
def test_values_by_kind(record, kind, good, bad):
    for value in good:
        kept = record(kind=kind, candidates=CANDIDATES, display_order=("b", "a"), value=value)
        assert kept.value == value and Record.from_json(kept.to_json()) == kept
    for value in bad:
        with pytest.raises(RecordError):
            record(kind=kind, candidates=CANDIDATES, display_order=("b", "a"), value=value)


def test_candidates_and_items():
    with pytest.raises(RecordError, match="that word is an answer"):
        Candidate("tie", "text")
    with pytest.raises(RecordError, match="same id"):
        Item("i", "p", (Candidate("a", "x"), Candidate("a", "y")))
    with pytest.raises(RecordError, match="JSON"):
        Candidate("a", "x", sampling={"device": object()})
    with pytest.raises(RecordError, match="seed"):
        Candidate("a", "x", seed="7")
    settings = {"temperature": 1.0}
    candidate = Candidate("a", "x", sampling=settings)
    settings["temperature"] = 2.0
    assert candidate.sampling == {"temperature": 1.0}, "a record must not change with the dict it was made from"


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("not json", "This is not JSON"),
        ("[]", "must be a JSON object"),
        ("{}", "lacks a field"),
        ('{"schema_version": 2}', "newer version of RLHF Lab"),
        ('{"colour": "red"}', "fields that we do not know: colour"),
        ('{"candidates": [{"id": "a", "txt": "x"}], "display_order": []}', "txt"),
        ('{"candidates": 3}', "wrong type"),
    ],
)
def test_lines_that_are_no_records(line, words):
    with pytest.raises(RecordError, match=words):
        Record.from_json(line)


def test_effective(record):
    first, second = record(1), record(2)
    skipped = record(3, status="skipped", value=None)
    back = record(2, status="retracted", value=None, supersedes=second.uid)
    better = record(1, supersedes=first.uid)
    assert effective([first, second, skipped, back, better]) == [skipped, better]
    assert effective(effective([first, second, skipped, back, better])) == [skipped, better]


def test_files(tmp_path, record):
    records = [record(i, note="é\u2028\x00 \U0001f35e") for i in range(3)]
    path = tmp_path / "records.jsonl"
    assert write_records(path, records) == 3
    assert read_records(path) == records
    content = path.read_text().splitlines()
    content[1] = json.dumps({**json.loads(content[1]), "kind": "nod"})
    path.write_text("\n".join(content))
    with pytest.raises(RecordError, match=r"line 2: kind must be one of"):
        read_records(path)
    with pytest.raises(StoreError, match="no such file"):
        read_records(tmp_path / "none.jsonl")
