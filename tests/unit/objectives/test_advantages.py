"""KL estimates, token rewards, GAE and whitening, against hand-computed values and plain loops."""

import math

import numpy as np
import pytest
import torch

from rlhf_lab.objectives.advantages import (
    batch_mean_baseline,
    explained_variance,
    gae,
    group_centred,
    group_relative,
    leave_one_out,
    no_baseline,
    penalise_missing_eos,
    token_rewards,
)
from rlhf_lab.objectives.kl import AdaptiveKL, kl_k1, kl_k2, kl_k3
from rlhf_lab.objectives.masked import masked_mean, masked_variance, whiten
from rlhf_lab.objectives.policy import sequence_mean_token_mean, sequence_mean_token_sum, token_mean

MASK = torch.tensor([[1, 1, 1, 0], [1, 1, 1, 1], [1, 0, 0, 0]], dtype=torch.bool)


def randoms(*shape, seed=0):
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def test_kl_estimators_by_hand():
    log_p, log_q = torch.tensor([math.log(0.5)]), torch.tensor([math.log(0.25)])
    assert kl_k1(log_p, log_q).item() == pytest.approx(math.log(2))
    assert kl_k2(log_p, log_q).item() == pytest.approx(math.log(2) ** 2 / 2)
    assert kl_k3(log_p, log_q).item() == pytest.approx(0.5 - 1 + math.log(2))


def test_kl_estimators_have_the_right_direction_and_bias():
    """Exact expectations under p: k1 and k3 are KL(p || q), k2 is not quite; none is KL(q || p)."""
    p, q = torch.tensor([0.7, 0.2, 0.1]).double(), torch.tensor([0.2, 0.3, 0.5]).double()
    exact, other_way = (p * (p / q).log()).sum(), (q * (q / p).log()).sum()
    mean = [(p * estimate(p.log(), q.log())).sum() for estimate in (kl_k1, kl_k2, kl_k3)]
    assert mean[0].item() == pytest.approx(exact.item()) and mean[2].item() == pytest.approx(exact.item())
    assert abs(mean[1] - exact) > 0.01 and abs(exact - other_way) > 0.01
    assert (kl_k2(p.log(), q.log()) >= 0).all() and (kl_k3(p.log(), q.log()) >= 0).all()
    assert (kl_k1(p.log(), q.log()) < 0).any()


def test_k3_is_exact_for_tiny_differences():
    log_p, log_q = torch.tensor([-1.0]), torch.tensor([-1.0 - 1e-3])
    assert kl_k3(log_p, log_q).item() == pytest.approx(0.5e-6, rel=1e-2)


def test_drift_is_punished_not_rewarded():
    """A policy that makes its own samples likelier than the reference does must lose reward."""
    kl = kl_k1(torch.full((1, 2), -1.0), torch.full((1, 2), -3.0))
    rewards = token_rewards(torch.zeros(1), kl, torch.ones(1, 2), kl_coefficient=0.1)
    assert rewards.sum().item() == pytest.approx(-0.1 * 4)


def test_masked_mean_and_variance():
    x = randoms(3, 4)
    real = x[MASK]
    assert masked_mean(x, MASK).item() == pytest.approx(real.mean().item())
    assert masked_variance(x, MASK).item() == pytest.approx(real.var(correction=0).item())
    with pytest.raises(ValueError, match="no true entry"):
        masked_mean(x, torch.zeros(3, 4))


@pytest.mark.parametrize("shift_mean", [True, False])
def test_whitening(shift_mean):
    x = randoms(3, 4) * 3 + 5
    y = whiten(x, MASK, shift_mean)
    assert y[MASK].var(correction=0).item() == pytest.approx(1, rel=1e-6)
    assert y[MASK].mean().item() == pytest.approx(0 if shift_mean else x[MASK].mean().item(), abs=1e-9)
    assert (y[~MASK] == 0).all()
    constant = whiten(torch.full((3, 4), 2.0), MASK, shift_mean)
    assert torch.isfinite(constant).all()


