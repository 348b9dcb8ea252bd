"""Fits of a head on given features, and ways to choose the pair to ask about next."""

import pytest
import torch
from lessons.active_labels import CHOICES, bootstrap_weights, d_optimal, label_curve, random, uncertain

from rlhf_lab.training.reward_head import fit_pairs


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def world(pairs=300, features=6, seed=0, scale=2.0):
    """Differences of features, a true weight, and who wins."""
    generator = seeded(seed)
    x = torch.randn(pairs, features, generator=generator, dtype=torch.float64)
    truth = scale * torch.randn(features, generator=generator, dtype=torch.float64)
    return x, truth, torch.rand(pairs, generator=generator) < torch.sigmoid(x @ truth)


def signed(x, wins):
    return torch.where(wins[:, None], x, -x)


# --- The fit -----------------------------------------------------------------------------------------


def test_the_fit_is_where_the_gradient_is_nothing():
    x, truth, wins = world()
    chosen = signed(x, wins)
    fit = fit_pairs(chosen, prior_deviation=3.0)
    weight = fit.weight.clone().requires_grad_()
    cost = -torch.nn.functional.logsigmoid(chosen @ weight).sum() + 0.5 * 6 / 9 * (weight**2).sum()
    (slope,) = torch.autograd.grad(cost, weight)
    assert slope.abs().max() < 1e-6
    curvature = torch.autograd.functional.hessian(
        lambda w: -torch.nn.functional.logsigmoid(chosen @ w).sum() + 0.5 * 6 / 9 * (w**2).sum(), fit.weight
    )
    assert torch.allclose(fit.covariance @ curvature, torch.eye(6, dtype=torch.float64), atol=1e-6)
    assert torch.nn.functional.cosine_similarity(fit.weight, truth, dim=0) > 0.95


def test_weights_count_like_copies_and_a_start_changes_nothing():
    x, _, wins = world(40)
    chosen = signed(x, wins)
    copies = torch.cat([chosen, chosen[:10]])
    counts = torch.ones(40)
    counts[:10] = 2
    assert torch.allclose(fit_pairs(chosen, weights=counts).weight, fit_pairs(copies).weight, atol=1e-8)
    away = 50.0 * torch.ones(6)  # so far out that a full step of Newton's method overshoots
    assert torch.allclose(fit_pairs(chosen, start=away).weight, fit_pairs(chosen).weight, atol=1e-6)


def test_ties_pull_a_difference_to_zero_and_perfect_answers_stay_finite():
    x = torch.tensor([[1.0, 0.0]])
    both = torch.cat([x, -x])
    assert torch.allclose(fit_pairs(both, weights=torch.tensor([0.5, 0.5])).weight, torch.zeros(2, dtype=torch.float64))
    assert fit_pairs(x.repeat(200, 1)).weight.isfinite().all()


def test_it_says_what_is_wrong():
    with pytest.raises(ValueError, match="one pair or more"):
        fit_pairs(torch.zeros(0, 3))
    with pytest.raises(ValueError, match="1 of 2 pairs"):
        fit_pairs(torch.tensor([[1.0, float("nan")], [0.0, 1.0]]))
    for weights in (torch.ones(3), torch.tensor([-1.0, 1.0]), torch.zeros(2)):
        with pytest.raises(ValueError, match="Expected 2 weights"):
            fit_pairs(torch.ones(2, 3), weights=weights)


# --- Choosing ----------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("name", CHOICES)
def test_a_choice_is_of_different_rows_and_follows_its_generator(name):
    x, _, wins = world()
    fit = fit_pairs(signed(x, wins)[:50])
    rows = [CHOICES[name](fit, x[50:], signed(x, wins)[:50], 12, seeded(3)) for _ in range(2)]
    assert rows[0] == rows[1] and len(set(rows[0])) == 12 and max(rows[0]) < 250


def test_uncertain_takes_what_is_nearest_to_one_half():
    x, _, wins = world()
    fit = fit_pairs(signed(x, wins)[:50])
    rows = uncertain(fit, x[50:], x[:50], 5, seeded())
    logits = (x[50:] @ fit.weight).abs()
    assert logits[rows].max() <= logits.sort().values[4] + 1e-12


def test_d_optimal_is_the_greedy_choice_by_determinants():
    x, _, wins = world(30, 4)
    fit = fit_pairs(signed(x, wins)[:8])
    pool = x[8:]
    p = torch.sigmoid(pool @ fit.weight)
    information, taken = torch.linalg.inv(fit.covariance), []
    for _ in range(5):
        gains = [
            -1.0 if i in taken else float(torch.logdet(information + p[i] * (1 - p[i]) * torch.outer(row, row)))
            for i, row in enumerate(pool)
        ]
        best = max(range(len(pool)), key=gains.__getitem__)
        taken.append(best)
        information = information + p[best] * (1 - p[best]) * torch.outer(pool[best], pool[best])
    assert d_optimal(fit, pool, x[:8], 5, seeded()) == taken


@pytest.mark.slow
def test_members_of_an_ensemble_differ_by_about_the_posterior():
    x, _, wins = world(400)
    chosen = signed(x, wins)
    members = bootstrap_weights(chosen, 60, seeded())
    assert members.shape == (6, 60)
    ratio = members.std(1) / fit_pairs(chosen).covariance.diagonal().sqrt()
    assert 0.5 < float(ratio.min()) and float(ratio.max()) < 2


def test_a_curve_rises_and_its_first_labels_are_the_same_for_all():
    x, truth, wins = world(400, scale=4.0)
    test = torch.randn(500, 6, generator=seeded(9), dtype=torch.float64)

    def accuracy(fit):
        return float((((test @ fit.weight) > 0) == ((test @ truth) > 0)).double().mean())

    curves = {name: label_curve(choose, x, wins, accuracy, [8, 50, 400], seeded(1)) for name, choose in CHOICES.items()}
    assert len({curve[0] for curve in curves.values()}) == 1
    assert max(curve[2] for curve in curves.values()) - min(curve[2] for curve in curves.values()) < 1e-9  # all labels
    assert all(curve[0] < curve[2] and curve[2] > 0.9 for curve in curves.values())
    for sizes in ([0, 5], [5, 5], [5, 401]):
        with pytest.raises(ValueError, match="Sizes must increase"):
            label_curve(random, x, wins, accuracy, sizes, seeded())
