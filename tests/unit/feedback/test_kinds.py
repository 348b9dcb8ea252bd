"""One table of kinds: what it says is what records and sessions go by, and nothing takes a new kind for an old one."""

import pytest

from rlhf_lab.feedback import FeedbackError, RatingSession, preference_pairs, question, rate_with, unpaired_examples
from rlhf_lab.feedback.agreement import answers_by_rater, same_answer
from rlhf_lab.feedback.formats.argilla import from_argilla, to_argilla
from rlhf_lab.feedback.kinds import KINDS, Kind


@pytest.fixture
def spans(monkeypatch):
    """A kind that only the table knows: which part of a text is meant."""
    monkeypatch.setitem(KINDS, "spans", Kind(1, 1, "one", lambda value, ids: None, lambda a, b, _: a == b))


class Marker:
    def spans(self, prompt, text):
        return [0, 3]


def test_a_new_kind_is_never_taken_for_another(spans, store):
    items = [question("p", [" the text"])]
    session = RatingSession(store, "t", items, "sim", "simulated", kind="spans")
    with pytest.raises(FeedbackError, match=r"rate_with does not know answers of kind 'spans'.*feedback\.kinds"):
        rate_with(session, Marker())
    assert session.answer([0, 3], session.view().turn)
    records = store.records()
    assert same_answer(records[0], [0, 3]) and not same_answer(records[0], [0, 2])
    for use in (preference_pairs, unpaired_examples, answers_by_rater, to_argilla):
        with pytest.raises(FeedbackError, match=f"{use.__name__} does not know answers of kind 'spans'"):
            use(records)
    response = {"value": [0, 3], "user_id": "u", "status": "submitted"}
    row = {"fields": {"prompt": "p", "text_1": " the text"}, "responses": {"spans": [response]}}
    with pytest.raises(FeedbackError, match="from_argilla does not know answers of kind 'spans'"):
        from_argilla([row], kind="spans")


@pytest.mark.parametrize("kind", KINDS)
def test_a_session_takes_as_many_candidates_as_the_table_says(kind, store):
    fits = [count for count in range(1, 6) if KINDS[kind].least <= count <= KINDS[kind].most]
    for count in range(1, 6):
        items = [question("p", [f" {i}" for i in range(count)])]
        if count in fits:
            RatingSession(store, kind, items, kind=kind)
        else:
            with pytest.raises(FeedbackError, match=f"{kind} takes {KINDS[kind].in_words}"):
                RatingSession(store, kind, items, kind=kind)
