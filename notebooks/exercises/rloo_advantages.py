"""Exercise of notebook 06: each sample against the others of its prompt."""

import torch
from torch import Tensor

from rlhf_lab.exercises.drawing import normal, size
from rlhf_lab.exercises.framework import Case, Exercise, mistake


def rloo_advantages(rewards: Tensor) -> Tensor:
    """Advantages with a leave-one-out baseline (RLOO, Ahmadian et al. 2024).

    rewards: (P, K), of K >= 2 completions of each of P prompts. Returns (P, K): each reward less the mean reward of the
    K - 1 other completions of its prompt.
    """
    k = rewards.shape[1]
    others = (rewards.sum(1, keepdim=True) - rewards) / (k - 1)  # (P, K): mean of the others
    return rewards - others


def cases():
    yield Case("two completions of one prompt", (torch.tensor([[1.0, 3.0]]),))
    yield Case("an easy and a hard prompt", (torch.tensor([[5.0, 6.0, 10.0], [0.0, 3.0, 0.0]]),))
    yield Case("all the same", (torch.full((2, 3), 4.0),))
    yield Case("five of one prompt", (torch.tensor([[1.0, 2.0, 3.0, 4.0, 10.0]]),))


def draw(generator):
    return (normal(generator, size(generator, 2, 4), size(generator, 3, 6), scale=2) + 1,)


@mistake(
    "Your baseline contains the sample itself.",
    "Then a good sample raises its own bar, and every advantage is too small by the factor (K - 1) / K. Leave it out.",
)
def own_included(rewards):
    return rewards - rewards.mean(1, keepdim=True)


@mistake(
    "You averaged over all prompts.",
    "An easy prompt has high rewards throughout. Compare with the other completions of the *same* prompt.",
)
def over_the_batch(rewards):
    return rewards - (rewards.sum() - rewards) / (rewards.numel() - 1)


@mistake("You averaged down the prompts, not along the completions.", "A row is a prompt: sum over dimension 1.")
def down_the_prompts(rewards):
    return rewards - (rewards.sum(0, keepdim=True) - rewards) / (rewards.shape[0] - 1)


@mistake("The sign is wrong.", "Better than the others must be positive: the reward less the mean of the others.")
def wrong_sign(rewards):
    return (rewards.sum(1, keepdim=True) - rewards) / (rewards.shape[1] - 1) - rewards


@mistake("You divided the sum of the others by K.", "Without the sample itself there are K - 1 of them.")
def divided_by_k(rewards):
    return rewards - (rewards.sum(1, keepdim=True) - rewards) / rewards.shape[1]


@mistake("You divided the sum of all by K - 1.", "Take the sample itself out of the sum first.")
def own_in_sum(rewards):
    return rewards - rewards.sum(1, keepdim=True) / (rewards.shape[1] - 1)


@mistake("You divided by the standard deviation.", "That is GRPO's way. RLOO leaves the scale as it is.")
def divided_by_std(rewards):
    advantages = rewards - (rewards.sum(1, keepdim=True) - rewards) / (rewards.shape[1] - 1)
    return advantages / (rewards.std(1, keepdim=True) + 1e-8)


@mistake(
    "You subtracted the group's mean and divided by its standard deviation.",
    "That is GRPO's way. RLOO compares with the mean of the *others*, and leaves the scale as it is.",
)
def group_normalised(rewards):
    return (rewards - rewards.mean(1, keepdim=True)) / (rewards.std(1, keepdim=True) + 1e-8)


@mistake("That is the baseline, not the advantage.", "Subtract it from the rewards.")
def only_baseline(rewards):
    return (rewards.sum(1, keepdim=True) - rewards) / (rewards.shape[1] - 1)


@mistake("You compared with the best of the others.", "The baseline is their mean: only then are advantages fair.")
def best_of_others(rewards):
    k = rewards.shape[1]
    itself = torch.eye(k, dtype=torch.bool)
    return rewards - rewards[:, None, :].expand(-1, k, k).masked_fill(itself, -torch.inf).amax(2)


EXERCISE = Exercise(
    reference=rloo_advantages,
    title="leave one out",
    question="""
        K completions of one prompt are each other's baseline. But a sample must not be part of its own baseline: what
        it is compared with may not depend on what it is. Write the advantages, for all prompts at once.
    """,
    difficulty=2,
    minutes=5,
    hints=(
        "The sum of the others is the sum of all, less oneself. How many are they?",
        "`rewards.sum(1, keepdim=True)` is `(P, 1)` and may be subtracted from: the others' sum, for all"
        " samples at once.",
    ),
    cases=cases,
    draw=draw,
    mistakes=(
        own_included,
        over_the_batch,
        down_the_prompts,
        wrong_sign,
        divided_by_k,
        own_in_sum,
        divided_by_std,
        group_normalised,
        only_baseline,
        best_of_others,
    ),
)
