"""Accuracy, Brier score, calibration and their floors, against values by hand, simulation and scipy."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from scipy.optimize import minimize_scalar
from scipy.special import expit

from rlhf_lab.evaluation import (
    Estimate,
    accuracy_ceiling,
    bootstrap,
    brier_floor,
    brier_score,
    calibration_error_floor,
    calibration_error_interval,
    confidence_and_correct,
    ensemble_disagreement,
    expected_accuracy,
    expected_calibration_error,
    fit_temperature,
    learning_curve,
    pair_accuracy,
    paired_difference,
    reliability_bins,
)

shares = st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=40)


def simulated(count=4000, temperature=1.0, seed=0):
    """Rewards that are `1 / temperature` times the true log-odds: (differences chosen less rejected, true p)."""
    rng = np.random.default_rng(seed)
    log_odds = rng.normal(0, 1.5, count)
    first_wins = rng.random(count) < expit(log_odds)
    return np.where(first_wins, log_odds, -log_odds) * temperature, expit(log_odds)


# --- Agreement ---------------------------------------------------------------------------------------


def test_accuracy_comes_with_wilsons_interval():
    found = pair_accuracy([1.0, 2.0, -1.0, 0.5])
    expected = stats.binomtest(3, 4).proportion_ci(0.95, method="wilson")
    assert found.estimate == 0.75 and found.interval == pytest.approx((expected.low, expected.high))
    assert pair_accuracy([1.0, 0.0]).estimate == 0.75
    assert pair_accuracy(torch.tensor([1.0, -1.0])).estimate == 0.5


def test_floor_and_ceiling_are_reached_by_the_model_that_knows():
    assert brier_floor([0.5, 1.0, 0.9]) == pytest.approx((0.25 + 0 + 0.09) / 3)
    assert accuracy_ceiling([0.5, 1.0, 0.2]) == pytest.approx((0.5 + 1 + 0.8) / 3)
    differences, p = simulated(40_000)
    assert pair_accuracy(differences).estimate == pytest.approx(accuracy_ceiling(p), abs=0.01)
    assert brier_score(expit(differences), np.ones(40_000)) == pytest.approx(brier_floor(p), abs=0.005)


def test_expected_accuracy_is_what_single_answers_give_on_average():
    differences, p = [1.0, -2.0, 0.0], [0.9, 0.7, 0.8]
    assert expected_accuracy(differences, p) == pytest.approx((0.9 + 0.3 + 0.5) / 3)
    rng = np.random.default_rng(0)
    answers = np.where(rng.random((20_000, 3)) < p, 1, -1)  # the first text wins, or the second
    assert pair_accuracy((answers * differences).ravel()).estimate == pytest.approx(0.5667, abs=0.01)
    assert expected_accuracy(np.array(p) - 0.5, p) == pytest.approx(accuracy_ceiling(p))
    with pytest.raises(ValueError, match="one length"):
        expected_accuracy([1.0], p)


def test_brier_by_hand():
    assert brier_score([0.8, 0.3], [1, 0]) == pytest.approx((0.04 + 0.09) / 2)
    assert brier_score([0.5] * 3, [1, 0, 1]) == 0.25


@settings(deadline=None, max_examples=40)
@given(shares)
def test_nobody_beats_the_floor_on_average(pairs):
    """The expected Brier score under p of any answer q is the floor plus the mean of (p - q)^2."""
    p = np.array([p for p, _ in pairs])
    q = np.array([0.9 if flag else 0.2 for _, flag in pairs])
    expected = (p * (q - 1) ** 2 + (1 - p) * q**2).mean()
    assert expected == pytest.approx(brier_floor(p) + ((p - q) ** 2).mean()) and expected >= brier_floor(p) - 1e-12


# --- Intervals ---------------------------------------------------------------------------------------


def test_the_bootstrap_of_a_mean_is_near_the_interval_of_the_textbook():
    x = np.random.default_rng(1).normal(2, 3, 400)
    found = bootstrap(np.mean, x, resamples=4000)
    low, high = stats.t.interval(0.95, 399, x.mean(), stats.sem(x))
    assert found.value == x.mean() and (found.low, found.high) == pytest.approx((low, high), abs=0.03)
    assert found == bootstrap(np.mean, x, resamples=4000) != bootstrap(np.mean, x, resamples=4000, seed=1)


def test_an_interval_covers_the_truth_about_as_often_as_it_says():
    hits = 0
    for seed in range(200):
        x = np.random.default_rng(seed).exponential(1.0, 60)
        found = bootstrap(np.mean, x, resamples=200, confidence=0.9, seed=seed)
        hits += found.low <= 1.0 <= found.high
    assert 0.82 < hits / 200 < 0.96


def test_a_paired_difference_sees_what_two_samples_do_not():
    rng = np.random.default_rng(2)
    hard = rng.normal(0, 3, 200)  # what both find difficult
    first, second = hard + 0.3 + rng.normal(0, 0.5, 200), hard + rng.normal(0, 0.5, 200)
    found = paired_difference(first, second)
    assert found.value == pytest.approx(np.mean(first - second)) and found.verdict == "better"
    assert paired_difference(second, first).verdict == "worse"
    assert paired_difference(first, rng.permutation(second)).verdict == "inconclusive"
    assert str(Estimate(0.1234, -0.2, 0.3)) == "0.123 (95% interval -0.2 to 0.3)"


def test_a_few_rows_prove_nothing():
    assert paired_difference([1.0] * 9, [0.0] * 9).verdict == "inconclusive"
    assert paired_difference([1.0] * 10, [0.0] * 10).verdict == "better"


# --- Calibration -------------------------------------------------------------------------------------


def test_calibration_error_by_hand():
    #      bins of a third: {0.1, 0.2, 0.25} mean 0.55/3, one in three came; {0.9} came
    assert expected_calibration_error([0.1, 0.2, 0.25, 0.9], [0, 0, 1, 1], bins=3) == pytest.approx(
        (3 * abs(0.55 / 3 - 1 / 3) + abs(0.9 - 1)) / 4
    )
    assert expected_calibration_error([0.9, 0.9], [1, 0], bins=2) == pytest.approx(0.4)
    assert expected_calibration_error([1.0, 0.0, 1.0], [1, 0, 0], bins=5) == pytest.approx(2 / 3 * 0.5)


@settings(deadline=None, max_examples=40)
@given(shares, st.integers(1, 12))
def test_calibration_error_is_the_mean_gap_of_the_bins(pairs, bins):
    p, y = np.array([p for p, _ in pairs]), np.array([float(flag) for _, flag in pairs])
    found = reliability_bins(p, y, bins)
    assert sum(each.observed.trials for each in found) == len(p)
    assert all(each.low <= each.predicted <= each.high for each in found)
    expected = sum(abs(each.gap) * each.observed.trials for each in found) / len(p)
    assert expected_calibration_error(p, y, bins) == pytest.approx(expected, abs=1e-9)


def test_a_model_that_is_too_sure_is_seen_and_mended_by_one_number():
    differences, _ = simulated(temperature=3.0)
    assert fit_temperature(differences) == pytest.approx(3.0, rel=0.1)
    before = calibration_error_interval(*confidence_and_correct(differences), resamples=200)
    mended = confidence_and_correct(differences, fit_temperature(differences))
    assert before.low > 0.05 and before.low <= before.value <= before.high
    floor = calibration_error_floor(mended[0], draws=200)
    assert expected_calibration_error(*mended) < 2 * floor < before.low
    assert all(each.gap > 0 for each in reliability_bins(*confidence_and_correct(differences)) if each.low >= 0.6)


def test_the_floor_is_what_a_perfect_model_shows():
    found = []
    for seed in range(40):
        differences, _ = simulated(300, seed=seed)
        found.append(expected_calibration_error(*confidence_and_correct(differences)))
    floor = calibration_error_floor(confidence_and_correct(differences)[0])
    assert floor == pytest.approx(np.mean(found), rel=0.2) and floor > 0.01


def test_the_temperature_is_the_one_of_maximum_likelihood():
    for seed, true in enumerate((0.2, 1.0, 7.0)):
        differences, _ = simulated(300, true, seed)
        best = minimize_scalar(
            lambda t, d=differences: np.logaddexp(0, -d / math.exp(t)).mean(),
            bounds=(-4, 4),
            method="bounded",
            options={"xatol": 1e-10},
        )
        assert fit_temperature(differences) == pytest.approx(math.exp(best.x), rel=1e-5)


def test_what_has_no_temperature_is_refused():
    with pytest.raises(ValueError, match="on the wrong side"):
        fit_temperature([1.0, 2.0, 0.0])
    with pytest.raises(ValueError, match="swapped"):
        fit_temperature([-1.0, 0.5])
    with pytest.raises(ValueError, match="above zero"):
        confidence_and_correct([1.0], temperature=0)


def test_confidence_is_that_of_the_text_with_the_higher_reward():
    confidence, correct = confidence_and_correct([2.0, -2.0, 0.0])
    assert confidence.tolist() == pytest.approx([expit(2), expit(2), 0.5]) and correct.tolist() == [1, 0, 0.5]
    assert confidence_and_correct([1e4, -1e4])[0].tolist() == [1, 1]


# --- Ensembles and learning curves -------------------------------------------------------------------


def test_disagreement_is_the_deviation_of_the_members():
    scores = np.random.default_rng(3).normal(size=(20, 5))
    assert np.allclose(ensemble_disagreement(scores), [np.std(row, ddof=1) for row in scores])
    assert ensemble_disagreement(torch.ones(4, 3)).tolist() == [0] * 4
    with pytest.raises(ValueError, match="two members or more"):
        ensemble_disagreement([[1.0], [2.0]])


def test_a_learning_curve_nests_its_sets():
    seen = []
    curve = learning_curve(lambda examples: seen.append(examples) or len(examples), range(20), [5, 10, 20], repeats=2)
    assert curve == {5: [5, 5], 10: [10, 10], 20: [20, 20]}
    assert seen[0] == seen[1][:5] and seen[1] == seen[2][:10] and sorted(seen[2]) == list(range(20))
    assert seen[0] != seen[3]
    with pytest.raises(ValueError, match="Sizes are from 1 to the 20 examples"):
        learning_curve(len, range(20), [5, 21])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: pair_accuracy([]), "columns are empty"),
        (lambda: pair_accuracy([1.0, math.nan]), "Number 1 of 2 is not finite"),
        (lambda: brier_score([0.5], [1, 0]), "columns of one length"),
        (lambda: brier_score([1.5], [1]), "from 0 to 1; got 1.5"),
        (lambda: brier_floor([-0.1]), "from 0 to 1"),
        (lambda: expected_calibration_error([0.5], [1], bins=0), "at least one bin"),
        (lambda: paired_difference([1.0], [1.0, 2.0]), "columns of one length"),
    ],
)
def test_errors_say_what_was_wrong(call, message):
    with pytest.raises(ValueError, match=message):
        call()
