"""PPO raises a reward, the KL price holds it back, and every detail of the loop is as it should be."""

import math
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch

from rlhf_lab.models.loading import frozen_copy, new_language_model, sharpen, tiny_config
from rlhf_lab.models.log_probs import completion_log_probs
from rlhf_lab.models.sampling import sample
from rlhf_lab.models.value_head import ValueHead
from rlhf_lab.objectives.advantages import gae, token_rewards
from rlhf_lab.objectives.kl import AdaptiveKL
from rlhf_lab.training.algorithms import (
    DAPO,
    DR_GRPO,
    GRPO,
    GSPO,
    PPO,
    REINFORCE,
    RLOO,
    CompletionAdvantage,
    Experience,
    GeneralisedAdvantage,
)
from rlhf_lab.training.policy_gradient import PolicyGradientConfig, _backward, train_policy

SMALL = PolicyGradientConfig(
    steps=20,
    batch_size=48,
    max_new_tokens=10,
    learning_rate=1e-2,
    kl_coefficient=0.0,
    missing_eos_penalty=0.0,
    micro_batch_tokens=500,
)


ZOO = {"REINFORCE": REINFORCE, "RLOO": RLOO, "PPO": PPO, "GRPO": GRPO, "Dr. GRPO": DR_GRPO, "DAPO": DAPO, "GSPO": GSPO}


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.fixture
def fresh(tokenizer):
    return lambda: new_language_model(tiny_config(tokenizer, layers=1, width=32, heads=2), seed=3)


def share_of_good_tokens(rollout):
    """Reward: the share of a completion's tokens with ids 100 to 199."""
    good = (rollout.completion_ids >= 100) & (rollout.completion_ids < 200) & rollout.completion_mask
    return good.sum(1) / rollout.lengths


def weights(model):
    return torch.cat([p.detach().flatten() for p in model.parameters()])


def train(fresh, tokenizer, prompts, config=SMALL, algorithm=PPO, reward=share_of_good_tokens, seed=0, **others):
    policy = others.pop("policy", None) or fresh()
    result = train_policy(
        policy, frozen_copy(fresh()), reward, tokenizer, prompts, algorithm, config, generator=seeded(seed), **others
    )
    return policy, result


def test_ppo_raises_the_reward(fresh, tokenizer, prompts):
    records = []
    policy, result = train(fresh, tokenizer, prompts, callback=records.append)
    assert not result.stopped and result.history == records and len(records) == 20
    assert records[0]["reward"] < 0.45 and result.last["reward"] > 0.85
    assert result.last["kl"] > 2
    needed = (
        "reward reward_std score kl kl_k3 kl_coefficient entropy length end_rate first_ratio_error policy_loss"
        " value_loss clip_fraction approx_kl largest_ratio_error explained_variance gradient_norm learning_rate"
        " tokens samples seconds step step_seconds total"
    )
    assert set(needed.split()) == set(records[0])
    assert all(math.isfinite(v) for m in records for v in m.values() if isinstance(v, float))
    assert records[0]["samples"][0].keys() == {"prompt", "completion", "reward"}
    rollout = sample(policy, tokenizer, prompts * 8, max_new_tokens=10, generator=seeded(5))
    assert share_of_good_tokens(rollout).mean() > 0.8


@pytest.mark.parametrize("name", ["REINFORCE", "RLOO", "GRPO", "Dr. GRPO", "DAPO", "GSPO"])
def test_a_reward_that_is_the_same_for_all_changes_no_weight(fresh, tokenizer, prompts, name):
    config = replace(SMALL, steps=2, batch_size=20, samples_per_prompt=10)
    policy, result = train(fresh, tokenizer, prompts, config, ZOO[name], reward=lambda r: torch.full((len(r),), 0.3))
    assert torch.equal(weights(policy), weights(fresh())) and result.last["gradient_norm"] == 0.0


def test_a_high_price_of_divergence_keeps_the_policy_near_the_reference(fresh, tokenizer, prompts):
    config = replace(SMALL, kl_coefficient=10.0, learning_rate=3e-3)
    _, free = train(fresh, tokenizer, prompts, replace(config, kl_coefficient=0.0))
    _, held = train(fresh, tokenizer, prompts, config)
    assert held.last["kl_k3"] < 0.5 < 3 * 0.5 < free.last["kl_k3"]


