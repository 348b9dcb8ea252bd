"""Best-of-n: hand values, brute force over all choices, exact distributions, and the errors."""

import math
from itertools import combinations, product

import pytest
import torch

from rlhf_lab.exercises import find
from rlhf_lab.models.sampling import Rollout
from rlhf_lab.objectives.best_of_n import (
    best_of_n_distribution,
    best_of_n_estimate,
    best_of_n_kl,
    best_of_n_kl_estimate,
    order_weights,
    shared_weights,
)
from rlhf_lab.objectives.kl import exact_kl
from rlhf_lab.training.best_of_n import best_index_per_prompt, random_index_per_prompt, rejection_sampling_examples


def by_hand(rewards, values, n):
    """Mean over all choices of n of the mean value of those that share the highest reward."""
    means = []
    for choice in combinations(range(len(rewards)), n):
        best = max(rewards[i] for i in choice)
        tied = [values[i] for i in choice if rewards[i] == best]
        means.append(sum(tied) / len(tied))
    return sum(means) / len(means)


def rollout_of(tokenizer, texts, ended=True):
    return Rollout.from_texts(tokenizer, ["The"] * len(texts), texts, ended)


# --- What it earns -----------------------------------------------------------------------------------


def test_weights_of_places_by_hand():
    assert order_weights(3, 2).tolist() == pytest.approx([0, 1 / 3, 2 / 3])
    assert order_weights(4, 1).tolist() == pytest.approx([0.25] * 4)
    assert order_weights(4, 4).tolist() == [0, 0, 0, 1]


def test_weights_sum_to_one_where_binomials_are_huge():
    weights = order_weights(2000, 900)
    assert float(weights.sum()) == pytest.approx(1) and bool((weights >= 0).all())


@pytest.mark.parametrize("n", [0, -1, 4])
def test_n_beyond_the_samples_is_refused(n):
    with pytest.raises(ValueError, match=f"n = {n} needs n from 1 to the 3 samples"):
        best_of_n_estimate(torch.tensor([1.0, 2.0, 3.0]), n)


@pytest.mark.parametrize("n", [1, 2, 3, 5, 6])
@pytest.mark.parametrize("rewards", [[0.3, -1.0, 2.0, 0.7, 0.1, 5.0], [1.0, 1.0, 0.0, 2.0, 2.0, 2.0], [4.0] * 6])
def test_estimate_is_the_mean_over_all_choices(rewards, n):
    values = [3.0, -2.0, 0.5, 8.0, 1.0, -4.0]
    own = best_of_n_estimate(torch.tensor(rewards), n)
    other = best_of_n_estimate(torch.tensor(rewards), n, torch.tensor(values))
    assert float(own) == pytest.approx(by_hand(rewards, rewards, n))
    assert float(other) == pytest.approx(by_hand(rewards, values, n))


def test_order_of_the_samples_does_not_matter_even_with_ties():
    rewards, values = torch.tensor([1.0, 2.0, 2.0, 0.0, 2.0]), torch.tensor([1.0, 5.0, -5.0, 2.0, 9.0])
    expected = best_of_n_estimate(rewards, 2, values)
    for seed in range(5):
        order = torch.randperm(5, generator=torch.Generator().manual_seed(seed))
        assert float(best_of_n_estimate(rewards[order], 2, values[order])) == pytest.approx(float(expected))


def test_prompts_are_rows():
    rewards = torch.tensor([[1.0, 0.0, 3.0], [5.0, 5.0, 5.0]])
    assert best_of_n_estimate(rewards, 2).tolist() == pytest.approx([7 / 3, 5.0])
    assert shared_weights(rewards, 2)[1].tolist() == pytest.approx([1 / 3] * 3)


