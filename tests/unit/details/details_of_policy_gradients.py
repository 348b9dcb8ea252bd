"""Details of policy gradients: 5 and 6, and 14 to 18."""

from dataclasses import replace

import torch
from detail import detail

from rlhf_lab.models.sampling import Rollout
from rlhf_lab.objectives.advantages import batch_mean_baseline, gae, group_relative, token_rewards
from rlhf_lab.objectives.kl import AdaptiveKL, kl_k1, kl_k2, kl_k3
from rlhf_lab.objectives.masked import whiten
from rlhf_lab.objectives.policy import ppo_value_loss, sequence_mean_token_mean, sequence_mean_token_sum, token_mean
from rlhf_lab.training.algorithms import (
    DAPO,
    DR_GRPO,
    GRPO,
    RLOO,
    CompletionAdvantage,
    Experience,
    GeneralisedAdvantage,
)

# --- The divergence ----------------------------------------------------------------------------------

LOGITS = torch.tensor([1.0, 0.2, -0.5, -1.5], dtype=torch.float64)
LOG_Q = torch.tensor([-0.3, 0.4, 0.1, 0.9], dtype=torch.float64).log_softmax(0)


def flipped(estimate):
    return lambda log_p, log_q: estimate(log_q, log_p)


@detail(
    5,
    "KL is that of the policy from the reference, estimated on samples of the policy",
    right=(kl_k1, kl_k2, kl_k3),
    broken={
        "k1 flipped": (flipped(kl_k1), kl_k2, kl_k3),
        "k3 flipped": (kl_k1, kl_k2, flipped(kl_k3)),
        "k2 without its half": (kl_k1, lambda p, q: (p - q) ** 2, kl_k3),
    },
)
def kl_has_its_direction(estimates, tools):
    k1, k2, k3 = estimates
    log_p = LOGITS.log_softmax(0)
    kl = (log_p.exp() * (log_p - LOG_Q)).sum()
    torch.testing.assert_close((log_p.exp() * k1(log_p, LOG_Q)).sum(), kl)
    torch.testing.assert_close((log_p.exp() * k3(log_p, LOG_Q)).sum(), kl)
    torch.testing.assert_close(k2(log_p, LOG_Q), (log_p - LOG_Q) ** 2 / 2)
    assert (k2(log_p, LOG_Q) >= 0).all() and (k3(log_p, LOG_Q) >= 0).all()
    # In the reward, drifting costs: a policy that is surer than the reference of what it writes gets less.
    one = torch.ones(1, 1)
    rewards = token_rewards(torch.zeros(1), k1(-0.1 * one, -2.0 * one), one, 0.5)
    assert rewards.item() < 0


@detail(
    6,
    "as a loss on samples of the policy, k2 has the gradient of the KL; k1 has none, and k3 another",
    right=kl_k2,
    broken={"k1": kl_k1, "k3": kl_k3},
)
def kl_in_the_loss_pulls_at_the_kl(estimate, tools):
    logits = LOGITS.clone().requires_grad_(True)
    log_p = logits.log_softmax(0)
    (wanted,) = torch.autograd.grad((log_p.exp() * (log_p - LOG_Q)).sum(), logits)
    log_p = logits.log_softmax(0)
    (found,) = torch.autograd.grad((log_p.exp().detach() * estimate(log_p, LOG_Q)).sum(), logits)
    torch.testing.assert_close(found, wanted)


# --- Rewards, returns, advantages --------------------------------------------------------------------


def experience(scores=(1.0, 2.0), lengths=(2, 4), values=None):
    """Two completions of given lengths, with no divergence from the reference."""
    mask = torch.arange(max(lengths)) < torch.tensor(lengths)[:, None]
    ids, zeros = torch.ones(mask.shape, dtype=torch.long), torch.zeros(mask.shape)
    ended = torch.ones(len(lengths), dtype=torch.bool)
    texts = ["p"] * len(lengths), ["c"] * len(lengths)
    rollout = Rollout(*texts, ids[:, :1], mask[:, :1], ids, mask, zeros, ended)
    return Experience(rollout, torch.tensor(scores), zeros, zeros if values is None else values * mask)


def rewards_of(e):
    return token_rewards(e.scores, e.kl, e.mask, 0.0)


