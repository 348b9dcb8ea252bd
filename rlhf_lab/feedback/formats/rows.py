"""What all imports share: rows, from a file or from elsewhere, become what we know; what is left out is counted.

Reading and writing rows as files, `read_rows` and `write_rows`, is done in `feedback.lines`.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

from rlhf_lab.feedback.errors import RecordError, shown, warn
from rlhf_lab.feedback.lines import each_row, read_rows, write_rows
from rlhf_lab.feedback.pairs import PreferencePair
from rlhf_lab.texts import fault_in

__all__ = ["converted", "pairs_of", "read_rows", "text_of", "warn_of", "write_rows"]

T = TypeVar("T")


def converted(rows: Iterable[Mapping[str, Any]], convert: Callable[[Any], T], noun: str = "Row") -> list[T]:
    """What `convert` makes of each row. RecordError begins with the place of the row, see `each_row`."""
    found = []
    for where, row in each_row(rows, noun):
        try:
            found.append(convert(row))
        except RecordError as error:
            raise RecordError(f"{where}: {error}") from error
        except RecursionError as error:
            raise RecordError(f"{where}: its lists and dicts are nested too deeply.") from error
    return found


def pairs_of(
    rows: Iterable[Mapping[str, Any]], convert: Callable[[Any], PreferencePair | None]
) -> list[PreferencePair]:
    """The pairs that `convert` makes of rows. It gives None for two equal texts; a warning counts them."""
    found = converted(rows, convert)
    warn_of({"rows of two equal texts, which prefer nothing": found.count(None)})
    return [pair for pair in found if pair is not None]


def text_of(row: Mapping[str, Any], key: str) -> str:
    """A row's text under a key; RecordError if there is none."""
    value = row.get(key)
    if not isinstance(value, str):
        raise RecordError(f"It needs a text {key!r}; got {shown(value)}. Its keys are {shown(list(row))}.")
    if fault := fault_in(value):
        raise RecordError(f"Its text {key!r} {fault}")
    return value


def warn_of(left_out: Mapping[str, int]) -> None:
    """Say once what an import or export leaves out, and how many of each: {what: number}."""
    if told := [f"{what} ({number})" for what, number in left_out.items() if number]:
        warn(f"Left out: {'; '.join(told)}.")
