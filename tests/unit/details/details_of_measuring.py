"""Details of rewards, preferences and measuring: 4, and 19 to 24."""

import itertools
import math
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import torch
import torch.nn.functional as F
from detail import detail
from lessons.shared_task import Task

from rlhf_lab.evaluation import GoldCurve, brier_floor, brier_score, fit_gold_curve
from rlhf_lab.exercises import find
from rlhf_lab.models.reward_model import RewardModel
from rlhf_lab.objectives.best_of_n import best_of_n_estimate, best_of_n_kl
from rlhf_lab.objectives.kl import kl_k3
from rlhf_lab.objectives.language_model import entropy
from rlhf_lab.objectives.preference import bradley_terry_loss


def fitted(loss, better, worse, steps=200):
    """A reward w . x fitted to pairs of features, and the loss it ends with."""
    w = torch.zeros(better.shape[1], requires_grad=True)
    optimizer = torch.optim.Adam([w], lr=0.05)
    for _ in range(steps):
        optimizer.zero_grad()
        value = loss(better @ w, worse @ w)
        value.backward()
        optimizer.step()
    return w.detach(), value.item()


@detail(
    4,
    "Bradley-Terry knows differences only, and learns the negative from swapped pairs as well",
    right=bradley_terry_loss,
    broken={
        "swapped": lambda chosen, rejected: bradley_terry_loss(rejected, chosen),
        "two classes instead of a difference": lambda c, r: -(F.logsigmoid(c) + F.logsigmoid(-r)).mean(),
    },
)
def only_the_difference_counts(loss, tools):
    generator = torch.Generator().manual_seed(0)
    texts, truth = torch.randn(60, 2, 3, generator=generator), torch.tensor([1.0, -2.0, 0.5])
    first_is_better = (texts[:, 0] @ truth > texts[:, 1] @ truth)[:, None]
    better = torch.where(first_is_better, texts[:, 0], texts[:, 1])
    worse = torch.where(first_is_better, texts[:, 1], texts[:, 0])
    chosen, rejected = better @ truth, worse @ truth
    torch.testing.assert_close(loss(chosen + 5, rejected + 5), loss(chosen, rejected))
    w, end = fitted(loss, better, worse)
    negative, same_end = fitted(loss, worse, better)
    assert torch.cosine_similarity(w, truth, dim=0) > 0.95 and end < 0.3
    torch.testing.assert_close(negative, -w, atol=1e-3, rtol=1e-3)
    assert abs(same_end - end) < 1e-3


@detail(
    19,
    "the best possible Brier score is E[p(1 - p)], not 0",
    right=brier_floor,
    broken={
        "nothing": lambda p: 0.0,
        "the share of answers that cannot be foreseen": lambda p: float(np.minimum(p, 1 - p).mean()),
        "E[p^2]": lambda p: float((p**2).mean()),
    },
)
def the_noise_floor_is_not_zero(floor, tools):
    p = np.array([0.1, 0.5, 0.7, 0.95])
    exact = p @ [brier_score([x], [1]) for x in p] + (1 - p) @ [brier_score([x], [0]) for x in p]
    assert abs(floor(p) - exact / len(p)) < 1e-12


def dpo(reduce):
    """DPO's loss from log-probabilities of tokens (B, T), the completion's own being made by `reduce`."""

    def loss(chosen, rejected, ref_chosen, ref_rejected, mask, beta):
        sums = (reduce(x, mask) for x in (chosen, rejected, ref_chosen, ref_rejected))
        return find("dpo_loss").reference(*sums, beta)

    return loss


@detail(
    20,
    "DPO adds up the log-probabilities of a completion's tokens",
    right=dpo(lambda x, mask: (x * mask).sum(1)),
    broken={
        "averaged": dpo(lambda x, mask: (x * mask).sum(1) / mask.sum(1)),
        "padding counted": dpo(lambda x, mask: x.sum(1)),
    },
)
def tokens_are_added_up(loss, tools):
    mask = torch.tensor([[1.0, 1.0, 1.0, 0.0]])
    chosen, rejected = -mask, -2 * mask
    value = loss(chosen + 9 * (1 - mask), rejected, -1.5 * mask, -1.5 * mask, mask, 0.2)
    torch.testing.assert_close(value, -F.logsigmoid(torch.tensor(0.2 * (0.5 + 0.5) * 3)))


def k3_by_exp(log_p, log_q):
    return torch.exp(log_q - log_p) - 1 - (log_q - log_p)


def entropy_by_log_of_softmax(logits):
    p = logits.softmax(-1)
    return -(p * p.log()).sum(-1)


def in_the_inputs_dtype(chosen, rejected):
    return -F.logsigmoid(chosen - rejected).mean()