def test_before_the_first_update_every_ratio_is_1_and_the_divergence_0(fresh, tokenizer, prompts):
    for temperature in (0.7, 1.0):
        _, result = train(fresh, tokenizer, prompts, replace(SMALL, steps=3, temperature=temperature))
        assert all(m["first_ratio_error"] < 1e-4 < m["largest_ratio_error"] for m in result.history)
        assert abs(result.history[0]["kl"]) < 1e-4 and result.history[0]["kl_k3"] < 1e-6
        assert result.history[2]["kl_k3"] > 1e-3


def test_dropout_never_enters(fresh, tokenizer, prompts):
    policy = fresh()
    for module in policy.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.5
    policy.train()
    _, result = train(fresh, tokenizer, prompts, replace(SMALL, steps=1), policy=policy)
    assert result.last["first_ratio_error"] < 1e-4 and not policy.training


def test_without_a_price_on_drifting_a_run_needs_no_reference_and_is_the_same_run(fresh, tokenizer, prompts):
    config = replace(SMALL, steps=3, samples_per_prompt=4)
    watched, with_reference = train(fresh, tokenizer, prompts, config, DR_GRPO)
    alone = fresh()
    without = train_policy(alone, None, share_of_good_tokens, tokenizer, prompts, DR_GRPO, config, generator=seeded(0))
    assert torch.equal(weights(alone), weights(watched))
    assert set(with_reference.last) - set(without.last) == {"kl", "kl_k3"}
    assert without.last["reward"] == with_reference.last["reward"]


def test_the_reference_is_not_trained(fresh, tokenizer, prompts):
    policy, reference = fresh(), frozen_copy(fresh())
    before = weights(reference)
    train_policy(policy, reference, share_of_good_tokens, tokenizer, prompts, config=replace(SMALL, steps=2))
    assert torch.equal(weights(reference), before) and not torch.equal(weights(policy), before)


def test_a_missing_end_costs_its_penalty(fresh, tokenizer, prompts):
    seen = []

    def reward(rollout):
        seen.append(rollout)
        return torch.zeros(len(rollout))

    _, result = train(fresh, tokenizer, prompts, replace(SMALL, steps=1, missing_eos_penalty=2.0), reward=reward)
    cut_short = 1 - seen[0].ended.float().mean().item()
    assert 0 < cut_short and result.last["reward"] == 0
    assert result.last["score"] == pytest.approx(-2.0 * cut_short)
    assert result.last["end_rate"] == pytest.approx(1 - cut_short)


def test_the_policy_learns_to_end_where_not_ending_is_all_that_costs(fresh, tokenizer, prompts):
    config = replace(SMALL, steps=30, missing_eos_penalty=1.0, max_new_tokens=8)
    _, result = train(fresh, tokenizer, prompts, config, reward=lambda r: torch.zeros(len(r)))
    assert result.history[0]["end_rate"] < 0.2 and result.last["end_rate"] > 0.7


def make_experience(policy, tokenizer, prompts, scores_seed=1):
    rollout = sample(policy, tokenizer, prompts * 3, max_new_tokens=9, generator=seeded(2), keep_hidden=True)
    shape = rollout.completion_mask.shape
    reference = rollout.log_probs + 0.3 * torch.randn(shape, generator=seeded(3)) * rollout.completion_mask
    values = torch.randn(shape, generator=seeded(4)) * rollout.completion_mask
    scores = torch.randn(len(rollout), generator=seeded(scores_seed))
    return Experience(rollout, scores, reference, values, group_size=3, kl_coefficient=0.1)


def test_credit_against_a_plain_loop(model, tokenizer, prompts):
    experience = make_experience(model, tokenizer, prompts)
    credited = replace(PPO, advantage=GeneralisedAdvantage(gamma=0.9, lam=0.8)).compute_advantages(experience)
    mask, values = experience.mask.numpy(), experience.values.numpy()
    raw = np.zeros(mask.shape)
    for i in range(len(mask)):
        n, following, next_value = int(mask[i].sum()), 0.0, 0.0
        for t in reversed(range(n)):
            kl = float(experience.rollout.log_probs[i, t] - experience.reference_log_probs[i, t])
            reward = -0.1 * kl + (float(experience.scores[i]) if t == n - 1 else 0.0)
            following = reward + 0.9 * next_value - values[i, t] + 0.9 * 0.8 * following
            next_value, raw[i, t] = values[i, t], following
    # The targets of the values come from the advantages as they are, before these are whitened.
    assert np.allclose(credited.returns.numpy()[mask], (raw + values)[mask], atol=1e-5)
    white = (raw - raw[mask].mean()) / raw[mask].std()
    assert np.allclose(credited.advantages.numpy()[mask], white[mask], atol=1e-4)