def test_it_is_unbiased():
    """The mean of the estimate over many sets of N samples is what the best of n truly earns."""
    generator, n = torch.Generator().manual_seed(0), 5
    rewards = torch.rand(20_000, 8, generator=generator)  # the best of n uniform numbers: n / (n + 1)
    estimates = best_of_n_estimate(rewards, n)
    error = float(estimates.std()) / math.sqrt(len(estimates))
    assert float(estimates.mean()) == pytest.approx(n / (n + 1), abs=4 * error)
    assert float(estimates.std()) < float(rewards[:, :n].amax(1).std())  # steadier than the best of the first n


def test_values_and_rewards_must_belong_together():
    with pytest.raises(ValueError, match=r"\(2,\) and \(3,\)"):
        best_of_n_estimate(torch.zeros(3), 2, torch.zeros(2))
    with pytest.raises(ValueError, match="not a finite number"):
        best_of_n_estimate(torch.tensor([0.0, math.nan]), 2)


# --- Which one is picked -----------------------------------------------------------------------------


def test_best_row_of_each_prompt_and_the_first_of_equals():
    rewards = torch.tensor([0.0, 2.0, 1.0, 5.0, 3.0, 5.0, -3.0, -2.0, -9.0])
    assert best_index_per_prompt(rewards, 3).tolist() == [1, 3, 7]
    assert best_index_per_prompt(rewards, 1).tolist() == list(range(9))


