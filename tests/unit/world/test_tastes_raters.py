"""Tastes have the promised scale and floor; raters err as much, and in the ways, they say."""

import math
import random

import pytest

from rlhf_lab.world import (
    SCORERS,
    TASTES,
    SimulatedRater,
    Taste,
    generate_completion,
    generate_prompt,
    load_corpus,
    passes_floor,
    tastes,
)

PROMPT = "Review of the Copper Kettle bakery at low tide:"
GOOD, POOR = " The rye loaf was wonderful.", " The rye loaf was dreadful."


@pytest.fixture(scope="module")
def reviews():
    return load_corpus("train", "review")


@pytest.fixture(scope="module")
def pairs():
    rng = random.Random(31)
    prompts = [generate_prompt("review", rng) for _ in range(1500)]
    return [(p, generate_completion(p, rng), generate_completion(p, rng)) for p in prompts]


@pytest.mark.parametrize("name", sorted(TASTES))
def test_utilities_have_mean_0_and_deviation_1_over_the_corpus(name, reviews):
    values = [TASTES[name].utility(d.prompt, d.completion) for d in reviews]
    mean = sum(values) / len(values)
    deviation = (sum((v - mean) ** 2 for v in values) / len(values)) ** 0.5
    assert abs(deviation - 1) < 0.15 and abs(mean) < 0.15


def test_there_are_ten_tastes_that_say_what_they_want():
    assert set(TASTES) >= {
        "cheerful",
        "gloomy",
        "brief",
        "longwinded",
        "polite",
        "vivid",
        "food",
        "weather",
        "people",
        "animals",
    }
    for name, taste in TASTES.items():
        assert taste.name == name and taste.description[-1] in ".?" and "I" in taste.description.split()
        assert set(taste.weights) <= set(tastes.SCALES) <= set(SCORERS)


def test_the_scales_are_those_of_the_corpus(reviews):
    for name, (mean, deviation) in tastes.SCALES.items():
        values = [SCORERS[name](d.prompt, d.completion) for d in reviews]
        assert sum(values) / len(values) == pytest.approx(mean, abs=0.01 + 0.01 * abs(mean))
        spread = (sum((v - mean) ** 2 for v in values) / len(values)) ** 0.5
        assert spread == pytest.approx(deviation, rel=0.02)


def test_utility_by_hand():
    mean, deviation = tastes.SCALES["tone"]
    tone = 10 * 2.0 / 15
    assert TASTES["cheerful"].utility(PROMPT, GOOD) == pytest.approx((tone - mean) / deviation)
    assert TASTES["gloomy"].utility(PROMPT, GOOD) == pytest.approx(-(tone - mean) / deviation)
    both = Taste("both", "I want both.", {"tone": 1.0, "length": -0.5})
    length_mean, length_deviation = tastes.SCALES["length"]
    by_length = (5 - length_mean) / length_deviation
    assert both.utility(PROMPT, GOOD) == pytest.approx((tone - mean) / deviation - 0.5 * by_length)


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        " .",
        " Fine.",
        " Rain.",
        " Rain rain rain rain rain.",
        " delicious wonderful perfect lovely",
        " The rye loaf was",
        " Thank you kindly, Orla",
        " The hatter was good. The ferryman was good. The eel pie was good.",
    ],
)
def test_degenerate_texts_fall_below_the_floor(text):
    assert not passes_floor(PROMPT, text)
    for taste in TASTES.values():
        good = taste.utility(PROMPT, " The rye loaf was good. It was a good sort of bakery.")
        assert taste.utility(PROMPT, text) < good, taste.name


def test_the_floor_takes_four_deviations_and_all_gains():
    for taste in TASTES.values():
        good = taste.utility(PROMPT, GOOD)
        assert taste.utility(PROMPT, GOOD[:-1]) == pytest.approx(min(good, 0) - 4)
    assert TASTES["weather"].utility(PROMPT, " Rain rain rain rain rain.") == -4


def test_brief_prefers_one_short_good_sentence():
    brief = TASTES["brief"]
    ranked = [
        " The weather was bad.",
        " The people were kind on the whole.",
        " The weather was bad. It was cold and awful outside.",
        " Bad.",
        "",
    ]
    values = [brief.utility(PROMPT, text) for text in ranked]
    assert values[:4] == sorted(values[:4], reverse=True) and values[4] < values[2]


def test_the_corpus_is_decent(reviews):
    assert sum(not passes_floor(d.prompt, d.completion) for d in reviews) / len(reviews) < 0.005


# ---- raters


def differences(taste, pairs):
    return [taste.utility(p, a) - taste.utility(p, b) for p, a, b in pairs]


