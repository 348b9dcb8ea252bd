"""Agreement: published values, limits that must hold, and records as a session makes them."""

import math
import random
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rlhf_lab.feedback import FeedbackError, RatingSession, Record, compare_item, compare_value, question, rate_with
from rlhf_lab.feedback.agreement import (
    answers_by_rater,
    cohen_kappa,
    gold_accuracy,
    krippendorff_alpha,
    left_share,
    report,
    same_answer,
    self_consistency,
    time_per_item,
)
from rlhf_lab.feedback.queues import MixedQueue
from rlhf_lab.feedback.records import repeat_of
from rlhf_lab.feedback.shares import Share

# Krippendorff (2011), "Computing Krippendorff's Alpha-Reliability": four observers, twelve units; 0 is missing.
OBSERVERS = """
1 2 3 3 2 1 4 1 2 0 0 0
1 2 3 3 2 2 4 1 2 5 0 3
0 3 3 3 2 3 4 2 2 5 1 0
1 2 3 3 2 4 4 1 2 5 1 0
"""
UNITS = list(zip(*([int(x) or None for x in line.split()] for line in OBSERVERS.split("\n") if line), strict=True))


# -- published values --


@pytest.mark.parametrize(("level", "alpha"), [("nominal", 0.743), ("ordinal", 0.815), ("interval", 0.849)])
def test_krippendorffs_own_example(level, alpha):
    assert krippendorff_alpha(UNITS, level) == pytest.approx(alpha, abs=5e-4)


def test_krippendorffs_small_examples():
    binary = zip([0, 1, 0, 0, 0, 0, 0, 0, 1, 0], [1, 1, 1, 0, 0, 1, 0, 0, 0, 0], strict=True)
    assert krippendorff_alpha(binary) == pytest.approx(0.095, abs=5e-4)
    assert krippendorff_alpha(zip("aabbdcccedda", "babbbcccedd" + "d", strict=True)) == pytest.approx(0.692, abs=5e-4)


def test_cohens_own_example():
    table = [[88, 10, 2], [14, 40, 6], [18, 10, 12]]
    pairs = [(i, j) for i in range(3) for j in range(3) for _ in range(table[i][j])]
    assert cohen_kappa(*zip(*pairs, strict=True)) == pytest.approx(0.492, abs=5e-4)
    yes_no = [("y", "y")] * 20 + [("y", "n")] * 5 + [("n", "y")] * 10 + [("n", "n")] * 15
    assert cohen_kappa(*zip(*yes_no, strict=True)) == pytest.approx(0.4)


# -- coefficients: what must hold --

ANSWERS = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=30)


@given(pairs=ANSWERS, weights=st.sampled_from([None, "linear", "quadratic"]))
def test_kappa_equals_its_matrix_form(pairs, weights):
    one, other = map(list, zip(*pairs, strict=True))
    table = np.zeros((4, 4))
    for a, b in pairs:
        table[a, b] += 1 / len(pairs)
    distance = np.abs(np.arange(4)[:, None] - np.arange(4)) ** {None: 0, "linear": 1, "quadratic": 2}[weights]
    distance = np.where(np.eye(4, dtype=bool), 0, distance)
    expected = (distance * np.outer(table.sum(1), table.sum(0))).sum()
    kappa = cohen_kappa(one, other, weights)
    if expected < 1e-12:
        assert math.isnan(kappa)
    else:
        assert kappa == pytest.approx(1 - (distance * table).sum() / expected)
        assert kappa == pytest.approx(cohen_kappa(other, one, weights)) and kappa <= 1


def test_kappa_of_nothing_and_nonsense():
    assert math.isnan(cohen_kappa([], [])) and math.isnan(cohen_kappa(["a", "a"], ["a", "a"]))
    assert cohen_kappa("abab", "abab") == 1 and cohen_kappa("ab", "ba") == -1
    with pytest.raises(FeedbackError, match="got 1 and 2 answers"):
        cohen_kappa("a", "ab")
    with pytest.raises(FeedbackError, match="'linear' or 'quadratic'"):
        cohen_kappa("a", "a", weights="cubic")


TABLES = st.lists(st.lists(st.sampled_from([None, 1, 2, 3, 4]), min_size=3, max_size=3), max_size=12)


