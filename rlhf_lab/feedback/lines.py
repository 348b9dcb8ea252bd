"""Text files of one JSON object a line, plain or gzip: read in pieces and within limits, written whole or not at all.

Every file of feedback is read and written here: records, and the rows of other tools.
"""

import codecs
import errno
import gzip
import json
import os
import stat
import zlib
from collections.abc import Iterable, Iterator, Mapping
from itertools import count
from pathlib import Path
from typing import Any

from rlhf_lab.feedback.errors import RecordError, StoreError, shown, warn
from rlhf_lab.paths import write_whole
from rlhf_lab.texts import fault_in

LONGEST_LINE = 16 * 2**20  # bytes of one line, which is one record
LARGEST_FILE = 2**29  # bytes of a whole file, unpacked
MOST_LINES = 2_000_000  # of a file, empty ones included
MOST_DIGITS = 300  # of a whole number: what is longer fits into no float

_GZIP = b"\x1f\x8b"  # how every gzip file begins


class Row(dict):
    """A JSON object that knows where it stood in its file, for the sentence of an error."""

    __slots__ = ("line", "path")

    @property
    def where(self) -> str:
        """The file and the line, from 1."""
        return f"{self.path}, line {self.line}"


def read_rows(path: Path | str) -> list[Row]:
    """The JSON objects of a file, in order; empty lines are passed over, and a file without any is warned of.

    Whether the file is compressed is seen from its content, not its name. StoreError if it cannot be read as text in
    UTF-8 (with or without a byte order mark) or is too large: more than 512 MiB unpacked, two million lines, or 16 MiB
    in one line. RecordError, naming file and line, for a line that is no JSON object.
    """
    rows = []
    for number, line in _lines(path):
        if not line.strip():
            continue
        try:
            row = Row(_object(line))
        except RecordError as error:
            raise RecordError(f"{path}, line {number}: {error}") from error
        row.path, row.line = path, number
        rows.append(row)
    if not rows:
        warn(f"{path} is empty: there is no row in it.")
    return rows


def parse(line: str) -> Any:
    """The JSON value that a line holds. RecordError if there is none."""
    try:
        return JSON.decode(line)
    except RecursionError:
        why = "its brackets are nested too deeply"
    except json.JSONDecodeError as error:
        why = f"{error.msg}, at character {error.pos + 1}"
    except ValueError as error:
        why = str(error)
    raise RecordError(f"This is not JSON ({why}): {shown(line)}. Each line must be one JSON object, whole.")


def _object(line: str) -> dict[str, Any]:
    content = parse(line)
    if not isinstance(content, dict):
        raise RecordError(f"A row is a JSON object, {{...}}; got {shown(content)}.")
    return content


def each_row(rows: Iterable[Mapping[str, Any]], noun: str = "Row") -> Iterator[tuple[str, Mapping[str, Any]]]:
    """(where it stands, row) for each: in which line of its file, or at which place of the list, from 0.

    RecordError for what is no row.
    """
    if isinstance(rows, str | bytes | os.PathLike | Mapping) or not isinstance(rows, Iterable):
        raise RecordError(f"Rows are a list of dicts; got {shown(rows)}. The rows of a file are read_rows(path).")
    for number, row in enumerate(rows):
        where = getattr(row, "where", f"{noun} {number}")
        if not isinstance(row, Mapping):
            raise RecordError(f"{where} must be a dict; got {type(row).__name__}: {shown(row)}.")
        yield where, row


def write_rows(path: Path | str, rows: Iterable[Mapping[str, Any]]) -> int:
    """Write rows to a file, compressed if its name ends in .gz, in the place of one of that name; gives their number.

    The same rows give the same bytes. RecordError names a row that is none; StoreError where the file cannot be
    written. After either, the old file is as it was.
    """
    lines = []
    for where, row in each_row(rows):
        try:
            line = json.dumps(dict(row), ensure_ascii=False, allow_nan=False)
            JSON.decode(line)  # what is written can be read again
        except (TypeError, ValueError, RecursionError) as error:
            raise RecordError(f"{where} cannot be written as JSON ({error}). Nothing was written.") from error
        if fault := fault_in(line):
            raise RecordError(f"{where} {fault} Nothing was written.")
        lines.append(f"{line if line.isascii() else json.dumps(dict(row))}\n")
    content = "".join(lines).encode("ascii")
    try:
        file = Path(path)
        write_whole(file, gzip.compress(content, mtime=0) if file.suffix == ".gz" else content)
    except (OSError, ValueError, TypeError, RuntimeError) as error:
        raise StoreError(
            f"Cannot write {_name(path)} ({_reason(error)}); what was there is as it was. Check that its folder"
            " exists, has space left and may be written to."
        ) from error
    return len(lines)


def _lines(path: Path | str) -> Iterator[tuple[int, str]]:
    """(number from 1, line) of a file, never more than one line in memory."""
    try:
        mode = os.stat(Path(path)).st_mode
        if not stat.S_ISREG(mode):
            kind = "a folder" if stat.S_ISDIR(mode) else "a device or a pipe"
            raise StoreError(f"Cannot read {path}: it is {kind}, not a file. Name a file of JSON lines.")
        with open(path, "rb") as file:
            source = gzip.GzipFile(fileobj=file) if file.peek(2).startswith(_GZIP) else file
            read = 0
            for number in count(1):
                line = source.readline(LONGEST_LINE + 1)
                if not line:
                    return
                read += len(line)
                if len(line) > LONGEST_LINE:
                    raise StoreError(
                        f"{path}, line {number} is longer than {LONGEST_LINE:,} bytes. We read one JSON object a line;"
                        " is this such a file? Split what is longer."
                    )
                if read > LARGEST_FILE or number > MOST_LINES:
                    raise StoreError(
                        f"{path}, line {number}: we read files of up to {LARGEST_FILE:,} bytes, unpacked, and"
                        f" {MOST_LINES:,} lines. Split it into several files."
                    )
                yield number, _decoded(line, path, number)
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise StoreError(f"Cannot read {path}: its gzip data are cut or damaged ({error}). Get it again.") from error
    except (OSError, ValueError, TypeError) as error:
        raise StoreError(f"Cannot read {_name(path)} ({_reason(error)}). Check the path.") from error


def _decoded(line: bytes, path: Path | str, number: int) -> str:
    if number == 1:
        line = line.removeprefix(codecs.BOM_UTF8)
    if number == 1 and line.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        found = "UTF-16"
    elif b"\0" in line:
        found = "UTF-16, or a binary file"
    else:
        try:
            return line.decode("utf-8")
        except UnicodeDecodeError as error:
            found = f"Latin-1 or Windows-1252 (byte {error.object[error.start]:#x} at place {error.start + 1})"
    raise StoreError(f"{path}, line {number}: this is not UTF-8. It looks like {found}. Save the file as UTF-8.")


def _whole_number(digits: str) -> int:
    if (length := len(digits.lstrip("-"))) > MOST_DIGITS:
        raise ValueError(f"a number of {length} digits; we read up to {MOST_DIGITS}")
    return int(digits)


JSON = json.JSONDecoder(parse_int=_whole_number)  # raises ValueError or RecursionError


def _name(path: Any) -> str:
    """A path for a sentence: quoted, and cut only where it cannot be meant."""
    return repr(str(path)) if len(str(path)) < 300 else shown(str(path))


def _reason(error: Exception) -> str:
    """What went wrong, without the names of files, which may be those of our own unfinished ones."""
    if isinstance(error, OSError) and error.errno == errno.ENOENT:
        return "there is no such file or folder"
    return (isinstance(error, OSError) and error.strerror) or str(error)
