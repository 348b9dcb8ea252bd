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


@mistake("Your goal is beta / 2.", "It is 1 / (2 * beta), with brackets: a small beta lets the policy move far.")
def goal_inverted(chosen, rejected, ref_chosen, ref_rejected, beta):
    return ((_difference(chosen, rejected, ref_chosen, ref_rejected) - 1 / 2 * beta) ** 2).mean()


@mistake("You left out the reference model.", "What counts is how far each has moved from it.")
def no_reference(chosen, rejected, ref_chosen, ref_rejected, beta):
    return ((chosen - rejected - 1 / (2 * beta)) ** 2).mean()


@mistake(
    "You swapped chosen and rejected, or the goal has the wrong sign.",
    "The chosen one should become likelier, and the rejected one less likely.",
)
def swapped(chosen, rejected, ref_chosen, ref_rejected, beta):
    return ipo_loss(rejected, chosen, ref_rejected, ref_chosen, beta)


@mistake(
    "You took the distance, not its square.", "The further the difference is from its goal, the harder a square pulls."
)
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


@mistake(
    "You averaged over the pairs before the square.",
    "A pair that is too far and one that is not far enough would make up for each other. First square, then average.",
)
def mean_inside(chosen, rejected, ref_chosen, ref_rejected, beta):
    return (_difference(chosen, rejected, ref_chosen, ref_rejected).mean() - 1 / (2 * beta)) ** 2


@mistake(
    "Your loss is beta squared times that of IPO.",
    "The best place is the same, but the loss is smaller, and so are its steps: beta is in the goal only.",
)
def scaled(chosen, rejected, ref_chosen, ref_rejected, beta):
    return ((beta * _difference(chosen, rejected, ref_chosen, ref_rejected) - 0.5) ** 2).mean()


@mistake("You halved the loss.", "It is the mean square itself. The one half is in the goal.")
def halved(chosen, rejected, ref_chosen, ref_rejected, beta):
    return 0.5 * ((_difference(chosen, rejected, ref_chosen, ref_rejected) - 1 / (2 * beta)) ** 2).mean()


@mistake("No gradient reaches the rejected completion.", "The policy moves both: one up *and* the other down.")
def rejected_detached(chosen, rejected, ref_chosen, ref_rejected, beta):
    return ipo_loss(chosen, rejected.detach(), ref_chosen, ref_rejected, beta)


EXERCISE = Exercise(
    reference=ipo_loss,
    title="the loss of IPO",
    question="""
        Where one text always beats another, DPO pushes the two apart without end. IPO gives the difference of the
        log-ratios a goal, 1 / (2 beta). The loss is the squared distance to it, on either side. Write it.
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
        mean_inside,
        scaled,
        halved,
        rejected_detached,
    ),
    gradients=("chosen", "rejected"),
)
