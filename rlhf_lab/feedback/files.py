"""Records as a text file, one JSON object a line: for recordings that ship with the course and for sharing."""

from collections.abc import Iterable
from pathlib import Path

from rlhf_lab.feedback import lines
from rlhf_lab.feedback.errors import RecordError, shown
from rlhf_lab.feedback.records import Record


def write_records(path: Path | str, records: Iterable[Record]) -> int:
    """Write records to a file, in the place of one of that name; gives their number. Errors as `lines.write_rows`."""
    records = list(records)
    for number, record in enumerate(records):
        if not isinstance(record, Record):
            raise RecordError(f"Record {number} is none but {shown(record)}. Nothing was written.")
    return lines.write_rows(path, (record.to_dict() for record in records))


def read_records(path: Path | str) -> list[Record]:
    """The records of such a file, plain or gzip. RecordError names the line that is not one; else `lines.read_rows`."""
    records = []
    for row in lines.read_rows(path):
        try:
            records.append(Record.from_dict(row))
        except RecordError as error:
            raise RecordError(f"{row.where}: {error}") from error
    return records
