"""Where the package has the function of an exercise, the two are equal: what is learned is what is used."""

from collections import Counter
from types import SimpleNamespace

import pytest
import torch
from lessons.active_labels import pair_information

from rlhf_lab.evaluation import accuracy_ceiling as ceiling_of
from rlhf_lab.evaluation import expected_calibration_error, wilson_interval
from rlhf_lab.exercises import find
from rlhf_lab.exercises.comparing import difference
from rlhf_lab.exercises.execution import Outcome, run_reference
from rlhf_lab.exercises.framework import Case
from rlhf_lab.feedback import Record, preference_pairs, split_by_group
from rlhf_lab.feedback.agreement import cohen_kappa
from rlhf_lab.feedback.raters import compare_value
from rlhf_lab.feedback.records import Candidate
from rlhf_lab.models.reward_model import RewardModel, cautious
from rlhf_lab.objectives import preference as reward_losses
from rlhf_lab.objectives.advantages import gae, group_relative, leave_one_out, token_rewards
from rlhf_lab.objectives.kl import AdaptiveKL, closed_form_policy, exact_kl, kl_k1, kl_k2, kl_k3
from rlhf_lab.objectives.language_model import language_model_loss
from rlhf_lab.objectives.masked import whiten
from rlhf_lab.objectives.policy import (
    clipped_surrogate,
    completion_ratio,
    ppo_policy_loss,
    ppo_value_loss,
    sequence_mean_token_mean,
    sequence_mean_token_sum,
    token_mean,
)
from rlhf_lab.objectives.preference import bradley_terry_loss


def winners_of_answers(clicked, order):
    """The winners in the answers that the package makes of what was said about a screen."""
    winners = []
    for click, texts in zip(clicked.tolist(), order.tolist(), strict=True):
        screen = SimpleNamespace(options=[SimpleNamespace(id=text) for text in texts])
        winners.append(compare_value(screen, ("left", "right", "tie")[click])["winner"])
    return torch.tensor([2 if winner == "tie" else winner for winner in winners])


def split_of_groups(prompt_ids, shuffled, test_share):
    """The package's split. It shuffles by itself, so prompts are given the groups that it takes in this order."""
    count = len(shuffled)
    groups = [SimpleNamespace(group=f"group {i}") for i in range(count)]
    tests = (split_by_group(groups, size / count)[1] for size in range(1, count))
    in_tests = Counter(example.group for test in tests for example in test)
    taken = sorted((example.group for example in groups), key=lambda group: -in_tests[group])
    named = dict(zip(shuffled.tolist(), taken, strict=True))
    pairs = [SimpleNamespace(group=named[prompt], row=row) for row, prompt in enumerate(prompt_ids.tolist())]
    test = {pair.row for pair in split_by_group(pairs, test_share)[1]}
    return torch.tensor([pair.row in test for pair in pairs])


def pairs_of_ranking(ranking):
    """The pairs that the package makes of a ranking in a record."""
    names = tuple(name for tier in ranking for name in tier)
    record = Record(
        rater_id="r",
        source="human",
        session_id="s",
        task_id="t",
        kind="rank",
        item_id="1",
        prompt="Prompt:",
        candidates=tuple(Candidate(id=name, text=f"text {name}") for name in names),
        display_order=names,
        status="submitted",
        value=ranking,
    )
    return [(p.chosen.removeprefix("text "), p.rejected.removeprefix("text ")) for p in preference_pairs([record])]


def kl_of_completion(log_probs, reference_log_probs, mask):
    kl = kl_k1(log_probs, reference_log_probs).masked_fill(~mask, 0.0)
    return (kl * sequence_mean_token_sum(mask)).sum()


def plackett_luce(scores):
    """The package's loss knows tiers; these rankings have one text in each."""
    return reward_losses.plackett_luce_losses(scores, torch.arange(scores.shape[1]).expand(scores.shape)).mean()


