"""Preference optimisation's formulas: values by hand, finite differences, and what tells one from another."""

import math

import pytest
import torch
from torch.autograd import gradcheck

from rlhf_lab.objectives.direct import (
    dpo_losses,
    ipo_losses,
    kto_losses,
    kto_zero,
    orpo_losses,
    robust_dpo_losses,
    simpo_losses,
    slic_losses,
)


def tensor(*values):
    return torch.tensor(values, dtype=torch.float64)


UP, DOWN = tensor(1.0, 0.0, -2.0), tensor(-1.0, 0.0, 1.0)
LOG_2 = math.log(2)


def test_dpo_by_hand():
    expected = [math.log(1 + math.exp(-0.5 * d)) for d in (2.0, 0.0, -3.0)]
    assert dpo_losses(UP, DOWN, 0.5).tolist() == pytest.approx(expected)
    assert dpo_losses(UP, UP, 7.0).tolist() == pytest.approx([LOG_2] * 3)
    smoothed = dpo_losses(UP, DOWN, 0.5, label_smoothing=0.1)
    other = dpo_losses(DOWN, UP, 0.5)
    assert smoothed.tolist() == pytest.approx((0.9 * tensor(*expected) + 0.1 * other).tolist())


def test_robust_dpo_takes_mistakes_out_on_average():
    told_right, told_wrong = robust_dpo_losses(UP, DOWN, 0.5, 0.2), robust_dpo_losses(DOWN, UP, 0.5, 0.2)
    assert torch.allclose(0.8 * told_right + 0.2 * told_wrong, dpo_losses(UP, DOWN, 0.5))
    assert torch.equal(robust_dpo_losses(UP, DOWN, 0.5, 0.0), dpo_losses(UP, DOWN, 0.5))


def test_ipo_has_a_best_difference_and_dpo_none():
    assert ipo_losses(UP, DOWN, 0.25).tolist() == pytest.approx([0.0, 4.0, 25.0])  # 1 / (2 beta) = 2
    far = tensor(1e3)
    assert ipo_losses(far, -far, 0.25) > ipo_losses(UP[:1], DOWN[:1], 0.25)
    assert dpo_losses(far, -far, 0.25) < dpo_losses(UP[:1], DOWN[:1], 0.25)


def test_slic_by_hand():
    assert slic_losses(UP, DOWN, margin=1.0).tolist() == [0.0, 1.0, 4.0]


def test_kto_by_hand():
    ratio, good = tensor(1.0, 1.0), torch.tensor([True, False])
    sigmoid = 1 / (1 + math.exp(-0.5 * (1.0 - 0.4)))
    losses = kto_losses(ratio, good, tensor(0.4), 0.5, good_weight=2.0, bad_weight=3.0)
    assert losses.tolist() == pytest.approx([2.0 * (1 - sigmoid), 3.0 * sigmoid])
    zero = torch.tensor(0.4, dtype=torch.float64, requires_grad=True)
    ratio.requires_grad_()
    kto_losses(ratio, good, zero, 0.5).sum().backward()
    assert zero.grad is None and ratio.grad[0] < 0 < ratio.grad[1], "a good text goes up, a bad one down"
    assert kto_zero(tensor(-3.0, 1.0)) == 0.0 and kto_zero(tensor(1.0, 2.0)) == 1.5


def test_orpo_by_hand():
    p, q = 0.5, 0.2
    odds = math.log(p / (1 - p)) - math.log(q / (1 - q))
    expected = -math.log(p) + 0.3 * math.log(1 + math.exp(-odds))
    assert orpo_losses(tensor(math.log(p)), tensor(math.log(q)), 0.3).tolist() == pytest.approx([expected])
    assert orpo_losses(tensor(0.0), tensor(-1.0), 0.3).isfinite().all(), "a text that is certain"


def test_simpo_by_hand():
    expected = math.log(1 + math.exp(-(2.0 * 0.5 - 0.3)))
    assert simpo_losses(tensor(-1.0), tensor(-1.5), 2.0, 0.3).tolist() == pytest.approx([expected])


@pytest.mark.parametrize(
    "losses",
    [
        lambda a, b: dpo_losses(a, b, 0.3, 0.1),
        lambda a, b: robust_dpo_losses(a, b, 0.3, 0.1),
        lambda a, b: ipo_losses(a, b, 0.3),
        lambda a, b: slic_losses(a, b, 0.7),
        lambda a, b: kto_losses(a, b > 0, tensor(0.1), 0.3, 1.5, 0.5),
        lambda a, b: orpo_losses(a - 4, b - 4, 0.3),
        lambda a, b: simpo_losses(a, b, 2.0, 0.5),
    ],
)
def test_gradients_are_those_of_finite_differences(losses):
    generator = torch.Generator().manual_seed(1)
    a, b = (torch.randn(5, dtype=torch.float64, generator=generator).requires_grad_() for _ in "ab")
    assert gradcheck(losses, (a, b))


def test_results_are_float32_or_more():
    half = torch.tensor([1.0], dtype=torch.bfloat16)
    assert dpo_losses(half, half, 0.1).dtype == ipo_losses(half, half, 0.1).dtype == torch.float32


@pytest.mark.parametrize("beta", [0.0, -0.1, math.nan])
def test_a_price_that_is_none(beta):
    for losses in (dpo_losses, ipo_losses):
        with pytest.raises(ValueError, match="beta is the price of KL and must be above 0"):
            losses(UP, DOWN, beta)
    with pytest.raises(ValueError, match="share of wrong answers"):
        robust_dpo_losses(UP, DOWN, 0.1, 0.5)
