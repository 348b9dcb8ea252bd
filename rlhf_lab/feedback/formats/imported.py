"""Records of answers that were given in another tool."""

import uuid
from collections.abc import Sequence
from typing import Any

from rlhf_lab.feedback.records import Item, Record

NO_TIME = "1970-01-01T00:00:00.000+00:00"  # if we do not know when an answer was given


def imported_record(
    item: Item, kind: str, value: Any, *, task_id: str, rater_id: str, source: str, uid_from: Sequence[str], time: str
) -> Record:
    """A submitted answer to a question whose texts were shown in canonical order.

    uid_from: what the uid is derived from, so that an answer that is imported twice counts once.
    """
    content = "\x1f".join(uid_from).encode("utf-8", "surrogatepass").decode("utf-8", "replace")
    return Record(
        rater_id=rater_id,
        source=source,
        session_id="imported",
        task_id=task_id,
        kind=kind,
        item_id=item.item_id,
        prompt=item.prompt,
        candidates=item.candidates,
        display_order=tuple(candidate.id for candidate in item.candidates),
        status="submitted",
        value=value,
        is_gold=item.is_gold,
        input_method="import",
        uid=str(uuid.uuid5(uuid.NAMESPACE_OID, content)),
        ts_utc=time,
    )