def test_whitened_rewards_keep_their_mean(model, tokenizer, prompts):
    experience = make_experience(model, tokenizer, prompts)
    advantage = GeneralisedAdvantage(whiten_rewards=True, whiten_advantages=False)
    credited = replace(PPO, advantage=advantage).compute_advantages(experience)
    mask = experience.mask
    rewards = token_rewards(experience.scores, experience.kl, mask, 0.1)
    real = rewards[mask]
    scaled = ((rewards - real.mean()) / real.std(correction=0) + real.mean()) * mask
    expected = gae(scaled, experience.values, mask, 1.0, advantage.lam)
    assert torch.allclose(credited.advantages, expected, atol=1e-4)


@pytest.mark.parametrize("name", ZOO)
def test_pieces_of_a_minibatch_add_up_to_its_gradient(model, tokenizer, prompts, name):
    algorithm = ZOO[name]
    value_head = ValueHead(16)
    torch.nn.init.normal_(value_head.linear.weight, generator=seeded(8))
    experience = algorithm.compute_advantages(make_experience(model, tokenizer, prompts))
    rows, results = torch.tensor([7, 2, 0, 11, 5, 4, 9]), []
    for micro_batch_tokens in (1000, 60):
        config = replace(SMALL, micro_batch_tokens=micro_batch_tokens, entropy_coefficient=0.01)
        model.zero_grad()
        minibatch = experience.minibatch(rows, algorithm.surrogate.average)
        metrics = _backward(model, value_head if algorithm is PPO else None, algorithm, minibatch, config)
        results.append((metrics, model.get_input_embeddings().weight.grad.clone()))
    assert torch.allclose(results[0][1], results[1][1], rtol=1e-3, atol=1e-5)
    for name, value in results[0][0].items():
        assert results[1][0][name] == pytest.approx(value, rel=1e-4, abs=1e-6)


def test_the_value_head_learns_to_foresee_the_reward(fresh, tokenizer, prompts):
    """The reward depends on the prompt alone, so only the value head has something to learn."""

    def reward(rollout):
        return torch.tensor([float(len(prompt) > 20) for prompt in rollout.prompts])

    config = replace(SMALL, steps=25, learning_rate=1e-2)
    algorithm = replace(PPO, advantage=GeneralisedAdvantage(value_coefficient=1.0, lam=1.0), epochs=4)
    _, result = train(fresh, tokenizer, prompts, config, algorithm, reward)
    assert result.history[0]["explained_variance"] == pytest.approx(0.0, abs=1e-5)
    assert result.last["explained_variance"] > 0.6
    assert result.value_head.linear.weight.abs().max() > 0


@pytest.mark.slow
@pytest.mark.parametrize("name", ZOO)
def test_every_algorithm_raises_the_reward(fresh, tokenizer, prompts, name):
    config = replace(SMALL, steps=30, samples_per_prompt=6, kl_coefficient=0.01)
    _, result = train(fresh, tokenizer, prompts, config, ZOO[name])
    assert not result.stopped
    assert all(m["first_ratio_error"] < 1e-4 for m in result.history)
    assert result.history[0]["reward"] < 0.45 and result.last["reward"] > 0.65, name
    assert (result.value_head is not None) == (name == "PPO")
    assert ("value_loss" in result.last) == ("explained_variance" in result.last) == (name == "PPO")
    assert ("clip_fraction" in result.last) == (name not in ("REINFORCE", "RLOO"))


def test_groups_whose_scores_are_all_the_same_teach_nothing(fresh, tokenizer, prompts):
    def reward(rollout):
        return torch.tensor([float(len(prompt)) for prompt in rollout.prompts])

    policy = fresh()
    before = weights(policy)
    config = replace(SMALL, steps=1, samples_per_prompt=6)
    for name in ("GRPO", "Dr. GRPO", "DAPO", "GSPO", "RLOO"):
        policy, result = train(fresh, tokenizer, prompts, config, ZOO[name], reward)
        assert result.last["zero_std_groups"] == 1.0
        assert torch.allclose(weights(policy), before, atol=1e-6), name


