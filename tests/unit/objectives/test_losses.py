"""Losses: hand-computed values, gradients against finite differences, extreme inputs, and padding."""

import math

import pytest
import torch
from torch.autograd import gradcheck

from rlhf_lab.objectives.language_model import entropy, language_model_loss
from rlhf_lab.objectives.policy import (
    clipped_surrogate,
    completion_ratio,
    ppo_policy_loss,
    ppo_value_loss,
    probability_ratio,
    score_function_surrogate,
)
from rlhf_lab.objectives.preference import bradley_terry_loss

MASK = torch.tensor([[1, 1, 0], [1, 1, 1]], dtype=torch.bool)


def doubles(*shape, seed=0, gradient=True):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, dtype=torch.float64, generator=generator).requires_grad_(gradient)


def test_language_model_loss_by_hand():
    # Two tokens a and b; logits that give b probability 3/4 after a, and 1/2 after b.
    logits = torch.tensor([[[0.0, math.log(3)], [0.0, 0.0], [9.0, -9.0]]])
    ids = torch.tensor([[0, 1, 0]])  # a b a: predicted with 3/4 and 1/2; the last logits predict nothing
    loss = language_model_loss(logits, ids, torch.ones(1, 3))
    assert loss.item() == pytest.approx(-(math.log(3 / 4) + math.log(1 / 2)) / 2)
    only_last = language_model_loss(logits, ids, torch.tensor([[0, 0, 1]]))
    assert only_last.item() == pytest.approx(math.log(2))


def test_language_model_loss_does_not_see_its_own_answer():
    """A model that copies its input would be perfect if the labels were not shifted."""
    ids = torch.tensor([[0, 1, 2, 3]])
    copies = torch.nn.functional.one_hot(ids, 4).float() * 50
    assert language_model_loss(copies, ids, torch.ones(1, 4)).item() > 10
    predicts = torch.nn.functional.one_hot(ids.roll(-1, 1), 4).float() * 50
    assert language_model_loss(predicts, ids, torch.ones(1, 4)).item() < 1e-6


def test_language_model_loss_needs_a_token_to_learn():
    with pytest.raises(ValueError, match="No token to learn"):
        language_model_loss(torch.zeros(1, 3, 4), torch.zeros(1, 3, dtype=torch.long), torch.tensor([[1, 0, 0]]))


def test_bradley_terry_by_hand():
    loss = bradley_terry_loss(torch.tensor([1.0, 0.0]), torch.tensor([0.0, 2.0]))
    assert loss.item() == pytest.approx((math.log(1 + math.exp(-1)) + math.log(1 + math.exp(2))) / 2)
    assert bradley_terry_loss(torch.zeros(3), torch.zeros(3)).item() == pytest.approx(math.log(2))
    with_margin = bradley_terry_loss(torch.tensor([3.0]), torch.tensor([1.0]), margin=0.5)
    assert with_margin.item() == pytest.approx(math.log(1 + math.exp(-1.5)))


def test_bradley_terry_knows_only_differences():
    chosen, rejected = doubles(5, seed=1), doubles(5, seed=2)
    shifted = bradley_terry_loss(chosen + 7.0, rejected + 7.0)
    assert shifted.item() == pytest.approx(bradley_terry_loss(chosen, rejected).item())


def test_bradley_terry_stays_finite():
    chosen = torch.tensor([-1e4, 1e4], requires_grad=True)
    loss = bradley_terry_loss(chosen, torch.zeros(2))
    loss.backward()
    assert loss.item() == pytest.approx(5e3)
    assert chosen.grad.tolist() == pytest.approx([-0.5, 0.0])


def test_ppo_policy_loss_by_hand():
    old = torch.zeros(1, 4)
    new = torch.tensor([[1.5, 1.5, 0.5, 0.5]]).log()
    advantages = torch.tensor([[2.0, -2.0, 2.0, -2.0]])
    #           clipped to 1.2   kept 1.5   kept 0.5   clipped to 0.8
    expected = -(1.2 * 2 + 1.5 * -2 + 0.5 * 2 + 0.8 * -2) / 4
    loss = ppo_policy_loss(new, old, advantages, torch.ones(1, 4), clip=0.2)
    assert loss.item() == pytest.approx(expected, rel=1e-5)


def test_ppo_policy_gradient_vanishes_only_where_it_would_go_further():
    new = torch.tensor([[1.5, 1.5, 0.5, 0.5]]).log().requires_grad_()
    ppo_policy_loss(new, torch.zeros(1, 4), torch.tensor([[2.0, -2.0, 2.0, -2.0]]), torch.ones(1, 4)).backward()
    assert (new.grad != 0).tolist() == [[False, True, True, False]]


def test_ppo_policy_gradient_at_ratio_1_is_the_policy_gradient():
    log_probs, advantages = doubles(2, 3), doubles(2, 3, seed=1, gradient=False)
    ppo_policy_loss(log_probs, log_probs.detach(), advantages, MASK).backward()
    expected = -(advantages * MASK) / MASK.sum()
    assert torch.allclose(log_probs.grad, expected)


def test_the_clip_may_be_wider_upwards():
    """Each of two ratios below, within and above the bounds, with a good and a bad token."""
    ratio = torch.tensor([0.5, 0.9, 1.25, 1.5]).repeat(2)
    advantages = torch.tensor([1.0] * 4 + [-1.0] * 4)
    loss = clipped_surrogate(ratio, advantages, low=0.2, high=0.28)
    assert loss.tolist() == pytest.approx([-0.5, -0.9, -1.25, -1.28, 0.8, 0.9, 1.25, 1.5])


