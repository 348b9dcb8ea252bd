"""Exercise of notebook 03: a scale and a zero for rewards that have neither."""

import torch
from torch import Tensor

from rlhf_lab.exercises.drawing import normal, size
from rlhf_lab.exercises.framework import Case, Exercise, mistake


def normalised_head(weight: Tensor, bias: Tensor, reference: Tensor) -> tuple[Tensor, Tensor]:
    """A reward head that gives the reference samples mean 0 and variance 1 (Ziegler et al. 2019).

    weight: (d,) and bias: a scalar, of the head reward = weight . features + bias. reference: (R,), the rewards that
    this head gives to R reference samples, not all alike. Returns the new weight (d,) and the new bias (a scalar).
    """
    mean, deviation = reference.mean(), reference.std(correction=0)
    return weight / deviation, (bias - mean) / deviation  # (w . h + b - mean) / deviation, sorted by what h is in


def cases():
    yield Case("two reference samples", (torch.tensor([1.0, -2.0]), torch.tensor(0.0), torch.tensor([1.0, 5.0])))
    yield Case("a head with a bias", (torch.tensor([1.0]), torch.tensor(3.0), torch.tensor([2.0, 3.0, 7.0])))
    yield Case("all below zero", (torch.tensor([0.5, 2.0]), torch.tensor(-4.0), torch.tensor([-9.0, -8.0, -4.0])))
    yield Case("normalised already", (torch.tensor([1.0, 2.0]), torch.tensor(0.25), torch.tensor([-1.0, 1.0])))
    yield Case("very close together", (torch.tensor([1.0]), torch.tensor(1.0), torch.tensor([1.0, 1.0625])))


def draw(generator):
    reference = normal(generator, size(generator, 3, 8), scale=2) + 4 * normal(generator, 1)
    return normal(generator, size(generator, 2, 5)), normal(generator, 1)[0], reference


def _moments(reference):
    return reference.mean(), reference.std(correction=0)


@mistake(
    "You did not scale the bias.",
    "The whole reward is divided, bias and all. As it is, the mean is not 0, unless the deviation is 1.",
)
def bias_not_scaled(weight, bias, reference):
    mean, deviation = _moments(reference)
    return weight / deviation, bias - mean


@mistake(
    "You left the bias as it was.",
    "With smaller weights and the old bias the mean is not 0. Subtract the mean of the rewards, then divide.",
)
def bias_left(weight, bias, reference):
    _, deviation = _moments(reference)
    return weight / deviation, bias.clone()


@mistake("You divided the mean but not the old bias.", "Both are parts of a reward that is divided as a whole.")
def old_bias_not_scaled(weight, bias, reference):
    mean, deviation = _moments(reference)
    return weight / deviation, bias - mean / deviation


@mistake(
    "You dropped the old bias.",
    "The reference rewards had it in them, and the mean takes it out again. Dropped, it is taken out twice.",
)
def old_bias_dropped(weight, bias, reference):
    mean, deviation = _moments(reference)
    return weight / deviation, -mean / deviation


@mistake("You divided by the variance.", "To get variance 1, divide by its root, the standard deviation.")
def by_variance(weight, bias, reference):
    mean, deviation = _moments(reference)
    return weight / deviation**2, (bias - mean) / deviation**2


@mistake("You multiplied where you should divide.", "Rewards that are widely spread must come closer together.")
def multiplied(weight, bias, reference):
    mean, deviation = _moments(reference)
    return weight * deviation, (bias - mean) * deviation


@mistake(
    "You only shifted.", "Mean 0 is half of it. The scale of a reward is what a KL coefficient is weighed against."
)
def only_shifted(weight, bias, reference):
    return weight, bias - reference.mean()


@mistake("You only scaled.", "The variance is 1 now, but the mean has not moved to 0.")
def only_scaled(weight, bias, reference):
    _, deviation = _moments(reference)
    return weight / deviation, bias / deviation


@mistake(
    "You divided by R - 1.",
    "That estimates the variance of all samples there might be. Wanted is variance 1 on *these*; `std` takes"
    " correction=0 for that.",
)
def corrected(weight, bias, reference):
    return weight / reference.std(), (bias - reference.mean()) / reference.std()


@mistake("Your mean has the wrong sign.", "Subtract it: rewards that were high on average must come down.")
def mean_added(weight, bias, reference):
    mean, deviation = _moments(reference)
    return weight / deviation, (bias + mean) / deviation


@mistake(
    "You shifted the weights.",
    "A constant that is taken from every reward is taken from the bias. A shifted weight changes which text is better.",
)
def weight_shifted(weight, bias, reference):
    mean, deviation = _moments(reference)
    return (weight - mean) / deviation, (bias - mean) / deviation


EXERCISE = Exercise(
    reference=normalised_head,
    title="a zero and a scale",
    question="""
        Preferences leave the constant open and the scale loose. So both are set by convention: on reference samples,
        which the starting model wrote, rewards get mean 0 and variance 1. Put that into the head itself. Then every
        program that loads the model gets normalised rewards, and no ranking changes.
    """,
    difficulty=2,
    minutes=8,
    hints=(
        "The normalised reward is (w . h + b - mean) / deviation. Which part of it multiplies h, and what is left?",
        "`weight / deviation` and `(bias - mean) / deviation`, with `reference.std(correction=0)`.",
    ),
    cases=cases,
    draw=draw,
    mistakes=(
        bias_not_scaled,
        bias_left,
        old_bias_not_scaled,
        old_bias_dropped,
        by_variance,
        multiplied,
        only_shifted,
        only_scaled,
        corrected,
        mean_added,
        weight_shifted,
    ),
)
