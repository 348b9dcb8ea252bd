"""Exercise of notebook 03: the loss of a reward model."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from rlhf_lab.exercises.drawing import normal, size
from rlhf_lab.exercises.framework import Case, Exercise, mistake


def bradley_terry_loss(chosen: Tensor, rejected: Tensor) -> Tensor:
    """Loss of a reward model: how surprising the choices are to it, on average, in nats a pair.

    chosen, rejected: (B,), the rewards of the completion that was preferred and of the other one. Returns a scalar.
    """
    # P(chosen is preferred) = sigmoid(difference). logsigmoid is exact where sigmoid would round to 0.
    return -F.logsigmoid(chosen - rejected).mean()


def cases():
    yield Case("one pair, ranked rightly", (torch.tensor([1.0]), torch.tensor([0.0])))
    yield Case("two pairs, one of them ranked wrongly", (torch.tensor([1.0, 0.0]), torch.tensor([0.0, 2.0])))
    yield Case("all the same", (torch.tensor([3.0, -1.0]), torch.tensor([3.0, -1.0])))
    yield Case("far apart, and the wrong way round", (torch.tensor([-300.0]), torch.tensor([300.0])))
    yield Case("far apart, and right", (torch.tensor([300.0, 1.0]), torch.tensor([-300.0, 0.0])))


def draw(generator):
    n = size(generator, 2, 7)
    return normal(generator, n, scale=2), normal(generator, n, scale=2)


@mistake(
    "You swapped chosen and rejected.",
    "The loss must fall when the chosen one's reward rises. Swapped, it trains just as well, to the opposite taste.",
)
def swapped(chosen, rejected):
    return -F.logsigmoid(rejected - chosen).mean()


@mistake(
    "You forgot the logarithm.",
    "-sigmoid goes down where -log sigmoid does, but it forgives a confident mistake: there its gradient vanishes.",
)
def no_log(chosen, rejected):
    return -torch.sigmoid(chosen - rejected).mean()


@mistake("The sign is wrong.", "log p is at most 0, so the loss, -log p, is at least 0, and goes down.")
def wrong_sign(chosen, rejected):
    return F.logsigmoid(chosen - rejected).mean()


@mistake("That is the sum over pairs.", "Average: the learning rate should not depend on the size of the batch.")
def summed(chosen, rejected):
    return -F.logsigmoid(chosen - rejected).sum()


@mistake(
    "Your loss is infinite far on the wrong side.",
    "There a sigmoid rounds to 0, and an exponential overflows. F.logsigmoid does sigmoid and logarithm in one, and is"
    " safe.",
)
def log_of_sigmoid(chosen, rejected):
    return -torch.sigmoid(chosen - rejected).log().mean()


@mistake(
    "Your loss has a highest value: you added a little to the probability, or it was clipped.",
    "Where the model is furthest off, nothing pulls it back any more. F.logsigmoid needs no such guard.",
)
def epsilon_added(chosen, rejected):
    return -(torch.sigmoid(chosen - rejected) + 1e-8).log().mean()


@mistake(
    "Your loss has a highest value: F.binary_cross_entropy clips the logarithm at -100.",
    "Where the model is furthest off, nothing pulls it back any more. F.logsigmoid needs no such guard.",
)
def clipped_at_100(chosen, rejected):
    return F.binary_cross_entropy(torch.sigmoid(chosen - rejected), torch.ones_like(chosen))


@mistake(
    "You averaged the probabilities before the logarithm.",
    "Take -log p of each pair, and average those. Averaged first, a good pair hides a bad one.",
)
def log_of_mean(chosen, rejected):
    return -torch.sigmoid(chosen - rejected).mean().log()


@mistake(
    "You used a hinge: no loss beyond a margin of 1.",
    "A hinge ranks as well, but its differences are no log-odds, so they say nothing of how sure a choice is.",
)
def hinge(chosen, rejected):
    return (1 - (chosen - rejected)).clamp(min=0).mean()


@mistake(
    "You averaged the differences before the logarithm.",
    "Each pair has a probability of its own: first -log sigmoid of each difference, then the mean.",
)
def mean_inside(chosen, rejected):
    return -F.logsigmoid((chosen - rejected).mean())


@mistake(
    "You used 1 - p as the loss.",
    "It falls when p rises, but forgives a confident mistake: there its gradient vanishes. Wanted is -log p.",
)
def one_minus_p(chosen, rejected):
    return (1 - torch.sigmoid(chosen - rejected)).mean()


@mistake("No gradient reaches the rejected one.", "Both rewards are the model's: push one up and the other down.")
def rejected_detached(chosen, rejected):
    return -F.logsigmoid(chosen - rejected.detach()).mean()


@mistake(
    "You trained both rewards by themselves.",
    "Only the difference counts. Calling one text good and the other bad is a claim that nobody has made.",
)
def each_alone(chosen, rejected):
    return -(F.logsigmoid(chosen) + F.logsigmoid(-rejected)).mean()


@mistake("Your loss is in bits.", "Nats are asked for: the natural logarithm, as `F.logsigmoid` takes it.")
def in_bits(chosen, rejected):
    return -F.logsigmoid(chosen - rejected).mean() / math.log(2)


EXERCISE = Exercise(
    reference=bradley_terry_loss,
    title="the loss of a reward model",
    question="""
        A rater has compared two completions, many times. How surprised is a reward model by the choices?
        Write the loss that it goes down: minus the logarithm of the probability that it gave to each choice, averaged.
        Loss and gradient must be right for rewards of any size, also where the model is far off: there it has most to
        learn.
    """,
    difficulty=2,
    minutes=5,
    hints=(
        "The probability of the choice is the sigmoid of a difference. What goes minus what?",
        "`torch.nn.functional.logsigmoid` takes the logarithm and the sigmoid in one, without rounding"
        " to zero between.",
    ),
    cases=cases,
    draw=draw,
    mistakes=(
        swapped,
        no_log,
        wrong_sign,
        summed,
        log_of_sigmoid,
        epsilon_added,
        clipped_at_100,
        log_of_mean,
        hinge,
        mean_inside,
        one_minus_p,
        rejected_detached,
        each_alone,
        in_bits,
    ),
    gradients=("chosen", "rejected"),
)