@given(units=TABLES, level=st.sampled_from(["nominal", "ordinal", "interval"]))
def test_alpha_equals_its_definition(units, level):
    """1 - (mean disagreement within items) / (mean disagreement of all pairs of answers), pair by pair."""
    kept = [[a for a in unit if a is not None] for unit in units]
    kept = [unit for unit in kept if len(unit) > 1]
    every = [a for unit in kept for a in unit]

    def distance(a, b):
        if level == "nominal":
            return float(a != b)
        if level == "interval":
            return (a - b) ** 2
        low, high = min(a, b), max(a, b)
        between = sum(every.count(g) for g in range(low, high + 1))
        return (between - (every.count(a) + every.count(b)) / 2) ** 2

    alpha = krippendorff_alpha(units, level)
    overall = sum(distance(a, b) for a, b in combinations(every, 2))
    if not overall:
        assert math.isnan(alpha)
        return
    within = sum(2 * sum(distance(a, b) for a, b in combinations(unit, 2)) / (len(unit) - 1) for unit in kept)
    observed = within / len(every)
    assert alpha == pytest.approx(1 - observed / (2 * overall / (len(every) * (len(every) - 1))))
    assert alpha == pytest.approx(krippendorff_alpha([unit[::-1] for unit in units[::-1]], level))


def test_alpha_of_perfect_and_of_shuffled_answers():
    rng = random.Random(3)
    truth = [rng.randint(1, 5) for _ in range(2000)]
    for level in ("nominal", "ordinal", "interval"):
        assert krippendorff_alpha([(t, t, None) for t in truth], level) == 1
        assert abs(krippendorff_alpha([(t, rng.choice(truth)) for t in truth], level)) < 0.06
    with pytest.raises(FeedbackError, match="nominal, ordinal, interval"):
        krippendorff_alpha([], "ratio")


# -- records of one rater --


def make_items(count):
    return [compare_item(f"Prompt {i}:", f" first {i}", f" second {i}") for i in range(count)]


class Leaning:
    """Prefers the text on the left with a given probability, else the one that says "first"."""

    name = "leaning"

    def __init__(self, lean, seed=0):
        self.lean, self.rng = lean, random.Random(seed)

    def compare(self, prompt, left, right):
        if self.rng.random() < self.lean:
            return "left"
        return "left" if "first" in left else "right"


def rated(store, lean, rater_id="sim", count=60):
    queue = MixedQueue(
        make_items(count),
        gold=[compare_item(f"Gold {i}", " first", " second") for i in range(20)],
        gold_rate=0.15,
        repeat_rate=0.25,
        seed=1,
    )
    rate_with(RatingSession(store, "t", queue, rater_id, "simulated"), Leaning(lean))
    return store.records(rater_id=rater_id), {item.item_id: {"winner": item.candidates[0].id} for item in queue.gold}


def test_a_careful_rater(store):
    records, gold = rated(store, lean=0.0)
    again, right, left = self_consistency(records), gold_accuracy(records, gold), left_share(records)
    assert again.hits == again.trials == 25 and again.interval[0] > 0.8
    assert right.hits == right.trials == 15
    assert left.interval[0] < 0.5 < left.interval[1]
    assert "the same again: 25 of 25 (100%" in report(records, gold)


def test_a_rater_who_looks_to_the_left_only(store):
    records, gold = rated(store, lean=1.0)
    assert self_consistency(records).hits == 0, "repeats stand the other way round, so a side is found out"
    assert left_share(records).interval[0] > 0.9
    assert 0.15 < gold_accuracy(records, gold).estimate < 0.85
    text = report(records, gold)
    assert "left text preferred: 100 of 100" in text and "sim: 100 answers (100 compare)" in text


def test_repeats_of_other_raters_tasks_and_skips_do_not_count(store):
    items = make_items(3)
    for rater, winner in (("ann", 0), ("bob", 1)):
        session = RatingSession(store, "t", [items[0], *(repeat_of(item) for item in items)], rater, "simulated")
        while (view := session.view()).state == "rate":
            if session._item.item_id.startswith(items[2].item_id):
                session.skip(view.turn)
            else:
                session.answer({"winner": session._item.candidates[winner].id}, view.turn)
    assert self_consistency(store.records()) == Share(2, 2)
    ann, bob = (store.records(rater_id=rater) for rater in ("ann", "bob"))
    assert self_consistency([*ann[:1], *bob[1:]]).trials == 0


