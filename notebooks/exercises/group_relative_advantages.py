"""Exercise of notebook 09: GRPO's advantages."""

import torch
from torch import Tensor

from rlhf_lab.exercises.drawing import normal, size
from rlhf_lab.exercises.framework import Case, Exercise, mistake


def group_relative_advantages(rewards: Tensor) -> Tensor:
    """Advantages relative to a sample's own group (GRPO, Shao et al. 2024).

    rewards: (P, K), of K >= 2 completions of each of P prompts. Returns (P, K): the reward less its group's mean,
    divided by its group's standard deviation (K - 1 in the denominator) plus 1e-4. A group of equal rewards gets zeros.
    """
    centred = rewards - rewards.mean(1, keepdim=True)
    return centred / (rewards.std(1, keepdim=True) + 1e-4)


def cases():
    yield Case("two completions of one prompt", (torch.tensor([[1.0, 3.0]]),))
    yield Case("an easy and a hard prompt", (torch.tensor([[5.0, 6.0, 10.0], [0.0, 0.0, 3.0]]),))
    yield Case("all the same: nothing to learn", (torch.full((1, 3), 2.0),))
    yield Case("rewards that hardly differ", (torch.tensor([[0.0, 0.0002], [0.0, 2.0]]),))


def draw(generator):
    rows, k = size(generator, 2, 4), size(generator, 3, 6)
    return (normal(generator, rows, k) * normal(generator, rows, 1, scale=3) + normal(generator, rows, 1, scale=3),)


@mistake(
    "You took mean and deviation over all prompts.",
    "An easy prompt has high rewards throughout. A group is the completions of *one* prompt.",
)
def over_the_batch(rewards):
    return (rewards - rewards.mean()) / (rewards.std() + 1e-4)


@mistake(
    "You did not divide by the standard deviation.", "That is Dr. GRPO's choice, and it has good reasons. GRPO divides."
)
def not_scaled(rewards):
    return rewards - rewards.mean(1, keepdim=True)


@mistake("You did not subtract the mean.", "Without it, every completion of an easy prompt would be pushed up.")
def not_centred(rewards):
    return rewards / (rewards.std(1, keepdim=True) + 1e-4)


@mistake("You divided by the variance.", "The standard deviation is its square root.")
def by_variance(rewards):
    return (rewards - rewards.mean(1, keepdim=True)) / (rewards.var(1, keepdim=True) + 1e-4)


@mistake("Groups of equal rewards give NaN.", "Their deviation is 0, and 0/0 is not a number: add 1e-4 below the line.")
def no_epsilon(rewards):
    return (rewards - rewards.mean(1, keepdim=True)) / rewards.std(1, keepdim=True)


@mistake(
    "Your epsilon is not 1e-4, or not where it belongs.",
    "1e-4 is added to the standard deviation itself. It decides how loud a group is whose rewards hardly differ.",
)
def other_epsilon(rewards):
    return (rewards - rewards.mean(1, keepdim=True)) / (rewards.std(1, keepdim=True) + 1e-8)


@mistake(
    "Your epsilon is inside the square root.",
    "There 1e-4 becomes a hundredth of a unit of reward. Add it to the standard deviation, not to the variance.",
)
def epsilon_in_the_root(rewards):
    return (rewards - rewards.mean(1, keepdim=True)) / (rewards.var(1, keepdim=True) + 1e-4).sqrt()


@mistake(
    "Your deviation has K in the denominator.",
    "With two samples that makes a factor of 1.4. torch.std divides by K - 1 by itself.",
)
def biased(rewards):
    return (rewards - rewards.mean(1, keepdim=True)) / (rewards.std(1, keepdim=True, unbiased=False) + 1e-4)


@mistake("You went down the prompts, not along the completions.", "A row is a prompt: dimension 1.")
def down_the_prompts(rewards):
    deviation = rewards.std(0, keepdim=True) if len(rewards) > 1 else torch.full_like(rewards, torch.nan)
    return (rewards - rewards.mean(0, keepdim=True)) / (deviation + 1e-4)


@mistake("The sign is wrong.", "Better than the group must be positive.")
def wrong_sign(rewards):
    return (rewards.mean(1, keepdim=True) - rewards) / (rewards.std(1, keepdim=True) + 1e-4)


@mistake("Your baseline leaves the sample itself out.", "That is RLOO's way. GRPO takes the mean of the whole group.")
def leave_one_out(rewards):
    k = rewards.shape[1]
    return k / (k - 1) * (rewards - rewards.mean(1, keepdim=True)) / (rewards.std(1, keepdim=True) + 1e-4)


@mistake("You took the deviation over all prompts.", "GRPO scales each group by its own.")
def deviation_of_batch(rewards):
    return (rewards - rewards.mean(1, keepdim=True)) / (rewards.std() + 1e-4)


EXERCISE = Exercise(
    reference=group_relative_advantages,
    title="group-relative advantages",
    question="""
        GRPO has no value network: K completions of one prompt are compared with each other, in units of how much they
        differ. Write the advantages. A group in which all are the same must give zeros, and nothing worse.
    """,
    difficulty=1,
    minutes=5,
    hints=(
        "Mean and standard deviation of each row, kept as columns so that they can be subtracted and divided by.",
        "`rewards.mean(1, keepdim=True)` and `rewards.std(1, keepdim=True) + 1e-4`.",
    ),
    cases=cases,
    draw=draw,
    mistakes=(
        over_the_batch,
        not_scaled,
        not_centred,
        by_variance,
        no_epsilon,
        other_epsilon,
        epsilon_in_the_root,
        biased,
        down_the_prompts,
        wrong_sign,
        leave_one_out,
        deviation_of_batch,
    ),
)
