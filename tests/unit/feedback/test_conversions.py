"""From every kind of answer to examples: no pair across prompts, none of equals, nothing invented, nothing skipped."""

from collections import Counter

import pytest
from feedback_strategies import events, swapped
from hypothesis import given, settings
from hypothesis import strategies as st

from rlhf_lab.feedback import (
    FeedbackError,
    PreferencePair,
    Record,
    RecordError,
    preference_pairs,
    question,
    tied_pairs,
)
from rlhf_lab.feedback.examples import completion_examples, split_by_group, unpaired_examples
from rlhf_lab.feedback.formats import trl
from rlhf_lab.feedback.pairs import ratings

KINDS = ("compare", "score", "label", "rank", "edit")


def make(kind, texts, value_of, prompt="p", rater="ann", **more):
    item = question(prompt, texts)
    ids = [candidate.id for candidate in item.candidates]
    return Record(
        **{
            "rater_id": rater,
            "source": "human",
            "session_id": "s",
            "task_id": "t",
            "kind": kind,
            "item_id": item.item_id,
            "prompt": prompt,
            "candidates": item.candidates,
            "display_order": ids,
            "status": "submitted",
            "value": value_of(*ids) if callable(value_of) else value_of,
            **more,
        }
    )


def texts_of(pairs):
    return [(pair.chosen, pair.rejected) for pair in pairs]


# -- what each kind means, by hand --


def test_comparison():
    win = make("compare", ["x", "y"], lambda a, b: {"winner": b, "strength": 3})
    (pair,) = preference_pairs([win])
    assert pair == PreferencePair("p", "y", "x", "p", 3, 1.0)
    assert [(e.completion, e.label) for e in unpaired_examples([win])] == [("x", False), ("y", True)]
    assert [e.completion for e in completion_examples([win])] == ["y"]
    bad, tie = (make("compare", ["x", "y"], {"winner": verdict}) for verdict in ("both_bad", "tie"))
    assert [(e.completion, e.label) for e in unpaired_examples([bad])] == [("x", False), ("y", False)]
    assert unpaired_examples([tie]) == preference_pairs([bad, tie]) == completion_examples([bad, tie]) == []


def test_ranking():
    ranked = make("rank", ["x", "y", "z", "w"], lambda a, b, c, d: [[c], [a, d], [b]])
    pairs = preference_pairs([ranked])
    assert sorted(texts_of(pairs)) == sorted([("z", "x"), ("z", "w"), ("z", "y"), ("x", "y"), ("w", "y")])
    assert sum(pair.weight for pair in pairs) == pytest.approx(1)
    assert [(e.completion, e.label) for e in unpaired_examples([ranked])] == [("y", False), ("z", True)]
    all_tied = make("rank", ["x", "y"], lambda a, b: [[a, b]])
    assert preference_pairs([all_tied]) == unpaired_examples([all_tied]) == []


def test_edit():
    better = make("edit", ["x"], lambda a: {"base_id": a, "text": "x!"})
    assert texts_of(preference_pairs([better])) == [("x!", "x")]
    assert [(e.completion, e.label) for e in unpaired_examples([better])] == [("x!", True), ("x", False)]
    assert [e.completion for e in completion_examples([better])] == ["x!"]
    kept = make("edit", ["x"], lambda a: {"base_id": a, "text": "x"})
    assert preference_pairs([kept]) == [] and completion_examples([kept])[0].completion == "x"


def test_scores():
    def score(text, rater="ann", prompt="p", **axes):
        return make("score", [text], axes, prompt, rater)

    records = [
        score("x", overall=5, tone=1),
        score("y", overall=2, tone=2),
        score("z", overall=2, tone=9),
        score("x", "bob", overall=1),
        score("y", prompt="q", overall=9),
    ]
    assert sorted(texts_of(preference_pairs(records))) == [("x", "y"), ("z", "x"), ("z", "y")]
    assert sorted(texts_of(preference_pairs(records, axis="overall"))) == [("x", "y"), ("x", "z")]
    assert preference_pairs(records, axis="truth") == []
    assert sum(pair.weight for pair in preference_pairs(records)) == pytest.approx(1)
    labels = unpaired_examples(records, axis="overall")  # ann's mean is 4.5, bob's 1
    assert [(e.prompt, e.completion, e.label) for e in labels] == [
        ("p", "x", True),
        ("p", "y", False),
        ("p", "z", False),
        ("q", "y", True),
    ]
    fixed = unpaired_examples(records, axis="overall", threshold=2)
    assert [(e.completion, e.label) for e in fixed] == [("x", True), ("x", False), ("y", True)]
    other_axes = [score("x", overall=5), score("y", tone=1)]
    assert preference_pairs(other_axes) == [], "scores of different things are not compared"


def test_labels():
    records = [
        make("label", ["x"], []),
        make("label", ["y"], ["untrue"]),
        make("label", ["z"], ["funny"]),
        make("label", ["x"], ["rude"], prompt="q"),
        make("label", ["w"], [], rater="bob"),
    ]
    assert texts_of(preference_pairs(records)) == [("x", "y"), ("x", "z")]
    assert texts_of(preference_pairs(records, good_tags=["funny"])) == [("x", "y"), ("z", "y")]
    assert [e.label for e in unpaired_examples(records)] == [True, False, False, False, True]
    assert [e.completion for e in completion_examples(records, good_tags=["funny"])] == ["x", "z", "w"]


