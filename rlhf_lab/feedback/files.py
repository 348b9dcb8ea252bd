"""Records as a text file, one JSON object a line: for recordings that ship with the course and for sharing."""

from collections.abc import Iterable
from pathlib import Path

from rlhf_lab.feedback.errors import RecordError, StoreError
from rlhf_lab.feedback.records import Record


def write_records(path: Path | str, records: Iterable[Record]) -> int:
    """Write records to a new file, replacing one of that name; gives their number."""
    lines = [record.to_json() + "\n" for record in records]
    Path(path).write_text("".join(lines), encoding="ascii", newline="\n")
    return len(lines)


def read_records(path: Path | str) -> list[Record]:
    """The records of such a file. RecordError names the line that is not one."""
    try:
        lines = Path(path).read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise StoreError(f"Cannot read recorded feedback from {path} ({error}).") from error
    records = []
    for number, line in enumerate(lines, start=1):
        if line.strip():
            try:
                records.append(Record.from_json(line))
            except RecordError as error:
                raise RecordError(f"{path}, line {number}: {error}") from error
    return records