def rao_kupper(reward_a, reward_b, threshold):
    """The package has minus the logarithms, and softplus of a propensity for a threshold."""
    tied, propensity = torch.zeros(len(reward_a), dtype=torch.bool), torch.log(torch.expm1(threshold))
    answers = ((reward_a, reward_b, tied), (reward_a, reward_b, ~tied), (reward_b, reward_a, tied))
    return torch.stack([(-reward_losses.rao_kupper_losses(*answer, propensity)).exp() for answer in answers], 1)


def head_after_normalising(weight, bias, reference):
    """The head of a reward model, normalised by its own method."""
    trunk = torch.nn.Module()
    trunk.config = SimpleNamespace(hidden_size=len(weight))
    reward_model = RewardModel(trunk)
    with torch.no_grad():
        reward_model.head.weight.copy_(weight)
        reward_model.head.bias.fill_(bias)
    reward_model.normalise(reference)
    return reward_model.head.weight[0].detach(), reward_model.head.bias[0].detach()


def in_groups(function):
    """A function of returns (P K,) in groups of K as one of (P, K)."""
    return lambda rewards: function(rewards.flatten(), rewards.shape[1]).reshape(rewards.shape)


AVERAGES = (
    sequence_mean_token_mean,
    token_mean,
    sequence_mean_token_sum,
)  # GRPO, DAPO, Dr. GRPO
PACKAGE = {
    "kl_of_completion": kl_of_completion,
    "shifted_cross_entropy": language_model_loss,
    "canonical_winners": winners_of_answers,
    "ranking_to_pairs": pairs_of_ranking,
    "split_by_prompt": split_of_groups,
    "cohens_kappa": lambda first, second, labels: torch.tensor(cohen_kappa(first.tolist(), second.tolist())),
    "bradley_terry_loss": bradley_terry_loss,
    "plackett_luce_loss": plackett_luce,
    "rao_kupper_probabilities": rao_kupper,
    "normalised_head": head_after_normalising,
    "accuracy_ceiling": lambda u, t: torch.tensor(ceiling_of(torch.sigmoid((u[:, 0] - u[:, 1]).double() / t))),
    "cautious_reward": cautious,
    "pair_information": pair_information,
    "expected_calibration_error": lambda p, y, bins: torch.tensor(expected_calibration_error(p, y, bins)),
    "rloo_advantages": in_groups(leave_one_out),
    "kl_estimators": lambda p, q: (kl_k1(p, q), kl_k2(p, q), kl_k3(p, q)),
    "exact_kl": exact_kl,
    "closed_form_policy": closed_form_policy,
    "adaptive_kl_step": lambda coefficient, kl, target, samples, horizon, clip: AdaptiveKL(target, horizon, clip).next(
        coefficient, kl, samples
    ),
    "per_token_rewards": token_rewards,
    "gae": gae,
    "masked_whitening": whiten,
    "clipped_policy_loss": ppo_policy_loss,
    "clipped_value_loss": ppo_value_loss,
    "group_relative_advantages": in_groups(group_relative),
    "token_loss_weights": lambda mask: tuple(average(mask) for average in AVERAGES),
    "clip_higher_objective": lambda *inputs: -clipped_surrogate(*inputs),
    "sequence_ratio": lambda *inputs: completion_ratio(*inputs).squeeze(1),
}


@pytest.mark.parametrize("name", PACKAGE)
def test_the_exercise_is_what_the_package_computes(name):
    exercise = find(name)
    draws = [exercise.draw(torch.Generator().manual_seed(seed)) for seed in range(200, 225)]
    cases = [Case(f"seed {200 + i}", inputs) for i, inputs in enumerate(draws)]
    theirs, ours = (
        run_reference(function, cases, exercise.parameters, exercise.gradients)
        for function in (exercise.reference, PACKAGE[name])
    )
    for case, expected, got in zip(cases, theirs, ours, strict=True):
        assert not difference(got, expected, exercise.unordered), case


def test_win_rate_interval():
    exercise = find("win_rate_interval")
    for seed in range(25):
        wins, ties, losses_, _ = exercise.draw(torch.Generator().manual_seed(seed))
        ours = exercise.reference(wins, ties, losses_, 1.9599639845400545)
        theirs = wilson_interval(wins + ties / 2, wins + ties + losses_, 0.95)
        assert not difference(Outcome(theirs), Outcome(ours))
