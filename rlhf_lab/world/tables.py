"""Reads the town's words, rules and facts, which are text files in `data/world/`."""

import configparser
from functools import cache
from pathlib import Path

from .. import paths


def _file(name: str) -> Path:
    path = paths.data_dir() / "world" / name
    if not path.is_file():
        raise FileNotFoundError(f"{path} is missing: the town's words ship with the course; restore them from git")
    return path


@cache
def rules(*names: str) -> str:
    """The grammar rules of <name>.txt for all these names, joined in order."""
    return "\n".join(_file(f"{name}.txt").read_text(encoding="ascii") for name in names)


@cache
def tables(name: str) -> dict[str, dict[str, tuple[str, ...]]]:
    """The tables of <name>.ini: section -> key -> values. In the file, "|" separates values."""
    parser = configparser.ConfigParser(delimiters=("=",), comment_prefixes=("#",), interpolation=None)
    parser.optionxform = str  # keys keep their capitals
    parser.read_string(_file(f"{name}.ini").read_text(encoding="ascii"))
    return {
        section: {key: tuple(" ".join(value.split()) for value in row.split("|")) for key, row in rows.items()}
        for section, rows in parser.items()
        if section != parser.default_section
    }


def single(table: dict[str, tuple[str, ...]]) -> dict[str, str]:
    """A table whose rows have one value each: key -> value."""
    return {key: value for key, (value,) in table.items()}
