"""Argilla's own Record takes our exports and gives them back unchanged. Run as test_trl.py says; needs no server."""

import os

import pytest

if not os.environ.get("RLHF_LAB_REQUIRE_INTEROP"):
    pytest.importorskip("argilla", reason="Argilla is not installed: see tests/interop/requirements.txt")

import argilla

from rlhf_lab.feedback import Record, question
from rlhf_lab.feedback.formats.argilla import from_argilla, to_argilla

ANSWERS = {
    "compare": (2, lambda a, b: {"winner": b, "strength": 2}),
    "score": (1, lambda a: {"overall": 3, "tone": 1}),
    "label": (1, lambda a: []),
    "rank": (3, lambda a, b, c: [[c], [a, b]]),
    "edit": (1, lambda a: {"base_id": a, "text": " Better."}),
}


@pytest.mark.parametrize("kind", ANSWERS)
def test_argillas_records(kind):
    count, value_of = ANSWERS[kind]
    item = question("Where is the well?", [" One.", " Two.", " Three."][:count])
    ids = tuple(candidate.id for candidate in item.candidates)
    records = [
        Record(
            rater_id=rater,
            source="human",
            session_id="s",
            task_id="t",
            kind=kind,
            item_id=item.item_id,
            prompt=item.prompt,
            candidates=item.candidates,
            display_order=ids,
            status="submitted",
            value=value_of(*ids),
        )
        for rater in ("ann", "bob")
    ]
    (theirs,) = [argilla.Record.from_dict(row) for row in to_argilla(records)]
    assert theirs.fields["text_1"] == " One." and theirs.metadata["kind"] == kind
    assert all(response.status == "submitted" for response in theirs.responses)
    back = from_argilla([theirs.to_dict()], raters=["ann", "bob"])
    assert [(r.rater_id, r.value, r.candidates) for r in back] == [(r.rater_id, r.value, r.candidates) for r in records]
