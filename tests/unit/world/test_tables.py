"""The town's text files: read as they stand, and asked for by name where one is missing."""

import pytest

from rlhf_lab import paths
from rlhf_lab.world import tables

FOLDER = paths.data_dir() / "world"


def test_a_missing_file_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "data_dir", lambda: tmp_path)
    with pytest.raises(FileNotFoundError, match=r"sagas\.txt is missing"):
        tables.rules("sagas")
    with pytest.raises(FileNotFoundError, match=r"moon\.ini is missing"):
        tables.tables("moon")


def test_rows_go_on_over_lines_and_keep_their_capitals(tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "data_dir", lambda: tmp_path)
    (tmp_path / "world").mkdir()
    (tmp_path / "world" / "fair.ini").write_text("# heading\n[Sizes]\na Goose = big | 7%\n  and  wet\nnone =\n")
    assert tables.tables("fair") == {"Sizes": {"a Goose": ("big", "7% and wet"), "none": ("",)}}
    assert tables.single({"a": ("b",)}) == {"a": "b"}
    with pytest.raises(ValueError):
        tables.single({"a": ("b", "c")})


def test_the_files_are_plain_and_short_of_line():
    for path in FOLDER.iterdir():
        raw = path.read_bytes()
        assert raw.isascii() and b"\r" not in raw and b"\t" not in raw and raw.endswith(b"\n")
        assert max(map(len, raw.splitlines())) <= 120, path.name