def test_score_comes_on_the_last_real_token():
    kl = randoms(3, 4, seed=1)
    rewards = token_rewards(torch.tensor([10.0, 20.0, 30.0]).double(), kl, MASK, 0.5)
    expected = -0.5 * kl * MASK
    for row, last, score in [(0, 2, 10), (1, 3, 20), (2, 0, 30)]:
        expected[row, last] += score
    assert torch.allclose(rewards, expected)
    with pytest.raises(ValueError, match="no token"):
        token_rewards(torch.zeros(1), torch.zeros(1, 2), torch.zeros(1, 2), 0.1)


def test_missing_end_is_penalised():
    scores = penalise_missing_eos(torch.tensor([1.0, 2.0]), torch.tensor([True, False]), penalty=3.0)
    assert scores.tolist() == [1.0, -1.0]


def reference_gae(rewards, values, mask, gamma, lam):
    """Equation 16 of Schulman et al. 2015 as a double sum, row by row."""
    result = np.zeros(rewards.shape)
    for row in range(len(rewards)):
        n = int(mask[row].sum())
        r, v = rewards[row, :n], [*values[row, :n], 0.0]
        for t in range(n):
            for k in range(t, n):
                result[row, t] += (gamma * lam) ** (k - t) * (r[k] + gamma * v[k + 1] - v[k])
    return result


@pytest.mark.parametrize(("gamma", "lam"), [(1.0, 0.95), (0.9, 0.5), (1.0, 0.0), (1.0, 1.0)])
def test_gae_against_the_definition(gamma, lam):
    rewards, values = randoms(3, 4, seed=2), randoms(3, 4, seed=3)
    expected = reference_gae(rewards.numpy(), values.numpy(), MASK.numpy(), gamma, lam)
    assert np.allclose(gae(rewards, values, MASK, gamma, lam).numpy(), expected)


def test_gae_by_hand():
    """gamma = 1, lambda = 1: advantages are rewards to go less values."""
    rewards, values = torch.tensor([[1.0, 2.0, 4.0]]), torch.tensor([[0.5, 0.5, 0.5]])
    assert gae(rewards, values, torch.ones(1, 3), 1.0, 1.0).tolist() == [[6.5, 5.5, 3.5]]
    assert gae(rewards, values, torch.ones(1, 3), 1.0, 0.0).tolist() == [[1.0, 2.0, 3.5]]


def test_padding_has_no_influence_on_advantages():
    rewards, values = randoms(3, 4, seed=2), randoms(3, 4, seed=3)
    clean = gae(rewards * MASK, values * MASK, MASK)
    dirty = gae(rewards.masked_fill(~MASK, 1e9), values.masked_fill(~MASK, float("nan")), MASK)
    assert torch.equal(clean, dirty) and (dirty[~MASK] == 0).all()
    x = randoms(3, 4)
    assert torch.equal(whiten(x, MASK), whiten(x.masked_fill(~MASK, 1e9), MASK))


def test_adaptive_kl_coefficient():
    controller = AdaptiveKL(target=6.0, horizon=10_000)
    assert controller.next(0.1, kl=6.0, samples=100) == pytest.approx(0.1)
    assert controller.next(0.1, kl=6.6, samples=100) == pytest.approx(0.1 * (1 + 0.1 * 100 / 10_000))
    assert controller.next(0.1, kl=60.0, samples=100) == pytest.approx(0.1 * (1 + 0.2 * 100 / 10_000))
    assert controller.next(0.1, kl=0.0, samples=100) == pytest.approx(0.1 * (1 - 0.2 * 100 / 10_000))


def test_explained_variance():
    returns = randoms(3, 4, seed=5)
    assert explained_variance(returns, returns, MASK).item() == pytest.approx(1)
    assert explained_variance(torch.zeros(3, 4), returns, MASK).item() == pytest.approx(0)
    assert explained_variance(-returns, returns, MASK).item() == pytest.approx(-3)