@detail(
    21,
    "log_softmax, then exp; expm1 for small differences; losses in float32 whatever comes in",
    right=(kl_k3, entropy, bradley_terry_loss),
    broken={
        "exp(x) - 1": (k3_by_exp, entropy, bradley_terry_loss),
        "log of softmax": (kl_k3, entropy_by_log_of_softmax, bradley_terry_loss),
        "a loss in 16 bits": (kl_k3, entropy, in_the_inputs_dtype),
    },
)
def numbers_keep_their_digits(functions, tools):
    k3, entropy_of, loss = functions
    small = torch.tensor([1e-4])
    assert abs(k3(torch.zeros(1), small).item() / 5.00017e-9 - 1) < 0.02
    torch.testing.assert_close(entropy_of(torch.tensor([0.0, 0.0, -200.0])), torch.tensor(math.log(2.0)))
    rewards = torch.linspace(-2, 2, 40).bfloat16()
    value = loss(rewards, rewards.flip(0))
    assert value.dtype == torch.float32
    torch.testing.assert_close(value, loss(rewards.float(), rewards.flip(0).float()))


class GoldIsTheProxy(Task):
    def gold(self, rollout):
        return self.reward(rollout)


class MeasuredWhereItTrained(Task):
    def measure(self, policy, samples=256, seed=1):
        return super(MeasuredWhereItTrained, replace(self, held_out_prompts=self.prompts)).measure(
            policy, samples, seed
        )


@detail(
    22,
    "a policy is measured by the gold reward on prompts that it did not train on, not by its own reward model",
    right=Task,
    broken={"gold is the proxy": GoldIsTheProxy, "on the prompts of the training": MeasuredWhereItTrained},
)
def the_judge_is_not_the_teacher(task_class, tools):
    taste = SimpleNamespace(utility=lambda prompt, text: -float(len(text)))
    reward_model = RewardModel.from_language_model(tools.model)
    task = task_class(
        tools.model, tools.tokenizer, reward_model, taste, tuple(tools.prompts[:2]), tuple(tools.prompts[2:]), "a test"
    )
    measured = task.measure(tools.model, samples=8)
    assert measured.gold.tolist() == [-float(len(text)) for text in measured.rollout.texts]
    assert set(measured.rollout.prompts) == set(tools.prompts[2:])


def with_replacement(rewards, n):
    """What n draws *with* replacement from the samples have as their best: too little."""
    ordered = rewards.double().sort().values
    share = torch.arange(len(ordered) + 1) / len(ordered)
    return ((share[1:] ** n - share[:-1] ** n) * ordered).sum()


@detail(
    23,
    "best-of-n: KL is log n - (n - 1)/n, and the reward comes from order statistics without bias",
    right=(best_of_n_kl, best_of_n_estimate),
    broken={
        "log n": (math.log, best_of_n_estimate),
        "the best of all": (best_of_n_kl, lambda rewards, n: rewards.double().max()),
        "with replacement": (best_of_n_kl, with_replacement),
    },
)
def best_of_n_is_measured_right(functions, tools):
    kl, estimate = functions
    rewards = torch.tensor([3.0, 1.0, 4.0, 1.5, 9.0, 2.6])
    choices = [max(choice) for choice in itertools.combinations(rewards.tolist(), 3)]
    assert abs(float(estimate(rewards, 3)) - sum(choices) / len(choices)) < 1e-6
    u = (torch.arange(200_000, dtype=torch.float64) + 0.5) / 200_000  # the share of texts that are worse
    for n in (2, 4, 16):
        ratio = n * u ** (n - 1)
        assert abs(float(kl(n)) - float((ratio * ratio.log()).mean())) < 1e-4


@detail(
    24,
    "gold follows d (alpha - beta d) for best-of-n and d (alpha - beta log d) for RL, with d the root of KL",
    right=fit_gold_curve,
    broken={
        "the two exchanged": lambda kl, gold, logarithmic: fit_gold_curve(kl, gold, not logarithmic),
        "d is KL itself": lambda kl, gold, logarithmic: fit_gold_curve(kl**2, gold, logarithmic),
    },
)
def gold_follows_its_curve(fit, tools):
    kl = np.linspace(0.2, 12.0, 30)
    d = np.sqrt(kl)
    for gold, logarithmic in ((d * (1.2 - 0.3 * d), False), (d * (1.2 - 0.3 * np.log(d)), True)):
        found = fit(kl, gold, logarithmic)
        assert isinstance(found, GoldCurve) and np.allclose(found(kl), gold)
        assert np.allclose([found.alpha, found.beta], [1.2, 0.3])
