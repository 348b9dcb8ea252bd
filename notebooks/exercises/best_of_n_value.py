"""Exercise of notebook 05: what the reader gets of the text that the reward model picks."""

import math

import torch
from torch import Tensor

from rlhf_lab.exercises.drawing import normal, size
from rlhf_lab.exercises.framework import Case, Exercise, mistake


def best_of_n_value(rewards: Tensor, values: Tensor, n: int) -> Tensor:
    """Expected value of the sample that has the highest reward of n, estimated without bias from N samples.

    rewards: (N,) by which one is picked, all different; N >= n. values: (N,) what each sample is worth to somebody
    else. Returns a scalar: the mean, over all ways to choose n of the N, of the picked one's value.
    """
    in_order = values[rewards.argsort()]  # the value of the sample with the smallest reward first
    total = math.comb(len(rewards), n)
    weights = [math.comb(i, n - 1) / total for i in range(len(rewards))]
    return (in_order * torch.tensor(weights, dtype=values.dtype)).sum()


def cases():
    yield Case("the best of two, from three", (torch.tensor([2.0, 3.0, 1.0]), torch.tensor([5.0, 1.0, -3.0]), 2))
    yield Case("the best of all", (torch.tensor([0.5, 3.0, 1.0]), torch.tensor([4.0, -1.0, 2.0]), 3))
    yield Case("the best of one is any", (torch.tensor([1.0, 0.0]), torch.tensor([3.0, 6.0]), 1))
    yield Case("equal values", (torch.tensor([0.0, 4.0, 1.0, 2.0]), torch.tensor([1.0, 1.0, 0.0, 0.0]), 2))


def draw(generator):
    total = size(generator, 4, 9)
    return normal(generator, total), normal(generator, total, scale=3), size(generator, 2, total - 1)


def _mean(in_order, n):
    total = len(in_order)
    weights = [math.comb(i, n - 1) / math.comb(total, n) for i in range(total)]
    return (in_order * torch.tensor(weights, dtype=in_order.dtype)).sum()


@mistake(
    "You ordered by the values themselves.",
    "Then the reader would have picked. It is the reward that picks, and the reader takes what comes.",
)
def picked_by_values(rewards, values, n):
    return _mean(values.sort().values, n)


@mistake(
    "That is the reward of the picked one, not its value.",
    "By its own measure the reward model always does well. What is it worth to the reader?",
)
def reward_itself(rewards, values, n):
    return _mean(rewards.sort().values, n)


@mistake("You did not order the values.", "The weights belong to places in order of reward.")
def unordered(rewards, values, n):
    return _mean(values, n)


@mistake(
    "You indexed with places instead of rows.",
    "`rewards.argsort()` says which sample stands at each place. Its own argsort says at which place each sample"
    " stands: that is the inverse, and as an index it shuffles the values.",
)
def inverse_order(rewards, values, n):
    return _mean(values[rewards.argsort().argsort()], n)


@mistake("You picked the smallest reward.", "Sort the other way round, or turn the weights round, but not both.")
def worst_of_n(rewards, values, n):
    return _mean(values[rewards.argsort(descending=True)], n)


@mistake("That is the value of the best of all N.", "It is the pick from N samples, and N is larger than n.")
def best_of_all(rewards, values, n):
    return values[rewards.argmax()]


@mistake("That is the mean of all values.", "It is what a random pick is worth: the matched control, not best-of-n.")
def mean_of_all(rewards, values, n):
    return values.mean()


@mistake(
    "That is the mean value of the n samples with the highest rewards.",
    "One is picked from n, and it is not always among the first n of all N.",
)
def mean_of_top(rewards, values, n):
    return values[rewards.topk(n).indices].mean()


EXERCISE = Exercise(
    reference=best_of_n_value,
    title="what the reader gets",
    question="""
        The reward model picks, but the reader reads. What is the picked text worth *to the reader*, on average over all
        choices of n out of N? The weights are the ones that you know. They depend on the order of the rewards only, so
        they serve for any other number that is known of the samples: the gold reward, the length, the share of decent
        texts.
    """,
    difficulty=2,
    minutes=10,
    hints=(
        "Which sample stands at place i in the order of the rewards, and what is *its* value?",
        "`values[rewards.argsort()]` puts the values in the order of the rewards. Then come the weights of the"
        " exercise before.",
    ),
    cases=cases,
    draw=draw,
    mistakes=(
        picked_by_values,
        reward_itself,
        unordered,
        inverse_order,
        worst_of_n,
        best_of_all,
        mean_of_all,
        mean_of_top,
    ),
)
