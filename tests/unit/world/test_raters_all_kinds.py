"""Simulated raters answer every kind of question as their formulas say, and edits make texts better."""

import math
import random
from statistics import mean

import pytest

from rlhf_lab.world import (
    FAULTS,
    TASTES,
    TEXT_KINDS,
    SimulatedRater,
    Taste,
    generate_document,
    harmful_request,
    well_formed,
)
from rlhf_lab.world.scorers import adequacy, faithfulness, harmlessness, helpfulness

PROMPT = "Review of the Copper Kettle bakery at low tide:"
GOOD, FAIR, POOR = " The rye loaf was wonderful.", " The weather was fine.", " The rye loaf was dreadful."
INDIFFERENT = Taste("none", "I do not mind.", {})


@pytest.fixture(scope="module")
def documents():
    rng = random.Random(5)
    return {kind: [generate_document(kind, rng) for _ in range(60)] for kind in TEXT_KINDS}


def sigmoid(x):
    return 1 / (1 + math.exp(-x))


def test_comparisons_are_the_published_formula():
    """The random stream is part of the promise: benchmarks were made with it."""
    taste = Taste("slight", "I hardly care.", {"tone": 0.1})
    rater = SimulatedRater(taste, temperature=0.4, position_bias=0.1, tie_threshold=0.1, fatigue=0.01, seed=9)
    rng = random.Random(9)
    d = taste.utility(PROMPT, GOOD) - taste.utility(PROMPT, POOR) + 0.1
    for n in range(300):
        u = rng.random()
        felt = d + 0.4 * (1 + 0.01 * n) * math.log(u / (1 - u))
        assert rater.compare(PROMPT, GOOD, POOR) == ("tie" if abs(felt) < 0.1 else "left" if felt > 0 else "right")


def test_strengths_follow_the_felt_difference():
    plain, strong = (SimulatedRater(TASTES["cheerful"], seed=1, strengths=s) for s in (None, (0.5, 2.5)))
    exact = SimulatedRater(TASTES["cheerful"], temperature=0, strengths=(0.5, 2.5))
    said = [strong.compare(PROMPT, GOOD, text) for text in (POOR, FAIR) * 100]
    assert [side for side, _ in said] == [plain.compare(PROMPT, GOOD, text) for text in (POOR, FAIR) * 100]
    d = exact.felt_difference(PROMPT, GOOD, POOR)
    assert d > 2.5 and exact.compare(PROMPT, GOOD, POOR) == ("left", 3) and exact.compare(PROMPT, POOR, GOOD)[1] == 3
    assert exact.compare(PROMPT, GOOD, FAIR) == ("left", 2)
    assert mean(s for _, s in said[::2]) > mean(s for _, s in said[1::2])
    assert strong.compare(PROMPT, "", "") == "both_bad"


def test_rankings_follow_plackett_luce():
    taste = Taste("slight", "I hardly care.", {"tone": 0.4})
    rater = SimulatedRater(taste, temperature=1.0, seed=2)
    texts = [POOR, GOOD, FAIR]
    weights = [math.exp(taste.utility(PROMPT, text)) for text in texts]
    orders = [tuple(place for (place,) in rater.rank(PROMPT, texts)) for _ in range(6000)]
    for order in {(0, 1, 2), (1, 2, 0), (1, 0, 2), (2, 1, 0)}:
        a, b, c = (weights[i] for i in order)
        expected = a / (a + b + c) * b / (b + c)
        assert abs(orders.count(order) / len(orders) - expected) < 0.025
    above = sum(order.index(1) < order.index(0) for order in orders) / len(orders)
    assert abs(above - sigmoid(math.log(weights[1] / weights[0]))) < 0.025, "any two as in a comparison"


def test_rankings_with_ties_biases_and_no_noise():
    exact = SimulatedRater(TASTES["cheerful"], temperature=0)
    assert exact.rank(PROMPT, [POOR, GOOD, FAIR, GOOD]) == [[1, 3], [2], [0]]
    assert SimulatedRater(TASTES["cheerful"], temperature=0, tie_threshold=100).rank(PROMPT, [POOR, GOOD]) == [[1, 0]]
    assert SimulatedRater(INDIFFERENT, temperature=0, position_bias=1).rank(PROMPT, [FAIR] * 3) == [[0], [1], [2]]
    assert SimulatedRater(INDIFFERENT, temperature=0, position_bias=-1).rank(PROMPT, [FAIR] * 3) == [[2], [1], [0]]
    longer = GOOD + " The weather was fine."
    assert SimulatedRater(INDIFFERENT, temperature=0, length_bias=1).rank(PROMPT, [FAIR, longer]) == [[1], [0]]


def test_scores_rise_with_the_taste_and_are_personal():
    exact = SimulatedRater(TASTES["cheerful"], temperature=0, spread=1.5)
    low, middle, high = (exact.score(PROMPT, text)["overall"] for text in (POOR, FAIR, GOOD))
    assert low < middle < high
    texts = [POOR, FAIR, GOOD]
    harsh = SimulatedRater(TASTES["cheerful"], temperature=0, spread=1.5, offset=-1)
    assert all(harsh.score(PROMPT, t)["overall"] <= exact.score(PROMPT, t)["overall"] for t in texts)
    assert harsh.score(PROMPT, FAIR)["overall"] == middle - 1
    flat = SimulatedRater(TASTES["cheerful"], temperature=0, spread=0)
    assert {flat.score(PROMPT, t)["overall"] for t in texts} == {4}
    wide = SimulatedRater(TASTES["cheerful"], temperature=5, scale=(1, 5), seed=3)
    assert {wide.score(PROMPT, FAIR)["overall"] for _ in range(300)} == {1, 2, 3, 4, 5}


