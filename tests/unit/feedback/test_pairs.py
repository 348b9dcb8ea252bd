"""Pairs for training: nothing invented, nothing that was not a preference."""

from hypothesis import given
from hypothesis import strategies as st

from rlhf_lab.evaluation import win_rate_from_records
from rlhf_lab.feedback import Record, compare_item, preference_pairs, tied_pairs

ANSWERS = st.sampled_from(["first", "second", "tie", "both_bad", "skipped", "retracted"])


def events_of(answers, swapped=False):
    """Events in which items get these answers; with `swapped` the candidates stand in the other order."""
    events = []
    for number, (answer, first, second) in enumerate(answers):
        texts, policies = (first, second), ("old", "new")
        if swapped:
            texts, policies = texts[::-1], policies[::-1]
        item = compare_item(f"prompt {number % 3}", *texts, policies)
        by_policy = {candidate.policy: candidate.id for candidate in item.candidates}
        winner = {"first": by_policy["old"], "second": by_policy["new"], "retracted": by_policy["old"]}
        common = {
            "rater_id": "r",
            "source": "human",
            "session_id": "s",
            "task_id": "t",
            "kind": "compare",
            "item_id": f"{number}",
            "prompt": item.prompt,
            "candidates": item.candidates,
            "display_order": tuple(c.id for c in item.candidates),
        }
        if answer == "skipped":
            events.append(Record(**common, status="skipped"))
            continue
        events.append(Record(**common, status="submitted", value={"winner": winner.get(answer, answer)}))
        if answer == "retracted":
            events.append(Record(**common, status="retracted", supersedes=events[-1].uid))
    return events


ROWS = st.lists(st.tuples(ANSWERS, st.sampled_from("abc"), st.sampled_from("abc")), max_size=12)


@given(rows=ROWS)
def test_pairs_are_the_preferences(rows):
    pairs = preference_pairs(events_of(rows))
    expected = [
        (f"prompt {i % 3}", *((first, second) if answer == "first" else (second, first)))
        for i, (answer, first, second) in enumerate(rows)
        if answer in ("first", "second") and first != second
    ]
    assert [(p.prompt, p.chosen, p.rejected) for p in pairs] == expected
    assert all(pair.group == pair.prompt for pair in pairs)
    assert preference_pairs(events_of(rows, swapped=True)) == pairs


@given(rows=ROWS)
def test_ties_are_to_be_had_apart(rows):
    ties = tied_pairs(events_of(rows))
    assert [(t.first, t.second, t.both_bad) for t in ties] == [
        (first, second, answer == "both_bad") for answer, first, second in rows if answer in ("tie", "both_bad")
    ]


@given(rows=ROWS)
def test_wins(rows):
    rate = win_rate_from_records(events_of(rows), "new")
    answers = [answer for answer, *_ in rows]
    assert (rate.wins, rate.losses) == (answers.count("second"), answers.count("first"))
    assert rate.ties == answers.count("tie") + answers.count("both_bad")
    other = win_rate_from_records(events_of(rows, swapped=True), "old")
    assert (other.wins, other.losses, other.ties) == (rate.losses, rate.wins, rate.ties)