def test_half_precision_inputs_are_computed_in_float32():
    x = randoms(3, 4).bfloat16()
    for result in (kl_k1(x, x), kl_k3(x, x), whiten(x, MASK), gae(x, x, MASK), masked_mean(x, MASK)):
        assert result.dtype == torch.float32
    assert penalise_missing_eos(x[:, 0], MASK[:, 1], 1.0).dtype == torch.float32


def test_weights_of_tokens_by_hand():
    """Lengths 3, 4 and 1."""
    assert token_mean(MASK)[MASK].tolist() == pytest.approx([1 / 8] * 8)
    assert sequence_mean_token_mean(MASK)[MASK].tolist() == pytest.approx([1 / 9] * 3 + [1 / 12] * 4 + [1 / 3])
    assert sequence_mean_token_sum(MASK)[MASK].tolist() == pytest.approx([1 / 3] * 8)
    for average in (token_mean, sequence_mean_token_mean, sequence_mean_token_sum):
        assert (average(MASK)[~MASK] == 0).all()
        no_token = average(torch.zeros(2, 3))
        assert torch.isfinite(no_token).all() and (no_token == 0).all()


def test_advantages_of_completions_by_hand():
    returns = torch.tensor([1.0, 3.0, 8.0, 5.0, 5.0, 5.0])  # two prompts, three completions each
    assert no_baseline(returns).tolist() == returns.tolist()
    assert batch_mean_baseline(returns).tolist() == [-3.5, -1.5, 3.5, 0.5, 0.5, 0.5]
    assert leave_one_out(returns, 3).tolist() == [1 - 5.5, 3 - 4.5, 8 - 2.0, 0, 0, 0]
    assert group_centred(returns, 3).tolist() == [-3, -1, 4, 0, 0, 0]
    deviation = math.sqrt((9 + 1 + 16) / 2)
    expected = [-3 / deviation, -1 / deviation, 4 / deviation, 0, 0, 0]
    assert group_relative(returns, 3).tolist() == pytest.approx(expected, abs=1e-4)


def test_leave_one_out_is_the_centred_return_times_k_over_k_minus_1():
    returns = randoms(20)
    assert torch.allclose(leave_one_out(returns, 5), group_centred(returns, 5) * 5 / 4)
    assert torch.allclose(group_relative(1000 * returns, 5), group_relative(returns, 5), atol=1e-2)  # scale is lost
    assert leave_one_out(returns, 5).dtype == torch.float64
    assert leave_one_out(returns.bfloat16(), 5).dtype == torch.float32


@pytest.mark.parametrize("advantage", [leave_one_out, group_centred, group_relative])
def test_groups_must_exist_and_fit(advantage):
    with pytest.raises(ValueError, match="samples_per_prompt"):
        advantage(torch.ones(4), 1)
    with pytest.raises(ValueError, match="groups of 3"):
        advantage(torch.ones(4), 3)


@pytest.mark.parametrize("advantage", [batch_mean_baseline, leave_one_out, group_centred, group_relative])
@pytest.mark.parametrize("reward", [0.1, 0.3, -7.7, 1e20])
@pytest.mark.parametrize("size", [3, 7, 10])
def test_equal_rewards_have_advantages_of_exactly_zero(advantage, reward, size):
    """Rounding leaves 1e-9 to 3e-4 in the mean of equal numbers, and Adam would make full steps of that."""
    returns = torch.full((2 * size,), reward)
    assert advantage(returns, size).tolist() == [0.0] * (2 * size)
    returns[-1] += abs(reward)  # the second group is not flat any more; only the whole batch's mean sees the first
    first, second = advantage(returns, size).split(size)
    assert bool((second != 0).any())
    assert advantage is batch_mean_baseline or not bool(first.any())