def on_the_last_column(scores, kl, mask, coefficient):
    rewards = -coefficient * kl * mask
    rewards[:, -1] += scores
    return rewards


def on_every_token(scores, kl, mask, coefficient):
    return (scores[:, None] - coefficient * kl) * mask


@detail(
    14,
    "the reward comes on the last real token, and is not discounted",
    right=(token_rewards, GeneralisedAdvantage()),
    broken={
        "on the last column": (on_the_last_column, GeneralisedAdvantage()),
        "on every token": (on_every_token, GeneralisedAdvantage()),
        "discounted": (token_rewards, GeneralisedAdvantage(gamma=0.95)),
    },
)
def the_reward_comes_at_the_end(subject, tools):
    rewards_by_token, advantage = subject
    e = experience()
    rewards = rewards_by_token(e.scores, e.kl, e.mask, 0.1)
    assert rewards.tolist() == [[0, 1, 0, 0], [0, 0, 0, 2]]
    credited = replace(advantage, lam=1.0, whiten_advantages=False)(e, rewards)
    torch.testing.assert_close(credited.advantages, e.scores[:, None] * e.mask)  # the first token earns all of it too


class ReturnsAfterWhitening(GeneralisedAdvantage):
    def __call__(self, experience, rewards):
        credited = super().__call__(experience, rewards)
        return replace(credited, returns=(credited.advantages + experience.values) * experience.mask)


@detail(
    15,
    "returns are made before the advantages are whitened",
    right=GeneralisedAdvantage(),
    broken={"after whitening": ReturnsAfterWhitening()},
)
def returns_are_in_units_of_reward(advantage, tools):
    e = experience(scores=(10.0, 30.0), values=torch.tensor([[1.0, 2, 3, 4], [5, 6, 7, 8]]))
    credited = advantage(e, rewards_of(e))
    plain = gae(rewards_of(e), e.values, e.mask, 1.0, advantage.lam)
    torch.testing.assert_close(credited.returns, plain + e.values)
    assert abs(credited.advantages[e.mask].mean()) < 1e-5


class MeanShiftedToo(GeneralisedAdvantage):
    def __call__(self, experience, rewards):
        if self.whiten_rewards:
            rewards = whiten(rewards, experience.mask)
        return GeneralisedAdvantage.__call__(replace(self, whiten_rewards=False), experience, rewards)


@detail(
    16,
    "whitening rewards is a choice that is off, and it keeps their mean",
    right=GeneralisedAdvantage(),
    broken={"on without being asked": GeneralisedAdvantage(whiten_rewards=True), "mean shifted too": MeanShiftedToo()},
)
def rewards_keep_their_mean(advantage, tools):
    e = experience(scores=(40.0, 60.0), lengths=(1, 1))
    plain = replace(advantage, whiten_advantages=False)(e, rewards_of(e))
    assert plain.advantages[:, 0].tolist() == [40.0, 60.0]
    whitened = replace(advantage, whiten_advantages=False, whiten_rewards=True)(e, rewards_of(e))
    torch.testing.assert_close(whitened.advantages[:, 0], torch.tensor([49.0, 51.0]))  # deviation 1, mean 50


def value_loss(pick, factor=0.5, clips=True):
    def loss(values, old_values, returns, mask, clip=0.2):
        clipped = old_values + (values - old_values).clamp(-clip, clip) if clips else values
        errors = pick((values - returns) ** 2, (clipped - returns) ** 2)
        return factor * errors[mask].mean()

    return loss


class NotClipped(AdaptiveKL):
    def next(self, coefficient, kl, samples):
        return coefficient * (1.0 + (kl / self.target - 1.0) * samples / self.horizon)


class TheWrongWay(AdaptiveKL):
    def next(self, coefficient, kl, samples):
        return super().next(coefficient, 2 * self.target - kl, samples)


