"""Exercise of notebook 04: one reward from an ensemble that pays less where its members disagree."""

import torch
from torch import Tensor

from rlhf_lab.exercises.drawing import normal, size
from rlhf_lab.exercises.framework import Case, Exercise, mistake


def cautious_reward(scores: Tensor, caution: float) -> Tensor:
    """The members' mean reward less `caution` times their standard deviation.

    scores: (N, K), the rewards of N texts by K >= 2 members. The standard deviation of a text is that of a sample: the
    squares are divided by K - 1. Returns (N,).
    """
    return scores.mean(1) - caution * scores.std(1)


def cases():
    yield Case("two texts, one of them disputed", (torch.tensor([[1.0, 1.0], [3.0, -1.0]]), 1.0))
    yield Case("half as cautious", (torch.tensor([[0.0, 2.0, 4.0], [1.0, 1.0, 2.0]]), 0.5))
    yield Case("no caution is the mean", (torch.tensor([[1.0, 2.0], [0.0, 5.0]]), 0.0))
    yield Case("as many texts as members", (torch.tensor([[1.0, 2.0, 6.0], [0.0, 0.0, 3.0], [-1.0, 1.0, 0.0]]), 2.0))


def draw(generator):
    return normal(generator, size(generator, 2, 5), size(generator, 2, 4), scale=2), 0.5 + float(
        torch.rand((), generator=generator)
    )


@mistake(
    "You added the standard deviation.",
    "That pays *more* where nobody knows. It is right for choosing what to ask a rater next (curiosity), and wrong"
    " for what a policy is paid by.",
)
def bold(scores, caution):
    return scores.mean(1) + caution * scores.std(1)


@mistake(
    "You took mean and deviation over the texts.",
    "Rows are texts and columns are members: members are asked about one text, so go along dimension 1.",
)
def over_texts(scores, caution):
    return scores.mean(0) - caution * scores.std(0)


@mistake(
    "You subtracted the variance.",
    "It is a choice that is also made (Coste et al. 2023), but its unit is reward squared: here the standard"
    " deviation is asked for.",
)
def variance(scores, caution):
    return scores.mean(1) - caution * scores.var(1)


@mistake(
    "You divided by K, not by K - 1.",
    "The members are a sample, and their own mean is nearer to them than the true one. With few members it matters.",
)
def population(scores, caution):
    return scores.mean(1) - caution * scores.std(1, correction=0)


@mistake(
    "You took the worst member.",
    "The minimum over members is another cautious rule, with no knob. Here caution is to be turned.",
)
def worst(scores, caution):
    return scores.min(1).values


@mistake("You left the caution out.", "The standard deviation counts `caution` times.")
def caution_left_out(scores, caution):
    return scores.mean(1) - scores.std(1)


@mistake(
    "You divided by the standard deviation.",
    "A text whose members agree by chance would get an enormous reward. Subtract.",
)
def divided(scores, caution):
    return scores.mean(1) / (caution * scores.std(1))


@mistake(
    "You used one standard deviation for all texts.",
    "Then every text loses the same, and no choice between two changes. Each text has its own.",
)
def one_deviation(scores, caution):
    return scores.mean(1) - caution * scores.std()


EXERCISE = Exercise(
    reference=cautious_reward,
    title="a reward that is careful",
    question="""
        Several reward models that learned from different resamples of the answers agree where there were many answers,
        and differ where they guess. A policy finds the places where a single model guesses too high. So pay the mean,
        less something where they differ.
    """,
    difficulty=1,
    minutes=6,
    hints=(
        "Two numbers for each text, over its members: their mean, and how far they lie apart.",
        "`scores.mean(1)` and `scores.std(1)`, which divides by K - 1 already.",
    ),
    cases=cases,
    draw=draw,
    mistakes=(
        bold,
        over_texts,
        variance,
        population,
        worst,
        caution_left_out,
        divided,
        one_deviation,
    ),
)
