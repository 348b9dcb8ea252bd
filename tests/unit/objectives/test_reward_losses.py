"""Reward losses against values by hand, other routes to the same numbers, finite differences, and extremes."""

import itertools
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.optimize import minimize
from scipy.special import expit, log_expit
from scipy.stats import logistic
from torch.autograd import gradcheck

from rlhf_lab.objectives.preference import (
    bradley_terry_loss,
    bradley_terry_losses,
    davidson_losses,
    label_losses,
    ordinal_losses,
    plackett_luce_losses,
    rao_kupper_losses,
    regression_losses,
)

TIE_MODELS = [rao_kupper_losses, davidson_losses]
numbers = st.floats(-8, 8)


def doubles(*shape, seed=0):
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def tensor(*values):
    return torch.tensor(values, dtype=torch.float64)


# --- Pairs -------------------------------------------------------------------------------------------


@settings(deadline=None, max_examples=50)
@given(numbers, numbers, st.floats(0, 3), st.floats(0, 0.49))
def test_pairs_equal_the_cross_entropy_of_a_noisy_answer(chosen, rejected, margin, smoothing):
    loss = bradley_terry_losses(tensor(chosen), tensor(rejected), margin, smoothing).item()
    p = expit(chosen - rejected - margin)
    assert loss == pytest.approx(-(1 - smoothing) * math.log(p) - smoothing * math.log1p(-p), abs=1e-6)


def test_pairs_by_hand_and_as_the_mean_that_the_course_derives():
    losses = bradley_terry_losses(tensor(1.0, 0.0), tensor(0.0, 2.0))
    assert losses.tolist() == pytest.approx([math.log(1 + math.exp(-1)), math.log(1 + math.exp(2))])
    chosen, rejected, margin = doubles(9, seed=1), doubles(9, seed=2), doubles(9, seed=3).abs()
    assert bradley_terry_losses(chosen, rejected, margin).mean().item() == pytest.approx(
        bradley_terry_loss(chosen, rejected, margin).item(), abs=1e-12
    )


def test_pairs_equal_the_reward_loss_of_other_trainers():
    """-logsigmoid(chosen - rejected - margin), by numpy and scipy."""
    chosen, rejected, margin = (doubles(20, seed=s).numpy() * 3 for s in (1, 2, 3))
    expected = -log_expit(chosen - rejected - margin)
    found = bradley_terry_losses(*map(torch.tensor, (chosen, rejected, margin)))
    assert np.allclose(found.numpy(), expected, atol=1e-12)


def test_smoothed_pairs_have_a_best_difference():
    smoothing = 0.1
    best = minimize(lambda d: bradley_terry_losses(tensor(d.item()), tensor(0.0), 0.0, smoothing).item(), 0.0).x.item()
    assert best == pytest.approx(math.log(0.9 / 0.1), abs=1e-3)
    with pytest.raises(ValueError, match="label_smoothing"):
        bradley_terry_losses(tensor(0.0), tensor(0.0), label_smoothing=0.5)


# --- Ties --------------------------------------------------------------------------------------------


def rao_kupper_by_worth(first, second, tied, propensity):
    """The formulas of the paper, in terms of worths pi and theta."""
    a, b, theta = math.exp(first), math.exp(second), 1 + math.exp(propensity)
    if not tied:
        return a / (a + theta * b)
    return (theta**2 - 1) * a * b / ((a + theta * b) * (theta * a + b))


def davidson_by_worth(first, second, tied, propensity):
    a, b, nu = math.exp(first), math.exp(second), math.exp(propensity)
    total = a + b + nu * math.sqrt(a * b)
    return (nu * math.sqrt(a * b) if tied else a) / total


@settings(deadline=None, max_examples=60)
@given(numbers, numbers, st.booleans(), st.floats(-4, 4))
def test_ties_equal_the_papers_formulas(first, second, tied, propensity):
    for losses, formula in zip(TIE_MODELS, (rao_kupper_by_worth, davidson_by_worth), strict=True):
        found = losses(tensor(first), tensor(second), torch.tensor([tied]), propensity).item()
        assert found == pytest.approx(-math.log(formula(first, second, tied, propensity)), abs=1e-6)


@pytest.mark.parametrize("losses", TIE_MODELS)
@pytest.mark.parametrize("propensity", [-30.0, -1.0, 0.5, 6.0])
def test_the_three_outcomes_share_all_probability(losses, propensity):
    first, second, no = doubles(50, seed=4) * 4, doubles(50, seed=5) * 4, torch.zeros(50, dtype=torch.bool)
    total = sum(
        torch.exp(-losses(a, b, tied, propensity))
        for a, b, tied in ((first, second, no), (second, first, no), (first, second, ~no))
    )
    assert torch.allclose(total, torch.ones(50, dtype=torch.float64), atol=1e-9)


