"""Exercise of notebook 10: IPO, which does not want to win by ever more."""

import torch
import torch.nn.functional as F
from torch import Tensor

from rlhf_lab.exercises.drawing import normal, size
from rlhf_lab.exercises.framework import Case, Exercise, mistake


def ipo_loss(chosen: Tensor, rejected: Tensor, ref_chosen: Tensor, ref_rejected: Tensor, beta: float) -> Tensor:
    """Loss of IPO (Azar et al. 2023, equation 17, whose tau is our beta), averaged over pairs.

    chosen, rejected: (B,), log-probability of each whole completion under the policy; ref_chosen, ref_rejected: (B,),
    under the reference model. The difference of the two log-ratios is drawn towards 1 / (2 beta), and no further.
    Returns a scalar.
    """
    difference = (chosen - ref_chosen) - (rejected - ref_rejected)
    return ((difference - 1 / (2 * beta)) ** 2).mean()


def _case(title, *numbers, beta):
    return Case(title, (*(torch.tensor([x]) for x in numbers), beta))


def cases():
    yield _case("nothing has moved yet", -3.0, -2.0, -3.0, -2.0, beta=0.5)
    yield _case("moved far enough", -2.0, -2.0, -3.0, -2.0, beta=0.5)
    yield _case("moved too far", -2.0, -6.0, -3.0, -2.0, beta=0.25)
    yield Case(
        "two pairs",
        (
            torch.tensor([-4.0, -9.0]),
            torch.tensor([-6.0, -3.0]),
            torch.tensor([-5.0, -7.0]),
            torch.tensor([-5.5, -6.0]),
            0.1,
        ),
    )


def draw(generator):
    n = size(generator, 2, 6)
    reference = -normal(generator, 2, n, scale=5).abs() - 1
    policy = reference + normal(generator, 2, n, scale=3)
    return policy[0], policy[1], reference[0], reference[1], 0.1 * size(generator, 1, 4)


def _difference(chosen, rejected, ref_chosen, ref_rejected):
    return chosen - ref_chosen - rejected + ref_rejected


@mistake("That is DPO.", "IPO has a square in the place of the log-sigmoid, and so a goal that can be reached.")
def dpo(chosen, rejected, ref_chosen, ref_rejected, beta):
    return -F.logsigmoid(beta * _difference(chosen, rejected, ref_chosen, ref_rejected)).mean()


@mistake("Your goal is 1 / beta. The one half is missing.", "The difference is drawn towards 1 / (2 beta).")
def goal_doubled(chosen, rejected, ref_chosen, ref_rejected, beta):
    return ((_difference(chosen, rejected, ref_chosen, ref_rejected) - 1 / beta) ** 2).mean()


@mistake("Your goal is beta / 2.", "1 / (2 * beta): a small beta is a long leash. Mind the brackets.")
def goal_inverted(chosen, rejected, ref_chosen, ref_rejected, beta):
    return ((_difference(chosen, rejected, ref_chosen, ref_rejected) - 1 / 2 * beta) ** 2).mean()


@mistake("You left out the reference model.", "What counts is how far each has moved from it.")
def no_reference(chosen, rejected, ref_chosen, ref_rejected, beta):
    return ((chosen - rejected - 1 / (2 * beta)) ** 2).mean()


@mistake("You swapped chosen and rejected.", "The chosen one is to become the likelier.")
def swapped(chosen, rejected, ref_chosen, ref_rejected, beta):
    return ipo_loss(rejected, chosen, ref_rejected, ref_chosen, beta)


@mistake("You took the distance, not its square.", "The square pulls the more, the further away the difference is.")
def absolute(chosen, rejected, ref_chosen, ref_rejected, beta):
    return (_difference(chosen, rejected, ref_chosen, ref_rejected) - 1 / (2 * beta)).abs().mean()


@mistake("You left out the goal.", "Without it the policy is drawn to where it started.")
def no_goal(chosen, rejected, ref_chosen, ref_rejected, beta):
    return (_difference(chosen, rejected, ref_chosen, ref_rejected) ** 2).mean()


@mistake("You multiplied the difference by beta.", "beta is in the goal, and only there.")
def beta_twice(chosen, rejected, ref_chosen, ref_rejected, beta):
    return ((beta * _difference(chosen, rejected, ref_chosen, ref_rejected) - 1 / (2 * beta)) ** 2).mean()


@mistake(
    "You stop where the goal is reached, and forgive what lies beyond.",
    "Too far costs as much as too little: that is the point of IPO.",
)
def one_sided(chosen, rejected, ref_chosen, ref_rejected, beta):
    missing = 1 / (2 * beta) - _difference(chosen, rejected, ref_chosen, ref_rejected)
    return (missing.clamp(min=0) ** 2).mean()


@mistake("That is the sum over pairs.", "Average: the step should not grow with the batch.")
def summed(chosen, rejected, ref_chosen, ref_rejected, beta):
    return ((_difference(chosen, rejected, ref_chosen, ref_rejected) - 1 / (2 * beta)) ** 2).sum()


EXERCISE = Exercise(
    reference=ipo_loss,
    title="the loss of IPO",
    question="""
        DPO is never content: where one text always beat another, it pushes them apart without end. IPO gives the
        difference of the log-ratios a goal, 1 / (2 beta), and punishes missing it on either side. Write it.
    """,
    difficulty=1,
    minutes=5,
    hints=(
        "The difference is that of DPO, without beta. How far is it from the goal?",
        "The mean square of `difference - 1 / (2 * beta)`, where `difference` is"
        " `(chosen - ref_chosen) - (rejected - ref_rejected)`.",
    ),
    cases=cases,
    draw=draw,
    mistakes=(
        dpo,
        goal_doubled,
        goal_inverted,
        no_reference,
        swapped,
        absolute,
        no_goal,
        beta_twice,
        one_sided,
        summed,
    ),
    gradients=("chosen", "rejected"),
)