def test_gold_answers_are_no_ratings():
    gold = make("compare", ["x", "y"], lambda a, b: {"winner": a}, source="gold", rater="gold")
    assert preference_pairs([gold]) == unpaired_examples([gold]) == tied_pairs([gold]) == []


# -- what holds of any feedback --


@settings(max_examples=60)
@given(history=events())
def test_pairs_of_any_feedback(history):
    pairs = preference_pairs(history)
    standing = ratings(history)
    shown = {(r.prompt, c.text) for r in standing for c in r.candidates}
    shown |= {(r.prompt, r.value["text"]) for r in standing if r.kind == "edit"}
    for pair in pairs:
        assert pair.chosen != pair.rejected
        assert {(pair.prompt, pair.chosen), (pair.prompt, pair.rejected)} <= shown, "nothing is invented"
        assert pair.group == pair.prompt and 0 < pair.weight <= 1
    assert preference_pairs(standing) == pairs, "skipped, retracted and superseded answers say nothing"
    assert Counter(preference_pairs([swapped(event) for event in history])) == Counter(pairs), "sides do not matter"


@settings(max_examples=60)
@given(history=events(kinds=("compare", "rank", "edit")))
def test_every_strict_preference_gives_its_pair(history):
    expected = Counter()
    for record in ratings(history):
        text = {candidate.id: candidate.text for candidate in record.candidates}
        place = {}
        if record.kind == "compare" and record.winner in text:
            place = {each: each != record.winner for each in text}
        elif record.kind == "rank":
            place = {each: number for number, tier in enumerate(record.value) for each in tier}
        elif record.kind == "edit":
            text, place = {"new": record.value["text"], "old": record.candidates[0].text}, {"new": 0, "old": 1}
        expected.update(
            (record.prompt, text[a], text[b])
            for a in place
            for b in place
            if place[a] < place[b] and text[a] != text[b]
        )
    assert Counter((p.prompt, p.chosen, p.rejected) for p in preference_pairs(history)) == expected


@settings(max_examples=60)
@given(history=events(), threshold=st.sampled_from([None, 2.5]))
def test_examples_of_any_feedback(history, threshold):
    examples = unpaired_examples(history, threshold=threshold)
    standing = ratings(history)
    shown = {(r.prompt, c.text) for r in standing for c in r.candidates}
    shown |= {(r.prompt, r.value["text"]) for r in standing if r.kind == "edit"}
    assert {(e.prompt, e.completion) for e in examples} <= shown and all(e.group == e.prompt for e in examples)
    assert unpaired_examples(standing, threshold=threshold) == examples
    mirrored = unpaired_examples([swapped(event) for event in history], threshold=threshold)
    assert Counter(mirrored) == Counter(examples)
    good = completion_examples(history, threshold=threshold)
    assert {(e.prompt, e.completion) for e in good} == {(e.prompt, e.completion) for e in examples if e.label}
    assert len(good) == len(set(good))


@settings(max_examples=60)
@given(history=events(max_size=12), share=st.sampled_from([0.0, 0.1, 0.5, 0.9, 1.0]), seed=st.integers(0, 3))
def test_splits_never_leak(history, share, seed):
    for examples in (preference_pairs(history), unpaired_examples(history), history):
        training, test = split_by_group(examples, share, seed)
        assert [e for e in examples if e in training] == training and len(training) + len(test) == len(examples)
        assert not {e.prompt for e in training} & {e.prompt for e in test}
        assert {e.prompt for e in split_by_group(examples[::-1], share, seed)[1]} == {e.prompt for e in test}
        groups = {e.prompt for e in examples}
        if 0 < share < 1 and len(groups) > 1:
            assert training and test
            assert abs(len({e.prompt for e in test}) - share * len(groups)) <= 1


def test_the_seed_decides_the_split():
    pairs = [PreferencePair(f"{i}", "a", "b", f"{i}") for i in range(40)]
    tests = [split_by_group(pairs, 0.25, seed)[1] for seed in (1, 1, 2)]
    assert tests[0] == tests[1] != tests[2] and len(tests[0]) == 10
    with pytest.raises(FeedbackError, match="between 0 and 1"):
        split_by_group(pairs, 1.5)


@settings(max_examples=60)
@given(history=events(), conversational=st.booleans(), margins=st.booleans())
def test_trl_round_trip(history, conversational, margins):
    pairs = [
        PreferencePair(p.prompt, p.chosen, p.rejected, p.group, p.strength if margins else None)
        for p in preference_pairs(history)
    ]
    rows = trl.to_preference(pairs, conversational, margins)
    # A transcript of one turn comes back from a chat only if one says that it was one.
    back = [
        trl.from_preference([row], plain=not p.prompt.startswith("\n\n"))[0] for row, p in zip(rows, pairs, strict=True)
    ]
    assert back == pairs
    examples = unpaired_examples(history)
    rows = trl.to_unpaired(examples, conversational)
    assert [
        trl.from_unpaired([row], plain=not e.prompt.startswith("\n\n"))[0]
        for row, e in zip(rows, examples, strict=True)
    ] == examples
    good = completion_examples(history)
    rows = trl.to_prompt_completion(good, conversational)
    assert [
        trl.from_prompt_completion([row], plain=not e.prompt.startswith("\n\n"))[0]
        for row, e in zip(rows, good, strict=True)
    ] == good


def test_equal_texts_are_no_pair_to_export():
    with pytest.raises(RecordError, match="prefers a text to itself"):
        trl.to_preference([PreferencePair("p", "x", "x", "p")])
