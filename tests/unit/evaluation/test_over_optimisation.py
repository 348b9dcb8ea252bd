"""The curves of over-optimisation: their shapes, their peaks, and fits that find them again."""

import math

import numpy as np
import pytest

from rlhf_lab.evaluation.over_optimisation import GoldCurve, fit_gold_curve


def test_by_hand():
    assert GoldCurve(2.0, 0.5, logarithmic=False)([0, 1, 4, 16]).tolist() == [0, 1.5, 2.0, 0.0]
    e = math.e
    assert GoldCurve(2.0, 0.5, logarithmic=True)([0, 1, e**2]) == pytest.approx([0, 2.0, e * 1.5])


@pytest.mark.parametrize("logarithmic", [False, True])
def test_the_peak_is_the_highest_point(logarithmic):
    curve = GoldCurve(1.0, 0.4, logarithmic)
    kl = np.linspace(0, 30, 30_001)
    assert kl[curve(kl).argmax()] == pytest.approx(curve.peak, abs=1e-3)
    assert GoldCurve(1.0, 0.0, logarithmic).peak == GoldCurve(1.0, -0.1, logarithmic).peak == math.inf


@pytest.mark.parametrize("logarithmic", [False, True])
def test_a_fit_finds_the_curve_and_tells_it_from_the_other(logarithmic):
    rng, kl = np.random.default_rng(0), np.linspace(0.1, 20, 40)
    truth = GoldCurve(1.5, 0.35, logarithmic)
    gold = truth(kl) + 0.01 * rng.normal(size=40)
    fit, other = (fit_gold_curve(kl, gold, kind) for kind in (logarithmic, not logarithmic))
    assert (fit.alpha, fit.beta) == pytest.approx((1.5, 0.35), abs=0.02)
    assert ((fit(kl) - gold) ** 2).mean() < 2e-4 < ((other(kl) - gold) ** 2).mean() / 5


@pytest.mark.parametrize(("kl", "words"), [([1, 1, 2], "three different"), ([-0.1, 1, 2], "never below zero")])
def test_what_cannot_be_fitted_is_refused(kl, words):
    with pytest.raises(ValueError, match=words):
        fit_gold_curve(kl, [0.0, 1.0, 2.0], logarithmic=False)
