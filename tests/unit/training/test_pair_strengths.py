"""Strengths of preferences as a scale of differences: probabilities, gradients, and that the scale is found."""

import math

import pytest
import torch

from rlhf_lab.feedback.pairs import PreferencePair, TiedPair
from rlhf_lab.training.reward_objectives import Pairs, PairsWithStrength


def pair(strength):
    return PreferencePair("Review: the pier.", " It is fine.", " It is shut.", "a", strength=strength)


def objective(*cutpoints):
    return PairsWithStrength(torch.tensor(cutpoints, dtype=torch.float64))


def scores(differences):
    """(n, 2, 1) with the given chosen less rejected."""
    differences = torch.as_tensor(differences, dtype=torch.float64)
    return torch.stack([differences, torch.zeros_like(differences)], 1)[..., None]


def test_losses_by_hand():
    found = objective(1.0, 3.0).losses(scores([0.5, 0.5, 0.5]), [pair(1), pair(2), pair(3)])[:, 0]
    s = lambda x: 1 / (1 + math.exp(-x))  # noqa: E731
    wanted = [s(1 - 0.5) - s(0 - 0.5), s(3 - 0.5) - s(1 - 0.5), 1 - s(3 - 0.5)]
    assert found.tolist() == pytest.approx([-math.log(p) for p in wanted], abs=1e-9)


@pytest.mark.parametrize("difference", [-30.0, -1.0, 0.0, 2.0, 30.0])
def test_the_strengths_of_a_side_make_bradley_terry_together(difference):
    rule = objective(0.7, 2.5)
    each = [rule.losses(scores([difference]), [pair(strength)]) for strength in (1, 2, 3)]
    together = torch.stack(each).neg().exp().sum()
    assert together.item() == pytest.approx(torch.sigmoid(torch.tensor(difference, dtype=torch.float64)).item())
    plain = rule.losses(scores([difference]), [pair(None)])
    torch.testing.assert_close(plain, Pairs().losses(scores([difference]), [pair(None)]))


def test_gradients_in_scores_and_cutpoints():
    rule, examples = objective(0.7, 2.5), [pair(1), pair(2), pair(3), pair(None)]
    rule.shift.data = rule.shift.data.double()

    def losses(values, shift):
        return torch.func.functional_call(rule, {"shift": shift}, (values, examples)).sum()

    rule.forward = rule.losses
    values = scores([0.3, -1.0, 2.0, 0.1]).requires_grad_()
    assert torch.autograd.gradcheck(losses, (values, torch.tensor([0.01, -0.02]).double().requires_grad_()))


def test_the_cutpoints_of_a_rater_are_found():
    """Differences known, cutpoints not: the likelihood leads to those that the rater has."""
    generator = torch.Generator().manual_seed(0)
    difference = 3 * torch.randn(4000, generator=generator, dtype=torch.float64)
    chance = torch.rand(4000, generator=generator, dtype=torch.float64)
    felt = difference + torch.logit(chance)
    examples = [pair(1 + (abs(x) >= 1.5) + (abs(x) >= 5.0)) for x in felt.tolist()]
    difference = difference * felt.sign()  # chosen less rejected
    rule = PairsWithStrength.for_examples(examples).double()
    start = rule.cutpoints.tolist()
    optimizer = torch.optim.LBFGS(rule.parameters(), max_iter=50, line_search_fn="strong_wolfe")

    def closure():
        optimizer.zero_grad()
        loss = rule.losses(scores(difference), examples).mean()
        loss.backward()
        return loss

    optimizer.step(closure)
    assert rule.cutpoints.tolist() == pytest.approx([1.5, 5.0], rel=0.1)
    assert start != pytest.approx([1.5, 5.0], rel=0.1)


def test_it_starts_from_the_shares_of_the_answers():
    cutpoints = PairsWithStrength.for_examples([pair(1)] * 50 + [pair(2)] * 30 + [pair(3)] * 20).cutpoints
    shares = torch.tanh(cutpoints / 2).tolist()  # P(|x| < c) of logistic noise
    assert shares == pytest.approx([0.5, 0.8], abs=0.01)


def test_what_says_no_strength_or_too_much_is_refused():
    with pytest.raises(ValueError, match="0 of 2 pairs say how strong"):
        PairsWithStrength.for_examples([pair(None)] * 2)
    with pytest.raises(ValueError, match="the strongest with 4"):
        PairsWithStrength.for_examples([pair(4)])
    with pytest.raises(ValueError, match="strength of a preference is 1 to 3"):
        objective(1.0, 2.0).check([pair(5)], ["reward"])
    tie = TiedPair("p", "a", "b", "p")
    with pytest.raises(ValueError, match="1 of 2 comparisons are ties"):
        objective(1.0, 2.0).check([pair(1), tie], ["reward"])