def test_rao_kupper_is_a_rater_who_sees_no_small_difference():
    """P(tie) as the chance that a logistic difference falls within the threshold."""
    first, second, propensity = 0.7, 0.1, 0.4
    threshold = math.log(1 + math.exp(propensity))
    chance, _ = quad(lambda noise: logistic.pdf(noise), -threshold - 0.6, threshold - 0.6)
    loss = rao_kupper_losses(tensor(first), tensor(second), torch.tensor([True]), propensity).item()
    assert math.exp(-loss) == pytest.approx(chance, abs=1e-8)


@pytest.mark.parametrize("losses", TIE_MODELS)
def test_equals_tie_as_often_in_both_models_and_without_ties_they_are_bradley_terry(losses):
    tie = losses(tensor(2.0), tensor(2.0), torch.tensor([True]), 0.3).exp().reciprocal().item()
    assert tie == pytest.approx(expit(0.3 - math.log(2)))
    first, second, no = doubles(9, seed=1), doubles(9, seed=2), torch.zeros(9, dtype=torch.bool)
    assert torch.allclose(losses(first, second, no, -40.0), bradley_terry_losses(first, second), atol=1e-9)


@pytest.mark.parametrize("losses", TIE_MODELS)
def test_ties_stay_finite_far_away(losses):
    first = torch.tensor([-1e4, 1e4, 0.0], requires_grad=True)
    loss = losses(first, torch.zeros(3), torch.tensor([False, True, True]), 0.0)
    loss.sum().backward()
    assert torch.isfinite(loss).all() and torch.isfinite(first.grad).all()


# --- Rankings ----------------------------------------------------------------------------------------


def chance_of_order(scores):
    """Plackett-Luce, stage by stage."""
    worths = [math.exp(s) for s in scores]
    return math.prod(worth / sum(worths[i:]) for i, worth in enumerate(worths))


@settings(deadline=None, max_examples=40)
@given(st.lists(numbers, min_size=2, max_size=6), st.randoms())
def test_rankings_equal_the_product_of_choices(scores, random):
    tiers = list(range(len(scores)))
    random.shuffle(tiers)
    found = plackett_luce_losses(tensor(*scores)[None], torch.tensor([tiers])).item()
    in_order = [score for _, score in sorted(zip(tiers, scores, strict=True))]
    assert found == pytest.approx(-math.log(chance_of_order(in_order)), abs=1e-6)


def test_all_rankings_share_all_probability():
    scores = doubles(1, 4, seed=6)
    tiers = torch.tensor(list(itertools.permutations(range(4))))
    assert torch.exp(-plackett_luce_losses(scores.expand(24, 4), tiers)).sum().item() == pytest.approx(1)


def test_a_ranking_is_a_race_that_the_smallest_exponential_wins():
    """Plackett-Luce by simulation: arrival times with rates exp(score)."""
    scores, rng = np.array([0.5, -0.3, 0.1]), np.random.default_rng(0)
    times = rng.exponential(1 / np.exp(scores), size=(200_000, 3))
    share = (times.argsort(1) == [2, 0, 1]).all(1).mean()
    loss = plackett_luce_losses(torch.tensor(scores)[None], torch.tensor([[1, 2, 0]])).item()
    assert math.exp(-loss) == pytest.approx(share, abs=0.004)


def test_two_texts_are_a_pair_and_ties_are_not_compared():
    scores = doubles(5, 2, seed=7)
    pairs = plackett_luce_losses(scores, torch.tensor([[0, 1]] * 5))
    assert torch.allclose(pairs, bradley_terry_losses(scores[:, 0], scores[:, 1]))
    a, b, c = scores = [1.0, 0.2, -0.5]
    found = plackett_luce_losses(tensor(*scores)[None], torch.tensor([[0, 0, 1]])).item()
    expected = -math.log(expit(a - c)) - math.log(expit(b - c))
    assert found == pytest.approx(expected)
    assert plackett_luce_losses(doubles(1, 3), torch.zeros(1, 3, dtype=torch.long)).item() == 0


def test_padding_of_a_ranking_has_no_influence():
    scores, tiers = doubles(1, 3, seed=8), torch.tensor([[1, 0, 2]])
    alone = plackett_luce_losses(scores, tiers)
    for filler in (0.0, 1e6, -1e6):
        padded = torch.cat([scores, torch.full((1, 2), filler, dtype=torch.float64)], 1).requires_grad_()
        loss = plackett_luce_losses(padded, torch.tensor([[1, 0, 2, -1, -1]]))
        loss.sum().backward()
        assert torch.allclose(loss, alone) and (padded.grad[:, 3:] == 0).all()


def test_every_output_of_an_ensemble_has_its_own_loss():
    scores, tiers = doubles(4, 3, 2, seed=9), torch.tensor([[0, 1, 2]] * 4)
    together = plackett_luce_losses(scores, tiers)
    assert together.shape == (4, 2)
    for k in range(2):
        assert torch.allclose(together[:, k], plackett_luce_losses(scores[..., k], tiers))


# --- Scores and labels -------------------------------------------------------------------------------


def test_regression_by_hand_and_without_an_answer():
    losses = regression_losses(tensor(1.0, 5.0), tensor(3.0, math.nan))
    assert losses.tolist() == [2.0, 0.0]