@pytest.mark.parametrize(
    ("kind", "texts", "value", "same", "other"),
    [
        (
            "compare",
            2,
            lambda a, b: {"winner": a, "strength": 3},
            lambda a, b: {"winner": a},
            lambda a, b: {"winner": "tie"},
        ),
        ("score", 1, {"x": 3}, {"x": 3}, {"x": 4}),
        ("label", 1, ["a", "b"], ["b", "a"], ["a"]),
        ("rank", 3, lambda a, b, c: [[a, b], [c]], lambda a, b, c: [[b, a], [c]], lambda a, b, c: [[a], [b], [c]]),
        (
            "edit",
            1,
            lambda a: {"base_id": a, "text": "x"},
            lambda a: {"base_id": a, "text": "x"},
            lambda a: {"base_id": a, "text": "y"},
        ),
    ],
)
def test_the_same_answer(record, kind, texts, value, same, other):
    item = question("p", ["1", "2", "3"][:texts])
    ids = [c.id for c in item.candidates]
    value, same, other = (v(*ids) if callable(v) else v for v in (value, same, other))
    made = record(kind=kind, candidates=item.candidates, display_order=ids, value=value)
    assert same_answer(made, same) and not same_answer(made, other)
    if kind == "score":
        assert same_answer(made, other, tolerance=1) and not same_answer(made, {"y": 3}, tolerance=1)


def test_gold_answers_as_records(store):
    records, gold = rated(store, lean=0.0)
    known = [r for r in records if r.is_gold]
    as_records = [
        Record(
            **{
                **{
                    f: getattr(r, f)
                    for f in (
                        "session_id",
                        "task_id",
                        "kind",
                        "item_id",
                        "prompt",
                        "candidates",
                        "display_order",
                        "status",
                        "value",
                    )
                },
                "rater_id": "gold",
                "source": "gold",
            }
        )
        for r in known
    ]
    assert gold_accuracy([*records, *as_records], as_records) == gold_accuracy(records, gold)


def test_times(record):
    assert math.isnan(time_per_item([record(1)]).median) and time_per_item([]).count == 0
    assert time_per_item([record(1, client_ms=2000)]).quartiles == (2.0, 2.0)
    times = time_per_item([record(i, client_ms=1000 * ms) for i, ms in enumerate((1, 2, 3, 4, 600))])
    assert (times.count, times.median, times.quartiles, times.total) == (5, 3.0, (2.0, 4.0), 610.0)
    skipped = record(9, status="skipped", value=None, client_ms=1)
    assert time_per_item([skipped]).count == 0


# -- records of several raters --


def test_answers_by_rater_and_report(store):
    items = make_items(30)
    for rater, lean in (("ann", 0.0), ("bob", 0.2), ("cy", 1.0)):
        rate_with(RatingSession(store, "t", items, rater, "simulated"), Leaning(lean, seed=2))
    table = answers_by_rater(store.records())
    assert len(table) == 30 and all(set(answers) == {"ann", "bob", "cy"} for answers in table.values())
    columns = {rater: [answers[rater] for answers in table.values()] for rater in ("ann", "bob", "cy")}
    assert set(columns["ann"]) == {"first"} and set(columns["bob"]) == {"first", "second"}
    alphas = [krippendorff_alpha(list(zip(columns["bob"], columns[other], strict=True))) for other in ("ann", "cy")]
    assert alphas[0] < 0.5, "agreement with somebody who always says the same is no news"
    assert "30 comparisons answered by several raters: Krippendorff's alpha" in report(store.records())
    assert report([]) == "There are no answers yet."


def test_answers_of_other_kinds(record):
    item = question("p", ["x"])
    ids = [c.id for c in item.candidates]

    def made(kind, value, rater="ann"):
        return record(
            kind=kind, candidates=item.candidates, display_order=ids, value=value, rater_id=rater, item_id="i"
        )

    scores = [made("score", {"tone": 3}), made("score", {"tone": 5, "x": 1}, "bob"), made("score", {"x": 1}, "cy")]
    assert answers_by_rater(scores, axis="tone") == {"i": {"ann": 3, "bob": 5}}
    labels = [made("label", ["rude"]), made("label", [], "bob")]
    assert answers_by_rater(labels, tag="rude") == {"i": {"ann": True, "bob": False}}
    for records, words in (
        (scores, "name an axis"),
        (labels, "name a tag"),
        ([made("edit", {"base_id": ids[0], "text": "y"})], "Make pairs"),
    ):
        with pytest.raises(FeedbackError, match=words):
            answers_by_rater(records)


def test_shares():
    share = Share.of([True, False, 0.5, True])
    assert (share.hits, share.trials, share.estimate) == (2.5, 4, 0.625)
    assert str(Share.of([])) == "none yet" and math.isnan(Share(0, 0).estimate)
    assert str(Share(9, 10)).startswith("9 of 10 (90%, 95% interval 60% to 98%")


def test_view_verdicts_are_canonical(store):
    """The left bias is computed from the screen, not from the order of the candidates."""
    session = RatingSession(store, "t", make_items(10), "sim", "simulated")
    while (view := session.view()).state == "rate":
        session.answer(compare_value(view, "left"), view.turn)
    assert left_share(store.records()) == Share(10, 10)