def test_one_sample_a_prompt_is_too_few_for_a_group(fresh, tokenizer, prompts):
    with pytest.raises(ValueError, match="samples_per_prompt"):
        train(fresh, tokenizer, prompts, replace(SMALL, steps=1), GRPO)


def test_the_score_function_allows_one_update_only():
    with pytest.raises(ValueError, match="first update"):
        replace(RLOO, epochs=2)


def test_a_resumed_run_equals_an_uninterrupted_one_to_the_bit(fresh, tokenizer, prompts, tmp_path):
    config = replace(SMALL, steps=6, kl_coefficient=0.1, adaptive_kl=AdaptiveKL(target=1.0, horizon=100))
    whole, full = train(fresh, tokenizer, prompts, config, seed=1)

    def interrupt(metrics):
        if metrics["step"] == 3:
            raise KeyboardInterrupt

    _, half = train(fresh, tokenizer, prompts, config, seed=1, checkpoint=tmp_path, callback=interrupt)
    assert half.interrupted and len(half.history) == 3
    second, rest = train(fresh, tokenizer, prompts, config, seed=2, checkpoint=tmp_path, resume=True)
    assert torch.equal(weights(second), weights(whole))
    assert torch.equal(weights(rest.value_head), weights(full.value_head))
    assert rest.kl_coefficient == full.kl_coefficient != 0.1
    assert [m["reward"] for m in half.history + rest.history] == [m["reward"] for m in full.history]
    assert rest.last["samples"] == full.last["samples"]


def test_same_seed_same_run_and_the_global_random_state_is_left_alone(fresh, tokenizer, prompts):
    state = torch.get_rng_state()
    runs = [weights(train(fresh, tokenizer, prompts, replace(SMALL, steps=2), seed=s)[0]) for s in (1, 1, 2)]
    assert torch.equal(runs[0], runs[1]) and not torch.equal(runs[0], runs[2])
    assert torch.equal(state, torch.get_rng_state())


def test_divergence_beyond_the_limit_stops_the_run_at_the_last_good_state(fresh, tokenizer, prompts):
    config = replace(SMALL, steps=40, learning_rate=0.1, kl_limit=5.0)
    policy, result = train(fresh, tokenizer, prompts, config)
    assert "drifted" in result.stopped and "kl_coefficient" in result.stopped
    assert all(m["kl"] <= 5.0 for m in result.history) and 1 <= len(result.history) < 40
    with torch.no_grad():
        rollout = sample(policy, tokenizer, prompts * 30, max_new_tokens=10, generator=seeded(6))
        kl = (rollout.log_probs - completion_log_probs(frozen_copy(fresh()), rollout)).sum(1).mean().item()
    assert kl == pytest.approx(result.last["kl"], abs=1.5)  # that of the last good step, not of the next


@pytest.mark.parametrize("bad_step", [1, 3])
def test_a_reward_that_is_not_finite_stops_the_run(fresh, tokenizer, prompts, bad_step):
    calls = []

    def reward(rollout):
        calls.append(1)
        return share_of_good_tokens(rollout) * (math.nan if len(calls) == bad_step else 1.0)

    policy, result = train(fresh, tokenizer, prompts, reward=reward)
    assert f"step {bad_step}" in result.stopped and "not finite" in result.stopped
    assert len(result.history) == bad_step - 1 and torch.isfinite(weights(policy)).all()


@pytest.mark.parametrize("learning_rate", [1e7, 1e30])
@pytest.mark.parametrize("name", ["RLOO", "PPO"])
def test_an_exploding_update_is_undone(fresh, tokenizer, prompts, name, learning_rate):
    """One update of RLOO's, and then sampling finds no numbers; PPO finds none itself, in the next of its updates."""
    config = replace(SMALL, samples_per_prompt=6, learning_rate=learning_rate, kl_limit=math.inf)
    policy, result = train(fresh, tokenizer, prompts, config, ZOO[name])
    assert len(result.history) == (name == "RLOO") and "third" in result.stopped
    assert "put back to where they were at the start" in result.stopped and torch.equal(
        weights(policy), weights(fresh())
    )