def test_control_picks_one_of_each_prompt_evenly():
    generator = torch.Generator().manual_seed(0)
    rows = random_index_per_prompt(torch.zeros(4 * 3000), 4, generator)
    assert (rows // 4).tolist() == list(range(3000))
    counts = torch.bincount(rows % 4, minlength=4)
    assert int(counts.min()) > 650 and int(counts.max()) < 850


@pytest.mark.parametrize(("shape", "n"), [((6,), 4), ((6,), 0), ((2, 3), 3), ((0,), 1)])
def test_samples_that_are_no_groups_are_refused(shape, n):
    for pick in (best_index_per_prompt, random_index_per_prompt):
        with pytest.raises(ValueError, match=f"n = {n}"):
            pick(torch.zeros(shape), n)


def test_texts_that_were_cut_short_are_no_examples(tokenizer):
    rollout = rollout_of(tokenizer, [" a bell", " a fox sl", " a goat"], ended=[True, False, True])
    examples = rejection_sampling_examples(rollout, torch.tensor([2, 1]))
    assert [(e.prompt, e.completion, e.group) for e in examples] == [("The", " a goat", "The")]


# --- How far it is -----------------------------------------------------------------------------------


def test_kl_by_hand():
    assert best_of_n_kl(1) == 0
    assert best_of_n_kl(2) == pytest.approx(math.log(2) - 0.5)
    assert best_of_n_kl(torch.tensor([1.0, 4.0])).tolist() == pytest.approx([0, math.log(4) - 0.75])
    for n in (0, 0.5, torch.tensor([2.0, 0.0])):
        with pytest.raises(ValueError, match="at least 1"):
            best_of_n_kl(n)


def brute_distribution(probabilities, rewards, n):
    """By listing every way to draw n texts. Of equals the first that was drawn is taken."""
    result = [0.0] * len(probabilities)
    for drawn in product(range(len(probabilities)), repeat=n):
        best = max(drawn, key=lambda i: rewards[i])  # max takes the first of equals
        result[best] += math.prod(probabilities[i] for i in drawn)
    return result


@pytest.mark.parametrize("rewards", [[0.0, 1.0, 2.0, 3.0], [1.0, 1.0, 2.0, 2.0], [5.0] * 4, [3.0, 0.0, 3.0, 1.0]])
@pytest.mark.parametrize("n", [1, 2, 4])
def test_distribution_is_what_listing_all_draws_gives(rewards, n):
    probabilities = [0.5, 0.2, 0.3, 0.0]
    ours = best_of_n_distribution(torch.tensor(probabilities), torch.tensor(rewards), n)
    assert ours.tolist() == pytest.approx(brute_distribution(probabilities, rewards, n))


def test_what_is_no_distribution_is_refused():
    with pytest.raises(ValueError, match=r"sum to 0\.9"):
        best_of_n_distribution(torch.tensor([0.5, 0.4]), torch.zeros(2), 2)
    with pytest.raises(ValueError, match="reward per text"):
        best_of_n_distribution(torch.tensor([0.5, 0.5]), torch.zeros(3), 2)


@pytest.mark.parametrize("levels", [None, 5, 2, 1])
def test_formula_bounds_the_exact_kl_and_is_reached_without_ties(levels):
    generator, K = torch.Generator().manual_seed(0), 1000
    rewards = torch.rand(K, generator=generator)
    if levels:
        rewards = (rewards * levels).floor()
    p = torch.full((K,), 1 / K, dtype=torch.float64)
    for n in (2, 8, 32):
        exact = float(exact_kl(best_of_n_distribution(p, rewards, n).log(), p.log()))
        assert exact <= best_of_n_kl(n)
        assert (exact == pytest.approx(best_of_n_kl(n), rel=0.01)) == (levels is None)
        if levels == 1:
            assert exact == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("K", [4, 30, 3000])
@pytest.mark.parametrize("n", [2, 6])
def test_kl_estimate_finds_the_exact_kl(K, n):
    """Few texts, each of them likely, and very many."""
    generator = torch.Generator().manual_seed(K)
    p = torch.rand(K, generator=generator).double() ** 2
    p, rewards = p / p.sum(), torch.rand(K, generator=generator)
    exact = float(exact_kl(best_of_n_distribution(p, rewards, n).log(), p.log()))
    drawn = torch.multinomial(p, 2000 * 48, replacement=True, generator=generator).reshape(2000, 48)
    estimates = best_of_n_kl_estimate(rewards[drawn], n, p[drawn].log())
    assert float(estimates.mean()) == pytest.approx(exact, abs=0.05 if K == 4 else 0.03)


def test_kl_estimate_of_unlikely_texts_is_the_formula_whatever_the_rewards_are():
    rewards = torch.randn(3, 64, generator=torch.Generator().manual_seed(0))
    for n in (1, 4, 64):
        estimates = best_of_n_kl_estimate(rewards, n, torch.full((3, 64), -80.0))
        assert estimates.tolist() == pytest.approx([best_of_n_kl(n)] * 3, abs=0.01)


def test_kl_estimate_of_a_policy_with_one_text_is_zero():
    estimates = best_of_n_kl_estimate(torch.ones(1, 8), 4, torch.zeros(1, 8))
    assert estimates.tolist() == pytest.approx([0.0], abs=1e-9)


def test_kl_estimate_refuses_probabilities():
    with pytest.raises(ValueError, match="Are these probabilities"):
        best_of_n_kl_estimate(torch.ones(1, 2), 2, torch.full((1, 2), 0.5))
    with pytest.raises(ValueError, match=r"\(2,\)"):
        best_of_n_kl_estimate(torch.ones(2), 2, torch.zeros(2))


# --- What is learned is what is used -----------------------------------------------------------------


@pytest.mark.parametrize("seed", range(200, 215))
def test_the_exercises_are_what_the_package_computes(seed):
    def drawn(name):
        return find(name).reference, find(name).draw(torch.Generator().manual_seed(seed))

    function, (rewards, n) = drawn("best_of_n_estimate")
    assert float(function(rewards, n)) == pytest.approx(float(best_of_n_estimate(rewards, n)), rel=1e-4, abs=1e-5)
    function, (n,) = drawn("best_of_n_kl")
    assert torch.allclose(function(n), best_of_n_kl(n))
    function, (rewards, prompt_ids) = drawn("best_index_per_prompt")
    n = int(torch.bincount(prompt_ids).min())
    rows = torch.cat([(prompt_ids == p).nonzero().squeeze(1)[:n] for p in range(int(prompt_ids.max()) + 1)])
    assert torch.equal(function(rewards[rows], prompt_ids[rows]), best_index_per_prompt(rewards[rows], n))
