"""Rows as a text file, one JSON object a line, plain or gzip: what `datasets.load_dataset("json", ...)` reads."""

import gzip
import json
import zlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from rlhf_lab.feedback.errors import RecordError, StoreError

_GZIP = b"\x1f\x8b"  # how every gzip file begins


def write_rows(path: Path | str, rows: Iterable[Mapping[str, Any]]) -> int:
    """Write rows to a new file, compressed if its name ends in .gz, replacing one of that name; gives their number.

    The same rows give the same bytes.
    """
    lines = [json.dumps(row, ensure_ascii=True, allow_nan=False) + "\n" for row in rows]
    content = "".join(lines).encode("ascii")
    Path(path).write_bytes(gzip.compress(content, mtime=0) if Path(path).suffix == ".gz" else content)
    return len(lines)


def read_rows(path: Path | str) -> list[dict[str, Any]]:
    """The rows of such a file; whether it is compressed is seen from its content, not its name.

    StoreError if it cannot be read, RecordError naming the line that is no JSON object.
    """
    try:
        content = Path(path).read_bytes()
        lines = (gzip.decompress(content) if content.startswith(_GZIP) else content).decode("utf-8").split("\n")
    except (OSError, EOFError, UnicodeDecodeError, zlib.error) as error:
        raise StoreError(f"Cannot read rows from {path} ({error}).") from error
    rows = []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError as error:
            raise RecordError(f"{path}, line {number}: not JSON ({error}).") from error
        if not isinstance(row, dict):
            raise RecordError(f"{path}, line {number}: a row is a JSON object; got {type(row).__name__}.")
        rows.append(row)
    return rows


def text_of(row: Mapping[str, Any], key: str, where: str) -> str:
    """A row's text under a key; RecordError, naming the row, if there is none."""
    value = row.get(key)
    if not isinstance(value, str):
        raise RecordError(f"{where} needs a text {key!r}; got {value!r:.80}. Its keys are {sorted(row)}.")
    return value
