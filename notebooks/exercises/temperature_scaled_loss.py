"""Exercise of notebook 04: how surprised a reward model is, once its differences are divided by a temperature."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from rlhf_lab.exercises.drawing import normal, size
from rlhf_lab.exercises.framework import Case, Exercise, mistake


def temperature_scaled_loss(differences: Tensor, temperature: Tensor) -> Tensor:
    """Mean surprise at the answers, in nats, with P(chosen wins) = sigmoid(difference / temperature).

    differences: (N,), reward of the chosen text less that of the rejected one. temperature: a scalar above zero.
    Returns a scalar that can be differentiated by the temperature, so that the best one can be found.
    """
    return -F.logsigmoid(differences / temperature).mean()


def cases():
    yield Case("one pair, right", (torch.tensor([2.0]), torch.tensor(4.0)))
    yield Case("one right, one wrong", (torch.tensor([1.0, -2.0]), torch.tensor(0.5)))
    yield Case("nothing known", (torch.tensor([0.0, 0.0]), torch.tensor(3.0)))
    yield Case("very sure, and wrong", (torch.tensor([-400.0, 300.0]), torch.tensor(0.5)))
    yield Case("four pairs", (torch.tensor([0.5, 1.5, -0.3, 2.5]), torch.tensor(1.7)))


def draw(generator):
    n = size(generator, 3, 10)
    return normal(generator, n, scale=2) + 0.5, 0.3 + 2 * torch.rand((), generator=generator)


@mistake(
    "You multiplied by the temperature.",
    "Divide: a high temperature makes differences small and a model less sure. Yours makes it surer.",
)
def multiplied(differences, temperature):
    return -F.logsigmoid(differences * temperature).mean()


@mistake("The sign is wrong.", "A loss is minus the log-probability: it falls as the answers become likelier.")
def sign(differences, temperature):
    return F.logsigmoid(differences / temperature).mean()


@mistake(
    "You took the probability, not its logarithm.",
    "1 - p hardly minds whether a wrong answer had probability 0.01 or 0.0001. The logarithm does, and that is"
    " what keeps a model from being too sure.",
)
def no_logarithm(differences, temperature):
    return 1 - torch.sigmoid(differences / temperature).mean()


@mistake(
    "You took sizes of differences.",
    "Where the model is wrong, the difference of chosen less rejected is below zero, and the loss must be high."
    " Without its sign every answer is right.",
)
def absolute(differences, temperature):
    return -F.logsigmoid(differences.abs() / temperature).mean()


@mistake("You took the sum.", "The mean can be compared between test sets of different size.")
def summed(differences, temperature):
    return -F.logsigmoid(differences / temperature).sum()


@mistake(
    "You divided the loss by the temperature, not the differences.",
    "That only rescales the result: every temperature would find the same probabilities.",
)
def loss_divided(differences, temperature):
    return -F.logsigmoid(differences).mean() / temperature


@mistake(
    "You cut the temperature off the graph.",
    "With .item(), float() or .detach() nothing is learned about it. Divide by the tensor itself.",
)
def cut(differences, temperature):
    return -F.logsigmoid(differences / temperature.detach()).mean()


@mistake(
    "You took the logarithm of a sigmoid that has become zero.",
    "sigmoid(-800) is 0 in floating point and log(0) is minus infinity. F.logsigmoid computes both in one, and"
    " stays finite.",
)
def log_of_sigmoid(differences, temperature):
    return -torch.log(torch.sigmoid(differences / temperature)).mean()


@mistake(
    "You took the mean before the logarithm.",
    "The surprise belongs to each answer. First the logarithm of each probability, then the mean.",
)
def mean_first(differences, temperature):
    return -torch.sigmoid(differences / temperature).mean().log()


@mistake("Your result is in bits.", "The logarithm to base 2 gives bits. Nats belong to the natural logarithm.")
def in_bits(differences, temperature):
    return -F.logsigmoid(differences / temperature).mean() / math.log(2)


EXERCISE = Exercise(
    reference=temperature_scaled_loss,
    title="the loss that a temperature minimises",
    question="""
        Preferences say which text is better, and only loosely by how much: a reward model is often too sure of itself,
        or not sure enough. One number, the temperature, repairs most of it. Write the loss that is least at the
        best one.
        (It never changes which text is preferred: dividing by a positive number keeps every sign.)
    """,
    difficulty=2,
    minutes=8,
    hints=(
        "Bradley-Terry with one change: P = sigmoid(difference / temperature). How surprising is it that"
        " the chosen text won?",
        "The surprise is -log P. `F.logsigmoid` is the logarithm of the sigmoid, computed so that nothing overflows."
        " Do not turn the temperature into a float: its gradient is needed.",
    ),
    cases=cases,
    draw=draw,
    mistakes=(
        multiplied,
        sign,
        no_logarithm,
        absolute,
        summed,
        loss_divided,
        cut,
        log_of_sigmoid,
        mean_first,
        in_bits,
    ),
    gradients=("temperature",),
)