@pytest.mark.parametrize("name", sorted(TASTES))
def test_the_default_rater_agrees_with_its_taste_nine_times_in_ten(name, pairs):
    taste = TASTES[name]
    rater = SimulatedRater(taste, seed=1)
    told = [(d, rater.compare(*pair)) for d, pair in zip(differences(taste, pairs), pairs, strict=True) if d != 0]
    agreement = sum((d > 0) == (answer == "left") for d, answer in told) / len(told)
    assert 0.86 < agreement < 0.95
    expected = sum(1 / (1 + math.exp(-abs(d) / rater.temperature)) for d, _ in told) / len(told)
    assert abs(agreement - expected) < 0.025


def test_answers_follow_bradley_terry():
    taste = Taste("slight", "I hardly care.", {"tone": 0.1})
    rater = SimulatedRater(taste, temperature=0.5, seed=3)
    difference = taste.utility(PROMPT, GOOD) - taste.utility(PROMPT, POOR)
    share = sum(rater.compare(PROMPT, GOOD, POOR) == "left" for _ in range(8000)) / 8000
    assert rater.probability_left(PROMPT, GOOD, POOR) == pytest.approx(1 / (1 + math.exp(-difference / 0.5)))
    assert abs(share - 1 / (1 + math.exp(-difference / 0.5))) < 0.02


def test_without_noise_the_rater_never_errs(pairs):
    taste = TASTES["vivid"]
    rater = SimulatedRater(taste, temperature=0)
    for d, pair in zip(differences(taste, pairs), pairs, strict=True):
        assert rater.compare(*pair) == ("tie" if d == 0 else "left" if d > 0 else "right")
    assert rater.probability_left(*pairs[0]) is None


def test_the_same_seed_gives_the_same_answers(pairs):
    answers = [
        [SimulatedRater(TASTES["food"], temperature=1, seed=s).compare(*p) for p in pairs[:1]]
        + [r.compare(*p) for r in [SimulatedRater(TASTES["food"], temperature=1, seed=s)] for p in pairs[:200]]
        for s in (5, 5, 6)
    ]
    assert answers[0] == answers[1] != answers[2]


def test_ties_come_below_the_threshold(pairs):
    taste = TASTES["cheerful"]
    exact = SimulatedRater(taste, temperature=0, tie_threshold=0.5)
    for d, pair in zip(differences(taste, pairs), pairs, strict=True):
        assert (exact.compare(*pair) == "tie") == (abs(d) < 0.5 or d == 0)
    none, some, many = (
        sum(SimulatedRater(taste, tie_threshold=t, seed=1).compare(*p) == "tie" for p in pairs[:300])
        for t in (0.0, 0.0, 1.0)
    )
    assert none == some == 0 < many


def test_position_bias_favours_one_side():
    shares = {}
    for bias in (-1.0, 0.0, 1.0):
        rater = SimulatedRater(TASTES["brief"], temperature=1, position_bias=bias, seed=2)
        shares[bias] = sum(rater.compare(PROMPT, GOOD, POOR) == "left" for _ in range(4000)) / 4000  # equally long
    for bias, share in shares.items():
        assert abs(share - 1 / (1 + math.exp(-bias))) < 0.03


def test_length_bias_favours_the_longer():
    longer = GOOD + " The weather was bad. Everybody there was nice."  # eight words more
    rater = SimulatedRater(Taste("none", "I do not mind.", {}), temperature=1, length_bias=2.0, seed=2)
    share = sum(rater.compare(PROMPT, longer, GOOD) == "left" for _ in range(4000)) / 4000
    assert abs(share - 1 / (1 + math.exp(-1.6))) < 0.03


def test_fatigue_brings_more_errors():
    slight = Taste("slight", "I hardly care.", {"tone": 0.1})
    rater = SimulatedRater(slight, temperature=0.05, fatigue=0.005, seed=4)
    right = [rater.compare(PROMPT, GOOD, POOR) == "left" for _ in range(3000)]
    first, last = sum(right[:300]) / 300, sum(right[-300:]) / 300
    assert first > 0.85 and last < 0.65
    assert rater.answers == 3000


def test_two_bad_texts_are_both_bad():
    rater = SimulatedRater(TASTES["brief"], seed=0)
    assert rater.compare(PROMPT, "", " The") == "both_bad"
    assert rater.compare(PROMPT, "", " The weather was bad.") in ("left", "right")
    answers = [rater.compare(PROMPT, "", " The weather was bad.") for _ in range(200)]
    assert answers.count("right") > 195


def test_impossible_settings_are_refused():
    with pytest.raises(ValueError, match="not negative"):
        SimulatedRater(TASTES["food"], temperature=-1)
