"""Files of JSON lines: read as they should be, counted and said where something is left out, written whole."""

import gzip
import json
import os
import resource
import tracemalloc
import warnings
from collections.abc import Callable

import pytest

from rlhf_lab.feedback import PreferencePair, RecordError, StoreError, read_records, write_records
from rlhf_lab.feedback.formats import arena, argilla, hh, trl
from rlhf_lab.feedback.formats.rows import read_rows, write_rows

ROWS = [{"a": "é\u2028\x00 \x85", "b": [1, -(10**299)]}, {"a": None}]
PAIR = PreferencePair("Review of the inn:", " Fine.", " Dull.", "x")
START = "\n\nHuman: Who mends boots?\n\nAssistant:"


# -- Reading --


@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzip"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"], ids=["no mark", "mark"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\n \t\n\n"])
@pytest.mark.parametrize("ensure_ascii", [True, False])
def test_rows_are_read_as_other_programs_write_them(tmp_path, pack, mark, end, ensure_ascii):
    path = tmp_path / "rows"
    lines = [json.dumps(row, ensure_ascii=ensure_ascii) for row in ROWS]
    path.write_bytes(pack(mark + end.join(lines).encode()))  # the last line has no end
    assert read_rows(path) == read_rows(str(path)) == ROWS
    assert [row.where for row in read_rows(path)] == [f"{path}, line {n}" for n in (1, 1 + end.count("\n"))]


def test_a_gzip_file_of_several_parts(tmp_path):
    (tmp_path / "rows.gz").write_bytes(b"".join(gzip.compress(json.dumps(row).encode() + b"\n") for row in ROWS))
    assert read_rows(tmp_path / "rows.gz") == ROWS


def test_a_gzip_bomb_is_not_unpacked(tmp_path):
    (tmp_path / "bomb.gz").write_bytes(gzip.compress(bytes(2**28), 1))
    tracemalloc.start()
    try:
        with pytest.raises(StoreError, match="line 1 is longer than 16,777,216 bytes"):
            read_rows(tmp_path / "bomb.gz")
        assert tracemalloc.get_traced_memory()[1] < 80 * 2**20
    finally:
        tracemalloc.stop()


def test_the_place_of_a_row_outlives_a_selection(tmp_path):
    """Whoever filters and joins rows still learns which line of which file was wrong."""
    for name in "ab":
        write_rows(
            tmp_path / f"{name}.jsonl", [{"prompt": "p", "chosen": "x", "rejected": i or 7} for i in ("y", "", "z")]
        )
    rows = [row for name in "ab" for row in read_rows(tmp_path / f"{name}.jsonl") if row["rejected"] != "z"]
    with pytest.raises(RecordError, match=r"a\.jsonl, line 2: It needs a text 'rejected'; got 7"):
        trl.from_preference(rows)
    with pytest.raises(RecordError, match=r"b\.jsonl, line 2: "):
        trl.from_preference(rows[2:])


# -- What is left out --


@pytest.mark.parametrize("read", [read_records, read_rows, hh.read_hh], ids=lambda read: read.__name__)
@pytest.mark.parametrize("content", [b"", b"\n \n", b"\xef\xbb\xbf", gzip.compress(b"")], ids=range(4))
def test_an_empty_file_is_said_to_be_one(tmp_path, read, content):
    (tmp_path / "rows.jsonl").write_bytes(content)
    assert (
        said_once(lambda: read(tmp_path / "rows.jsonl"), [])
        == f"{tmp_path / 'rows.jsonl'} is empty: there is no row in it."
    )


def test_equal_pairs_are_counted(tmp_path):
    same, other = (
        {"chosen": START + " Fine.", "rejected": START + " Fine."},
        {"chosen": START, "rejected": START + " No."},
    )
    write_rows(tmp_path / "hh.jsonl", [same, other, same, same])
    counted = "Left out: rows of two equal texts, which prefer nothing (3)."
    assert said_once(lambda: len(hh.read_hh(tmp_path / "hh.jsonl")), 1) == counted
    rows = [{"prompt": "p", **row} for row in (same, same, other, same)]
    assert said_once(lambda: len(trl.from_preference(rows)), 1) == counted
    assert said_once(lambda: trl.from_preference(rows[:2]), []).endswith("(2).")


def test_battles_count_what_is_no_comparison(record):
    item = {"candidates": record().candidates[:1], "display_order": record().display_order[:1]}
    records = [record(), record(1, kind="label", value=[], **item), record(2, status="skipped", value=None)]
    assert "answers of other kinds, for a battle is a comparison (1)" in said_once(
        lambda: len(arena.to_battles(records)), 1
    )


def test_argilla_counts_what_does_not_stand():
    def response(value, user="u", status="submitted"):
        return {"value": value, "user_id": user, "status": status}

    def row(*responses):
        fields = {"prompt": "p", "text_1": "x", "text_2": "y"}
        return {"fields": fields, "metadata": {"kind": "compare"}, "responses": {"preference": list(responses)}}

    rows = [
        row(response("text_1"), response("tie", "v", "draft"), response("both_bad")),
        row(response("tie", "v", "discarded")),
        row({"user_id": "w", "status": "draft"}),
        row(),
    ]
    said = said_once(lambda: [record.winner for record in argilla.from_argilla(rows)], ["both_bad"])
    assert "responses that are drafts or discarded (3)" in said
    assert "earlier responses of users who answered again (1)" in said
    assert "records that nobody answered (3)" in said


def test_nothing_is_said_where_nothing_is_left_out(tmp_path, record):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        hh.write_hh(tmp_path / "hh.jsonl", [PAIR])
        assert len(hh.read_hh(tmp_path / "hh.jsonl")) == 1
        write_rows(tmp_path / "argilla.jsonl", argilla.to_argilla([record()]))
        assert len(argilla.from_argilla(read_rows(tmp_path / "argilla.jsonl"))) == 1
        assert len(arena.from_battles(arena.to_battles([record()]))) == 1


def said_once(call: Callable[[], object], result: object) -> str:
    """The one warning of a call, which must give this result. It names the line of the caller, not ours."""
    with pytest.warns(UserWarning) as caught:
        assert call() == result
    (warning,) = caught
    assert warning.filename == __file__
    return str(warning.message)


# -- Writing --


WRITERS = {
    "records": lambda path, record: write_records(path, [record(i) for i in range(99)]),
    "rows": lambda path, record: write_rows(path, [{"number": i} for i in range(99)]),
    "hh": lambda path, record: hh.write_hh(path, [PAIR] * 99),
}


@pytest.mark.parametrize("write", WRITERS.values(), ids=list(WRITERS))
@pytest.mark.parametrize("name", ["rows.jsonl", "rows.jsonl.gz"])
def test_a_full_disk_leaves_the_old_file(tmp_path, record, write, name):
    path = tmp_path / name
    path.write_bytes(b"old")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50, limits[1]))  # the system refuses what is beyond 50 bytes of a file
    try:
        with pytest.raises(StoreError, match="what was there is as it was"):
            write(path, record)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert path.read_bytes() == b"old" and os.listdir(tmp_path) == [name]
    assert write(path, record) == 99 and os.listdir(tmp_path) == [name]
    assert len(read_rows(path)) == 99


def test_an_error_or_an_interrupt_midway_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "rows.jsonl"
    path.write_bytes(b"old")

    def rows():
        yield {"a": 1}
        raise ZeroDivisionError

    def interrupt(*_):
        raise KeyboardInterrupt

    with pytest.raises(ZeroDivisionError):
        write_rows(path, rows())
    monkeypatch.setattr(os, "replace", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_rows(path, [{"a": 1}])
    assert path.read_bytes() == b"old" and os.listdir(tmp_path) == ["rows.jsonl"]


def test_a_link_stays_a_link_and_the_mode_stays(tmp_path):
    (tmp_path / "far").mkdir()
    file, link = tmp_path / "far" / "rows.jsonl", tmp_path / "rows.jsonl"
    file.touch(mode=0o640)
    link.symlink_to(file)
    assert write_rows(link, ROWS) == 2
    assert link.is_symlink() and read_rows(file) == ROWS and file.stat().st_mode & 0o777 == 0o640