@pytest.mark.parametrize("name", ZOO)
def test_rewards_that_are_too_large_are_named(fresh, tokenizer, prompts, name):
    """Their squares are beyond float32. The learning rate has nothing to do with it."""
    calls, seen = [], []

    def reward(rollout):
        calls.append(1)
        return share_of_good_tokens(rollout) * (1e20 if len(calls) == 3 else 1.0)

    policy = fresh()
    config = replace(SMALL, steps=4, samples_per_prompt=6)
    _, result = train(
        fresh,
        tokenizer,
        prompts,
        config,
        ZOO[name],
        reward,
        policy=policy,
        callback=lambda _: seen.append(weights(policy)),
    )
    assert "step 3: the reward function" in result.stopped and "learning rate" not in result.stopped
    assert "after step 1" in result.stopped and torch.equal(weights(policy), seen[0])


def test_advantages_that_are_not_finite_are_named(fresh, tokenizer, prompts):
    algorithm = replace(RLOO, advantage=CompletionAdvantage(lambda returns, size: returns / 0.0))
    _, result = train(fresh, tokenizer, prompts, replace(SMALL, samples_per_prompt=6), algorithm)
    assert "advantages are not finite" in result.stopped and "CompletionAdvantage" in result.stopped


def test_settings_that_overflow_are_not_blamed_on_the_learning_rate(fresh, tokenizer, prompts):
    algorithm = replace(PPO, advantage=GeneralisedAdvantage(value_coefficient=1e38))
    policy, result = train(fresh, tokenizer, prompts, replace(SMALL, steps=2), algorithm, lambda r: 1e6 * r.lengths)
    assert "before the first update" in result.stopped and "not the learning rate" in result.stopped
    assert torch.equal(weights(policy), weights(fresh()))


def test_a_run_that_a_guard_stopped_leaves_the_last_checkpoint(fresh, tokenizer, prompts, tmp_path):
    """Going on from there with another setting is possible; the state after the stop is of no step of the run."""
    calls = []

    def reward(rollout):
        calls.append(1)
        return share_of_good_tokens(rollout) * (math.nan if len(calls) == 4 else 1.0)

    config = replace(SMALL, steps=5, checkpoint_every=2)
    _, stopped = train(fresh, tokenizer, prompts, config, reward=reward, checkpoint=tmp_path)
    assert len(stopped.history) == 3
    policy, result = train(fresh, tokenizer, prompts, config, reward=reward, checkpoint=tmp_path, resume=True)
    whole, _ = train(fresh, tokenizer, prompts, config)
    assert result.history[0]["step"] == 3 and torch.equal(weights(policy), weights(whole))


@pytest.mark.parametrize("kind", [list, np.asarray, lambda rewards: torch.tensor(rewards, dtype=torch.bfloat16)])
def test_rewards_may_come_as_any_row_of_numbers(fresh, tokenizer, prompts, kind):
    _, result = train(
        fresh, tokenizer, prompts, replace(SMALL, steps=1), reward=lambda r: kind([int(x) for x in r.lengths])
    )
    assert result.last["reward"] == pytest.approx(result.last["length"], abs=0.1)


def test_the_entropy_bonus_pulls_along_the_gradient_of_the_entropy(model, tokenizer, prompts):
    """With advantages of zero the bonus is all of the loss: minus the coefficient times the mean entropy of a token."""
    rollout = sample(model, tokenizer, prompts, max_new_tokens=6, generator=seeded(2))
    experience = Experience(rollout, torch.zeros(len(rollout)), None, group_size=2)
    experience = DAPO.compute_advantages(experience).minibatch(torch.arange(len(rollout)), DAPO.surrogate.average)
    config = replace(SMALL, entropy_coefficient=3.0, micro_batch_tokens=60)
    model.zero_grad()
    _backward(model, None, DAPO, experience, config)
    gradients = [p.grad.clone() for p in model.parameters()]
    model.zero_grad()
    _, entropies = completion_log_probs(model, rollout, entropy=True)
    entropies[rollout.completion_mask].mean().backward()
    assert max(g.abs().max() for g in gradients) > 1e-3
    for gradient, parameter in zip(gradients, model.parameters(), strict=True):
        assert torch.allclose(gradient, -3.0 * parameter.grad, rtol=1e-3, atol=1e-6)