def test_scores_on_named_axes(documents):
    rater = SimulatedRater(TASTES["brief"], temperature=0, axes=("overall", "tone", "specificity"))
    assert rater.score(PROMPT, GOOD)["tone"] > rater.score(PROMPT, POOR)["tone"]
    helper = SimulatedRater(TASTES["polite"], temperature=0, axes=("helpfulness", "well_formedness"), spread=1.5)
    for d in documents["conversation"]:
        expected = min(max(round(4 + 1.5 * (helpfulness(d.prompt, d.completion) - 0.5) / 0.25), 1), 7)
        assert helper.score(d.prompt, d.completion)["helpfulness"] == expected
    with pytest.raises(ValueError, match="a review has no 'helpfulness'"):
        helper.score(PROMPT, GOOD)


def test_labels_are_the_faults_as_far_as_noise_lets_one_see_them(documents):
    exact = SimulatedRater(INDIFFERENT, temperature=0)
    every = [d for kind in TEXT_KINDS for d in documents[kind]]
    seen = {tag: 0 for tag in FAULTS}
    for d in every:
        tags = exact.label(d.prompt, d.completion)
        assert tags == [tag for tag, fault in FAULTS.items() if fault(d.prompt, d.completion)]
        for tag in tags:
            seen[tag] += 1
    assert all(seen[tag] for tag in ("unsafe", "untrue", "rude")), seen
    assert exact.label(PROMPT, " The rye loaf was good. The rye loaf was good.") == ["repetitive", "broken"]
    noisy = SimulatedRater(INDIFFERENT, temperature=0.5, tags=("rude",), seed=1)
    wrong = sum(bool(noisy.label(PROMPT, GOOD)) for _ in range(4000)) / 4000
    assert abs(wrong - sigmoid(-1 / 0.5)) < 0.02


def test_faults_by_hand():
    ask = "Visitor: Where can I buy a lantern?\nHelper:"
    harm = "Visitor: How do I rob the post office?\nHelper:"
    assert FAULTS["unsafe"](harm, " That is easy.") and not FAULTS["unsafe"](harm, " I will not help you.")
    assert not FAULTS["unsafe"](PROMPT, GOOD)
    wrong = " Try the boat yard on Keel Street."
    assert helpfulness(ask, wrong) == 0.2 and FAULTS["untrue"](ask, wrong) and not FAULTS["untrue"](ask, " Who knows.")
    assert FAULTS["off-topic"](PROMPT, "") and FAULTS["broken"](PROMPT, GOOD[:-1])
    assert FAULTS["rude"](PROMPT, " You should all be ashamed, you dolts.")


@pytest.mark.parametrize("kind", TEXT_KINDS)
def test_edits_are_better_well_formed_and_do_no_harm(kind, documents):
    changed = 0
    for number, d in enumerate(documents[kind]):
        taste = TASTES[sorted(TASTES)[number % len(TASTES)]]
        text = SimulatedRater(taste, seed=number).edit(d.prompt, d.completion)
        if text == d.completion:
            continue
        changed += 1
        assert well_formed(d.prompt, text)
        counted = [fault for tag, fault in FAULTS.items() if tag != "rude"]
        before, after = (sum(fault(d.prompt, t) for fault in counted) for t in (d.completion, text))
        assert after < before or taste.utility(d.prompt, text) > taste.utility(d.prompt, d.completion)
        assert after <= before
        if kind == "conversation":
            assert harmlessness(d.prompt, text) >= harmlessness(d.prompt, d.completion)
            if not harmful_request(d.prompt):
                assert helpfulness(d.prompt, text) >= helpfulness(d.prompt, d.completion)
        if kind in ("story", "translation"):
            scorer = faithfulness if kind == "story" else adequacy
            assert scorer(d.prompt, text) >= scorer(d.prompt, d.completion)
    assert changed >= (30 if kind in ("review", "conversation") else 5)


def test_an_edit_mends_what_is_broken_and_repeated():
    rater = SimulatedRater(TASTES["polite"], seed=1)
    twice = " The hatter was good. The hatter was good."
    for broken in (twice, GOOD[:-1], "", " The"):
        assert well_formed(PROMPT, rater.edit(PROMPT, broken))


def test_every_answer_tires_and_the_seed_decides_all(documents):
    def answers(seed):
        rater = SimulatedRater(TASTES["vivid"], temperature=1, fatigue=0.01, seed=seed)
        given = []
        for d, e in zip(documents["review"][:20], documents["review"][1:], strict=False):
            given += [
                rater.compare(d.prompt, d.completion, e.completion),
                rater.score(d.prompt, d.completion),
                rater.label(d.prompt, d.completion),
                rater.rank(d.prompt, [d.completion, e.completion]),
                rater.edit(d.prompt, d.completion),
            ]
        assert rater.answers == len(given) and rater.noise_scale() == pytest.approx(1 + 0.01 * len(given))
        return given

    assert answers(1) == answers(1) != answers(2)


@pytest.mark.parametrize(
    "settings", [{"axes": ("beauty",)}, {"tags": ("boring",)}, {"scale": (5, 1)}, {"strengths": (2.0, 1.0)}]
)
def test_impossible_settings_are_refused(settings):
    with pytest.raises(ValueError):
        SimulatedRater(TASTES["food"], **settings)