@detail(
    17,
    "the value loss is half of the larger error, clipped or not; the KL controller clips its error",
    right=(ppo_value_loss, AdaptiveKL()),
    broken={
        "the smaller error": (value_loss(torch.minimum), AdaptiveKL()),
        "no half": (value_loss(torch.maximum, factor=1.0), AdaptiveKL()),
        "not clipped": (value_loss(torch.maximum, clips=False), AdaptiveKL()),
        "a controller that does not clip": (ppo_value_loss, NotClipped()),
        "a controller that goes the wrong way": (ppo_value_loss, TheWrongWay()),
        "another target": (ppo_value_loss, AdaptiveKL(target=3.0)),
    },
)
def values_and_controller(subject, tools):
    loss, controller = subject
    mask = torch.tensor([[True, True, False]])
    values, old = torch.tensor([[1.0, 3.0, 99.0]]), torch.tensor([[0.0, 3.1, 0.0]])
    returns = torch.tensor([[1.0, 2.0, 0.0]])
    # First token: exact, but moved by 1 where 0.2 are allowed, so (0.2 - 1)^2. Second: within the clip, (3 - 2)^2.
    torch.testing.assert_close(loss(values, old, returns, mask, 0.2), torch.tensor((0.64 + 1.0) / 4))
    coefficients = [controller.next(0.15, kl, 512) for kl in (6.0, 6.6, 60.0, 0.0)]
    step = 512 / 10_000
    expected = [0.15, 0.15 * (1 + 0.1 * step), 0.15 * (1 + 0.2 * step), 0.15 * (1 - 0.2 * step)]
    torch.testing.assert_close(torch.tensor(coefficients), torch.tensor(expected))


def with_baseline(algorithm, baseline):
    return replace(algorithm, advantage=CompletionAdvantage(baseline))


def divided_by_the_deviation(epsilon):
    """GRPO's baseline for one group, without a look at whether its returns are all equal."""
    return lambda returns, _: (returns - returns.mean()) / (returns.std() + epsilon)


ZOO = {"GRPO": GRPO, "RLOO": RLOO, "Dr. GRPO": DR_GRPO, "DAPO": DAPO}


@detail(
    18,
    "flat groups teach nothing; the leave-one-out baseline leaves the sample out; the two divisions are choices",
    right=ZOO,
    broken={
        "0 / 0 in a flat group": ZOO | {"GRPO": with_baseline(GRPO, divided_by_the_deviation(epsilon=0.0))},
        "rounding divided in a flat group": ZOO | {"GRPO": with_baseline(GRPO, divided_by_the_deviation(epsilon=1e-4))},
        "the sample in its own baseline": ZOO | {"RLOO": with_baseline(RLOO, batch_mean_baseline)},
        "Dr. GRPO divides by the deviation": ZOO | {"Dr. GRPO": with_baseline(DR_GRPO, group_relative)},
        "Dr. GRPO divides by the length": ZOO
        | {"Dr. GRPO": replace(DR_GRPO, surrogate=replace(DR_GRPO.surrogate, average=sequence_mean_token_mean))},
        "DAPO divides by the length": ZOO
        | {"DAPO": replace(DAPO, surrogate=replace(DAPO.surrogate, average=sequence_mean_token_mean))},
    },
)
def groups_are_compared_as_the_papers_say(zoo, tools):
    returns = torch.tensor([1.0, 2.0, 6.0, 3.0])
    baseline = {name: algorithm.advantage.baseline for name, algorithm in zoo.items()}
    for name in zoo:
        assert baseline[name](torch.full((10,), 0.3), 10).tolist() == [0.0] * 10, name
    centred = returns - 3.0
    torch.testing.assert_close(baseline["RLOO"](returns, 4), centred * 4 / 3)
    torch.testing.assert_close(baseline["Dr. GRPO"](returns, 4), centred)
    for name in ("GRPO", "DAPO"):
        torch.testing.assert_close(baseline[name](returns, 4), centred / returns.std(), rtol=1e-3, atol=0)
    averages = {
        "GRPO": sequence_mean_token_mean,
        "Dr. GRPO": sequence_mean_token_sum,
        "DAPO": token_mean,
        "RLOO": sequence_mean_token_sum,
    }
    mask = torch.tensor([[True, False, False], [True, True, True]])
    for name, average in averages.items():
        torch.testing.assert_close(zoo[name].surrogate.average(mask), average(mask), msg=name)
    torch.testing.assert_close(GRPO.surrogate.average(mask).sum(1), torch.tensor([0.5, 0.5]))