def test_ordinal_equals_differences_of_logistic_distributions():
    cutpoints = tensor([-1.5, -0.2, 0.1, 2.0], [-3.0, -1.0, 1.0, 3.0])
    scores, levels = doubles(40, 2, seed=10) * 2, torch.randint(5, (40, 2), generator=torch.Generator().manual_seed(0))
    found = ordinal_losses(scores, levels, cutpoints)
    for i, k in itertools.product(range(40), range(2)):
        cuts = [-math.inf, *cutpoints[k].tolist(), math.inf]
        level = levels[i, k].item()
        # the answer is the slot that the score falls in when logistic noise is added
        chance = logistic.cdf(cuts[level + 1] - scores[i, k]) - logistic.cdf(cuts[level] - scores[i, k])
        assert found[i, k].item() == pytest.approx(-math.log(chance), abs=1e-6)


def test_all_levels_share_all_probability_and_nobody_asked_costs_nothing():
    cutpoints = tensor([-1.0, 0.0, 2.0])
    chances = torch.exp(-ordinal_losses(tensor(0.7).expand(4, 1), torch.arange(4)[:, None], cutpoints))
    assert chances.sum().item() == pytest.approx(1)
    scores = tensor(0.7)[None].requires_grad_()
    loss = ordinal_losses(scores, torch.tensor([[-1]]), cutpoints)
    loss.sum().backward()
    assert loss.item() == 0 and scores.grad.item() == 0


def test_with_two_levels_ordinal_scores_are_labels():
    scores = doubles(9, 1, seed=11)
    present = torch.arange(9)[:, None] % 2
    assert torch.allclose(ordinal_losses(scores, present, tensor([0.0])), label_losses(scores, present))


def test_ordinal_stays_finite_far_away():
    scores = torch.tensor([[-1e4], [1e4], [0.0]], requires_grad=True)
    loss = ordinal_losses(scores, torch.tensor([[2], [0], [1]]), torch.tensor([[0.0, 1e-6]]))
    loss.sum().backward()
    assert torch.isfinite(loss).all() and torch.isfinite(scores.grad).all()


def test_labels_by_hand():
    found = label_losses(tensor([0.0, 2.0, -1e4]), tensor([1.0, 0.0, 1.0]))
    assert found.flatten().tolist() == pytest.approx([math.log(2), math.log(1 + math.exp(2)), 1e4])


# --- All of them -------------------------------------------------------------------------------------

TIED = torch.tensor([True, False, True, False])
LEVELS = torch.tensor([[0, 2], [1, -1], [3, 3], [2, 0]])
TARGETS = torch.tensor([[0.3, -1.0], [math.nan, 2.0], [0.0, 0.0], [1.0, math.nan]], dtype=torch.float64)
PLACES = torch.tensor([[0, 1, 2, 3], [2, 0, 0, 1], [1, 0, -1, -1], [0, 0, 1, 1]])
DOUBLES = doubles(4, 2, seed=12)
CUTPOINTS = torch.tensor([[-1.0, 0.1, 1.5], [-0.4, 0.6, 0.9]], dtype=torch.float64)


@pytest.mark.parametrize(
    ("losses", "shape"),
    [
        (lambda x: bradley_terry_losses(x[0], x[1], 0.3, 0.1), (2, 5)),
        (lambda x: rao_kupper_losses(x[0], x[1], TIED, x[2, 0]), (3, 4)),
        (lambda x: davidson_losses(x[0], x[1], TIED, x[2, 0]), (3, 4)),
        (lambda x: plackett_luce_losses(x, PLACES), (4, 4)),
        (lambda x: plackett_luce_losses(x, PLACES), (4, 4, 2)),
        (lambda x: regression_losses(x, TARGETS), (4, 2)),
        (lambda x: ordinal_losses(x, LEVELS, CUTPOINTS), (4, 2)),
        (lambda x: ordinal_losses(DOUBLES, LEVELS, x.exp().cumsum(1)), (2, 3)),
        (lambda x: label_losses(x, LEVELS > 1), (4, 2)),
    ],
    ids="pairs rao-kupper davidson rankings ranking-ensemble regression ordinal cutpoints labels".split(),
)
def test_gradients_against_finite_differences(losses, shape):
    for seed in (1, 2):
        assert gradcheck(losses, (doubles(*shape, seed=seed).requires_grad_(),), eps=1e-6, atol=1e-6)


def test_half_precision_is_computed_in_float32_and_double_stays_double():
    for dtype, expected in ((torch.bfloat16, torch.float32), (torch.float64, torch.float64)):
        x = torch.zeros(4, 2, dtype=dtype)
        found = [
            bradley_terry_losses(x[:, 0], x[:, 1]),
            rao_kupper_losses(x[:, 0], x[:, 1], TIED, 0.0),
            davidson_losses(x[:, 0], x[:, 1], TIED, 0.0),
            plackett_luce_losses(x, PLACES[:, :2]),
            regression_losses(x, TARGETS),
            ordinal_losses(x, LEVELS, CUTPOINTS.to(expected)),
            label_losses(x, LEVELS > 1),
        ]
        assert {losses.dtype for losses in found} == {expected}
