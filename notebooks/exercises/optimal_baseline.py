"""Exercise of notebook 06: the constant that makes the estimate of the gradient least noisy."""

import torch
from torch import Tensor

from rlhf_lab.exercises.drawing import normal, size
from rlhf_lab.exercises.framework import Case, Exercise, mistake


def optimal_baseline(rewards: Tensor, scores: Tensor) -> Tensor:
    """The constant baseline of least variance, estimated from samples (Greensmith, Bartlett and Baxter 2004).

    rewards: (N,) of N samples. scores: (N, P), the gradient of log pi of each sample by P parameters. Returns a scalar:
    the mean of the rewards in which each sample weighs as much as the squared length of its score.
    """
    weights = (scores**2).sum(1)  # (N,): how far each sample moves the parameters, squared
    return (weights * rewards).sum() / weights.sum()


def cases():
    yield Case("the second score is twice as long", (torch.tensor([0.0, 5.0]), torch.tensor([[1.0, 0.0], [0.0, 2.0]])))
    yield Case(
        "three samples, two parameters",
        (torch.tensor([1.0, 2.0, -3.0]), torch.tensor([[1.0, -1.0], [0.5, 0.5], [2.0, 1.0]])),
    )
    yield Case("all scores are as long", (torch.tensor([1.0, 3.0]), torch.tensor([[1.0, 0.0], [0.0, -1.0]])))
    yield Case("one of them teaches nothing", (torch.tensor([9.0, 1.0, 2.0]), torch.tensor([[0.0], [-1.0], [3.0]])))
    yield Case("all rewards are the same", (torch.tensor([2.0, 2.0]), torch.tensor([[1.0, 1.0], [-1.0, 0.5]])))


def draw(generator):
    samples, parameters = size(generator, 3, 6), size(generator, 2, 5)
    return normal(generator, samples, scale=2) + 1, normal(generator, samples, parameters)


@mistake(
    "That is the plain mean of the rewards.",
    "Close, and what most people use. But a sample whose score is long brings more of the noise, so its reward"
    " counts for more.",
)
def plain_mean(rewards, scores):
    return rewards.mean()


@mistake(
    "You weighed by the length, not by its square.", "Variance is a mean of *squares*, so squares are the weights."
)
def not_squared(rewards, scores):
    lengths = scores.norm(dim=1)
    return (lengths * rewards).sum() / lengths.sum()


@mistake(
    "You divided by the number of samples, not by the sum of the weights.",
    "A weighted mean is divided by its weights. If all rewards are the same, the baseline must be that reward.",
)
def not_normalised(rewards, scores):
    return ((scores**2).sum(1) * rewards).mean()


@mistake("You added up a score before squaring it.", "The squared length of a vector is the sum of its squares.")
def squared_after_the_sum(rewards, scores):
    weights = scores.sum(1) ** 2
    return (weights * rewards).sum() / weights.sum()


@mistake(
    "That is a baseline for each parameter.",
    "One could use that, too, but then the gradient is no longer reward times score. One number is wanted.",
)
def one_for_each_parameter(rewards, scores):
    squares = scores**2
    return (squares * rewards[:, None]).sum(0) / squares.sum(0)


@mistake("You weighed by the inverse.", "Long scores count for more here, not for less.")
def inverse_weights(rewards, scores):
    weights = 1 / (scores**2).sum(1).clamp(min=1e-6)
    return (weights * rewards).sum() / weights.sum()


@mistake("The sign is wrong.", "It will be subtracted from the rewards, so it lies among them.")
def wrong_sign(rewards, scores):
    weights = (scores**2).sum(1)
    return -(weights * rewards).sum() / weights.sum()


EXERCISE = Exercise(
    reference=optimal_baseline,
    title="the best constant",
    question="""
        Any constant may be subtracted from the rewards. Which one makes the estimate steadiest? Its variance is a
        parabola in $b$, $E[(R - b)^2\\, |s|^2]$ less something in which there is no $b$, with the score
        $s = \\nabla \\log \\pi$. Find the bottom, and write it for $N$ samples.
    """,
    difficulty=3,
    minutes=10,
    hints=(
        "Differentiate $E[(R - b)^2\\, |s|^2]$ by $b$ and set it to zero: $E[R\\, |s|^2] = b\\, E[|s|^2]$.",
        "That is a weighted mean of the rewards. The weights are `(scores**2).sum(1)`, one for each sample.",
    ),
    cases=cases,
    draw=draw,
    mistakes=(
        plain_mean,
        not_squared,
        not_normalised,
        squared_after_the_sum,
        one_for_each_parameter,
        inverse_weights,
        wrong_sign,
    ),
)