def test_a_step_for_nothing_but_entropy_raises_it(model, tokenizer, prompts):
    """A constant reward and no KL penalty: only the bonus moves the policy."""
    rollout = sample(model, tokenizer, prompts * 4, max_new_tokens=6, generator=seeded(5))

    def entropy():
        with torch.no_grad():
            return completion_log_probs(model, rollout, entropy=True)[1][rollout.completion_mask].mean().item()

    before = entropy()
    config = replace(SMALL, steps=1, batch_size=16, max_new_tokens=6, entropy_coefficient=10.0)
    algorithm = replace(REINFORCE, kl_in=None)
    train_policy(model, None, lambda r: torch.ones(len(r)), tokenizer, prompts, algorithm, config, generator=seeded())
    assert entropy() > before + 0.01


def test_the_coefficient_adapts_to_k1(model, fresh, tokenizer, prompts):
    """k1 estimates the KL of a completion, which `AdaptiveKL` is for. In a small batch k3 can be far from it: a policy
    that is sure of its tokens, where the reference is not, seldom samples those that would make up for the -1 in k3."""
    sharpen(model, 0.05)
    adaptive = AdaptiveKL(target=10.0, horizon=160.0, clip=5.0)
    config = replace(SMALL, steps=3, batch_size=16, max_new_tokens=8, learning_rate=1e-3, kl_limit=math.inf)
    config = replace(config, kl_coefficient=0.1, adaptive_kl=adaptive)
    reference, reward = frozen_copy(fresh()), share_of_good_tokens
    result = train_policy(model, reference, reward, tokenizer, prompts, REINFORCE, config, generator=seeded())
    assert len(result.history) == 3 and all(m["kl"] - m["kl_k3"] > 2.0 for m in result.history)
    expected = [0.1]
    for m in result.history:
        expected.append(adaptive.next(expected[-1], m["kl"], 16))
    coefficients = [m["kl_coefficient"] for m in result.history] + [result.kl_coefficient]
    assert coefficients == pytest.approx(expected, rel=1e-9)
    assert min(abs(a / b - 1.0) for a, b in pairwise(expected)) > 0.05  # it does move


def test_samples_per_prompt_stand_together(fresh, tokenizer, prompts):
    seen = []

    def reward(rollout):
        seen.append(rollout.prompts)
        return torch.zeros(len(rollout))

    train(fresh, tokenizer, prompts, replace(SMALL, steps=2, batch_size=12, samples_per_prompt=3), reward=reward)
    for batch in seen:
        assert all(len(set(batch[i : i + 3])) == 1 for i in range(0, 12, 3)) and len(set(batch)) == 4


@pytest.mark.parametrize(
    ("config", "words"),
    [
        (replace(SMALL, batch_size=10, samples_per_prompt=4), "not a multiple"),
        (replace(SMALL, temperature=0.0), "needs sampling"),
        (replace(SMALL, max_new_tokens=500), "smaller max_new_tokens"),
    ],
)
def test_settings_that_cannot_work_are_refused(fresh, tokenizer, prompts, config, words):
    with pytest.raises(ValueError, match=words):
        train(fresh, tokenizer, prompts, config)


def test_inputs_that_cannot_work_are_refused(fresh, tokenizer, prompts):
    with pytest.raises(ValueError, match="list of prompts is empty"):
        train(fresh, tokenizer, [])
    with pytest.raises(ValueError, match=r"shape \(48, 1\); it must return one number for each of 48"):
        train(fresh, tokenizer, prompts, reward=lambda r: torch.zeros(len(r), 1))
    policy = fresh()
    with pytest.raises(ValueError, match="one and the same"):
        train_policy(policy, policy, share_of_good_tokens, tokenizer, prompts, config=SMALL)
    for algorithm, config in ((PPO, SMALL), (DR_GRPO, replace(SMALL, adaptive_kl=AdaptiveKL(target=1.0)))):
        with pytest.raises(ValueError, match="but reference is None"):
            train_policy(policy, None, share_of_good_tokens, tokenizer, prompts, algorithm, config)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here")
def test_cuda_agrees_with_the_cpu(fresh, tokenizer, prompts):
    records = []
    for device in ("cpu", "cuda"):
        config = replace(SMALL, steps=3, learning_rate=1e-3)
        policy, reference = fresh().to(device), frozen_copy(fresh()).to(device)
        result = train_policy(
            policy, reference, share_of_good_tokens, tokenizer, prompts, config=config, generator=seeded()
        )
        records.append(result.history)
    for on_cpu, on_cuda in zip(*records, strict=True):
        assert on_cuda["reward"] == pytest.approx(on_cpu["reward"], abs=1e-4)
