"""Exercise of notebook 05: what best-of-n would earn, from one set of samples."""

import math

import torch
from torch import Tensor

from rlhf_lab.exercises.drawing import normal, size
from rlhf_lab.exercises.framework import Case, Exercise, mistake


def best_of_n_estimate(rewards: Tensor, n: int) -> Tensor:
    """Expected reward of the best of n samples, estimated without bias from N of them.

    rewards: (N,) of samples for one prompt, N >= n. Returns a scalar: the mean, over all ways to choose n of the N,
    of the best one's reward.
    """
    ordered = rewards.sort().values  # the smallest first
    total = math.comb(len(rewards), n)
    # The one at place i (from 0) is the best of a choice if the other n - 1 are among the i smaller ones.
    weights = [math.comb(i, n - 1) / total for i in range(len(rewards))]
    return (ordered * torch.tensor(weights, dtype=rewards.dtype)).sum()


def cases():
    yield Case("the best of two, from three", (torch.tensor([1.0, 0.0, 3.0]), 2))
    yield Case("the best of one is the mean", (torch.tensor([4.0, 0.0, -1.0]), 1))
    yield Case("the best of all is the largest", (torch.tensor([2.0, 5.0, 1.0]), 3))
    yield Case("some are equal", (torch.tensor([1.0, 1.0, 0.0, 2.0]), 2))
    yield Case("all are below zero", (torch.tensor([-1.0, -4.0, -2.0, -8.0]), 3))


def draw(generator):
    total = size(generator, 4, 9)
    return normal(generator, total, scale=3), size(generator, 2, total - 1)


def _weighted(rewards, weights):
    return (rewards.sort().values * torch.tensor(weights, dtype=rewards.dtype)).sum()


@mistake("That is the best of all samples.", "It is the best of N, and N is larger than n. It promises too much.")
def best_of_all(rewards, n):
    return rewards.max()


@mistake("That is the mean of all samples.", "It is what one sample earns. The best of n earns more.")
def mean_of_all(rewards, n):
    return rewards.mean()


@mistake(
    "You took the best of the first n only.",
    "That has no bias, but it throws away most samples. All choices of n out of N can be averaged exactly.",
)
def first_n(rewards, n):
    return rewards[:n].max()


@mistake(
    "You drew with replacement.",
    "(i/N)^n belongs to draws from the N samples in which one may come twice. That is best-of-n of *these* samples,"
    " not of the model, and is too low on average. Choices without repeats have no bias.",
)
def with_replacement(rewards, n):
    total = len(rewards)
    return _weighted(rewards, [((i + 1) / total) ** n - (i / total) ** n for i in range(total)])


@mistake(
    "That is the worst of n.", "You sorted the other way round: the largest has the most choices in which it wins."
)
def worst_of_n(rewards, n):
    total = len(rewards)
    return _weighted(rewards, [math.comb(total - 1 - i, n - 1) / math.comb(total, n) for i in range(total)])


@mistake("That is the mean of the n best.", "It is one that is picked. How often is each of them the best of a choice?")
def mean_of_top(rewards, n):
    return rewards.topk(n).values.mean()


@mistake("You did not sort.", "The weights belong to places in order of reward.")
def unsorted(rewards, n):
    total = len(rewards)
    weights = [math.comb(i, n - 1) / math.comb(total, n) for i in range(total)]
    return (rewards * torch.tensor(weights, dtype=rewards.dtype)).sum()


@mistake(
    "You cut the samples into groups of n.",
    "Each group's best has no bias, but the cut is arbitrary, and a rest is lost. Average over all choices.",
)
def groups(rewards, n):
    whole_groups = len(rewards) // n * n
    return rewards[:whole_groups].reshape(-1, n).max(1).values.mean()


@mistake(
    "You counted choices of n among the lower ones.",
    "The best one is itself among the n. With it go n - 1 of the lower ones.",
)
def n_of_the_lower(rewards, n):
    ordered = rewards.sort().values
    counts = [math.comb(i, n) for i in range(len(rewards))]
    return sum(c * r for c, r in zip(counts, ordered, strict=True)) / math.comb(len(rewards), n)


EXERCISE = Exercise(
    reference=best_of_n_estimate,
    title="best of n, without sampling n again and again",
    question="""
        You have the rewards of N samples for one prompt. What would the best of n earn, on average? One could draw n of
        them again and again. One can also average over *all* choices of n out of N exactly, from the sorted rewards:
        count in how many choices each is the best.
    """,
    difficulty=4,
    minutes=20,
    hints=(
        "Sort. The reward at place i, counted from 0, has i smaller ones. In how many choices of n is it the best? The"
        " n - 1 others must be among those i.",
        "`math.comb(i, n - 1)` such choices, out of `math.comb(N, n)`. Their shares are weights that add up to 1.",
    ),
    cases=cases,
    draw=draw,
    mistakes=(
        best_of_all,
        mean_of_all,
        first_n,
        with_replacement,
        worst_of_n,
        mean_of_top,
        unsorted,
        groups,
        n_of_the_lower,
    ),
)
