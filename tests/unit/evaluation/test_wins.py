"""Win rates and their intervals, against hand-computed and independent values."""

import math

import pytest
from scipy.stats import binomtest

from rlhf_lab.evaluation import WinRate, blind_items, wilson_interval, win_rate, win_rate_by


@pytest.mark.parametrize(("wins", "trials"), [(0, 5), (5, 5), (3, 10), (81, 100), (1, 1)])
def test_wilson_interval_equals_scipys(wins, trials):
    expected = binomtest(wins, trials).proportion_ci(0.95, method="wilson")
    assert wilson_interval(wins, trials) == pytest.approx((expected.low, expected.high), abs=1e-9)


def test_nothing_compared_means_nothing_known():
    assert wilson_interval(0, 0) == (0.0, 1.0)
    nothing = win_rate([])
    assert math.isnan(nothing.estimate) and nothing.verdict == "inconclusive"
    assert str(nothing) == "no comparisons yet"


@pytest.mark.parametrize(("successes", "trials"), [(-1, 3), (4, 3), (0, -1)])
def test_impossible_counts_are_refused(successes, trials):
    with pytest.raises(ValueError, match="impossible"):
        wilson_interval(successes, trials)


def test_ties_count_as_half_a_win():
    assert WinRate(wins=6, ties=2, losses=2).estimate == pytest.approx(0.7)


def test_verdict_needs_the_whole_interval():
    assert WinRate(7, 0, 5).verdict == "inconclusive"  # 58 in 100 of a dozen comparisons shows nothing
    assert WinRate(12, 0, 0).verdict == "better"
    assert WinRate(0, 0, 12).verdict == "worse"
    assert WinRate(580, 0, 420).verdict == "better"  # the same share of a thousand does


def test_an_unknown_outcome_is_refused():
    with pytest.raises(ValueError, match="'draw'"):
        win_rate(["win", "draw"])


def test_win_rate_by_a_known_utility():
    rate = win_rate_by(
        lambda prompt, text: len(text), ["p"] * 4, ["long", "long", "x", "same"], ["a", "b", "yy", "this"]
    )
    assert (rate.wins, rate.ties, rate.losses) == (2, 1, 1)
    with pytest.raises(ValueError, match="2 prompts, 1 and 2"):
        win_rate_by(lambda prompt, text: 0.0, ["p", "q"], ["a"], ["b", "c"])


def test_blind_items_name_the_policy_with_the_candidate_only():
    (item,) = blind_items(["prompt"], ["new"], ["old"])
    assert [(c.text, c.policy) for c in item.candidates] == [("new", "after"), ("old", "before")]
    assert len({c.id for c in item.candidates}) == 2
