"""A few runs, and how far their mean may be trusted."""

import math

import numpy as np
import pytest
from scipy import stats

from rlhf_lab.evaluation import over_runs


@pytest.mark.parametrize("count", [2, 3, 5, 12, 60])
@pytest.mark.parametrize("confidence", [0.5, 0.95, 0.99])
def test_interval_equals_scipys(count, confidence):
    values = np.random.default_rng(count).normal(3, 2, count)
    found = over_runs(values, confidence)
    low, high = stats.t.interval(confidence, count - 1, values.mean(), stats.sem(values))
    assert (found.value, found.low, found.high) == pytest.approx((values.mean(), low, high), rel=1e-4, abs=1e-4)


def test_one_run_says_nothing_about_the_scatter():
    assert over_runs([0.7]).low == -math.inf and over_runs([0.7]).verdict == "inconclusive"


def test_runs_that_are_all_alike():
    assert over_runs([0.5, 0.5, 0.5]).low == over_runs([0.5, 0.5, 0.5]).high == 0.5


def test_no_runs_and_broken_runs_are_refused():
    with pytest.raises(ValueError, match="nothing to evaluate"):
        over_runs([])
    with pytest.raises(ValueError, match="not finite"):
        over_runs([0.5, math.nan])