def test_score_function_by_hand():
    log_probs = torch.tensor([[-1.0, -2.0]], requires_grad=True)
    loss = score_function_surrogate(log_probs, torch.tensor([[3.0, -1.0]]))
    assert loss.tolist() == [[3.0, -2.0]]
    loss.sum().backward()
    assert log_probs.grad.tolist() == [[-3.0, 1.0]]


def test_the_ratio_of_a_completion_is_the_geometric_mean_of_its_tokens():
    new = torch.tensor([[math.log(2), math.log(8), 99.0], [math.log(3), 0.0, 0.0]])
    ratio = completion_ratio(new, torch.zeros(2, 3), MASK)
    assert ratio.flatten().tolist() == pytest.approx([4.0, 3 ** (1 / 3)])


def test_ratio_survives_extreme_log_probabilities():
    ratio = probability_ratio(torch.tensor([-1e4, 0.0, 0.0]), torch.tensor([0.0, -1e4, 0.0]))
    assert torch.isfinite(ratio).all() and ratio[2] == 1


def test_ppo_value_loss_by_hand():
    # Expected 1, now 2, clipped to 1.2. Towards 3: errors 1 and 1.8. Towards 0: errors 2 and 1.2.
    values, old = torch.tensor([[2.0, 2.0]]), torch.tensor([[1.0, 1.0]])
    loss = ppo_value_loss(values, old, torch.tensor([[3.0, 0.0]]), torch.ones(1, 2), clip=0.2)
    assert loss.item() == pytest.approx(0.5 * (1.8**2 + 2.0**2) / 2)


def test_entropy_by_hand_and_at_the_extremes():
    logits = torch.tensor([[0.0, 0.0, 0.0, 0.0], [0.0, math.log(3), -1e30, -torch.inf], [1e4, 0.0, 0.0, -1e4]])
    expected = [math.log(4), -(0.25 * math.log(0.25) + 0.75 * math.log(0.75)), 0.0]
    assert entropy(logits).tolist() == pytest.approx(expected, abs=1e-6)
    logits.requires_grad_()
    entropy(logits).sum().backward()
    assert torch.isfinite(logits.grad).all()


OLD, ADVANTAGES, RETURNS = (doubles(2, 3, seed=s, gradient=False) for s in (5, 6, 7))


@pytest.mark.parametrize(
    ("loss", "shape"),
    [
        (lambda x: language_model_loss(x, torch.tensor([[0, 1, 2], [3, 3, 1]]), MASK), (2, 3, 4)),
        (lambda x: bradley_terry_loss(x[0], x[1], margin=0.3), (2, 5)),
        (lambda x: ppo_policy_loss(0.3 * x, 0.3 * OLD, ADVANTAGES, MASK), (2, 3)),
        (lambda x: ppo_value_loss(x, OLD, RETURNS, MASK), (2, 3)),
        (lambda x: clipped_surrogate(completion_ratio(0.3 * x, 0.3 * OLD, MASK), ADVANTAGES).sum(), (2, 3)),
        (lambda x: entropy(x).mean(), (6, 4)),
    ],
    ids=["language model", "bradley-terry", "ppo policy", "ppo value", "completion ratio", "entropy"],
)
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_gradients_against_finite_differences(loss, shape, seed):
    assert gradcheck(loss, (doubles(*shape, seed=seed),), eps=1e-6, atol=1e-6)


def test_padding_has_no_influence():
    log_probs, old, advantages, returns, values = (doubles(2, 3, seed=s) for s in range(5))
    results = []
    for filler in (0.0, 1e6):
        x = [t.detach().masked_fill(~MASK, filler).requires_grad_() for t in (log_probs, values)]
        rest = [t.detach().masked_fill(~MASK, -filler) for t in (old, advantages, returns)]
        loss = ppo_policy_loss(x[0], rest[0], rest[1], MASK) + ppo_value_loss(x[1], rest[0], rest[2], MASK)
        loss.backward()
        results.append((loss.item(), x[0].grad, x[1].grad))
    assert results[0][0] == pytest.approx(results[1][0])
    for a, b in zip(results[0][1:], results[1][1:], strict=True):
        assert torch.allclose(a, b) and (a[~MASK] == 0).all() and (b[~MASK] == 0).all()


def test_half_precision_inputs_are_computed_in_float32():
    chosen, rejected = torch.tensor([1.001], dtype=torch.bfloat16), torch.tensor([1.0], dtype=torch.bfloat16)
    assert bradley_terry_loss(chosen, rejected).dtype == torch.float32
    logits = torch.randn(1, 3, 4, dtype=torch.bfloat16)
    ids = torch.tensor([[0, 1, 2]])
    assert language_model_loss(logits, ids, torch.ones(1, 3)).dtype == torch.float32
    assert entropy(logits).dtype == torch.float32
    ratios = probability_ratio(torch.zeros(2, dtype=torch.bfloat16), torch.zeros(2, dtype=torch.bfloat16))
    assert ratios.dtype == torch.float32 and (ratios == 1).all()
    assert bradley_terry_loss(chosen.double(), rejected.double()).dtype == torch.float64
