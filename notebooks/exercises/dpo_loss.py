"""Exercise of notebook 10: direct preference optimisation."""

import torch
import torch.nn.functional as F
from torch import Tensor

from rlhf_lab.exercises.drawing import normal, size
from rlhf_lab.exercises.framework import Case, Exercise, mistake


def dpo_loss(chosen: Tensor, rejected: Tensor, ref_chosen: Tensor, ref_rejected: Tensor, beta: float) -> Tensor:
    """Loss of DPO (Rafailov et al. 2023, equation 7), averaged over pairs.

    chosen, rejected: (B,), log-probability of each whole completion (summed over its tokens) under the policy;
    ref_chosen, ref_rejected: (B,), under the reference model, which learns nothing. beta: the price of KL. Scalar.
    """
    moved_chosen = chosen - ref_chosen  # how much likelier the policy has made it
    moved_rejected = rejected - ref_rejected
    return -F.logsigmoid(beta * (moved_chosen - moved_rejected)).mean()


def _case(title, *numbers, beta):
    return Case(title, (*(torch.tensor([x]) for x in numbers), beta))


def cases():
    yield _case("nothing has moved yet", -3.0, -2.0, -3.0, -2.0, beta=0.5)
    yield _case("the chosen one has become likelier", -2.0, -2.0, -3.0, -2.0, beta=0.5)
    yield Case(
        "two pairs, one has moved the wrong way",
        (
            torch.tensor([-4.0, -9.0]),
            torch.tensor([-6.0, -3.0]),
            torch.tensor([-5.0, -7.0]),
            torch.tensor([-5.5, -6.0]),
            0.1,
        ),
    )
    yield _case("moved very far", -900.0, -10.0, -10.0, -900.0, beta=1.0)


def draw(generator):
    n = size(generator, 2, 6)
    reference = -normal(generator, 2, n, scale=5).abs() - 1
    policy = reference + normal(generator, 2, n, scale=3)
    return policy[0], policy[1], reference[0], reference[1], 0.1 * size(generator, 1, 5)


@mistake("You swapped chosen and rejected.", "The loss must fall when the chosen one becomes likelier.")
def swapped(chosen, rejected, ref_chosen, ref_rejected, beta):
    return dpo_loss(rejected, chosen, ref_rejected, ref_chosen, beta)


@mistake(
    "You left out the reference model.",
    "What counts is how far each has *moved* from it. Without it, a text that was likely before has won already.",
)
def no_reference(chosen, rejected, ref_chosen, ref_rejected, beta):
    return -F.logsigmoid(beta * (chosen - rejected)).mean()


@mistake("The sign of the reference is wrong.", "Policy less reference: a reference that also prefers it takes away.")
def reference_added(chosen, rejected, ref_chosen, ref_rejected, beta):
    return -F.logsigmoid(beta * (chosen - rejected + ref_chosen - ref_rejected)).mean()


@mistake(
    "You multiplied by beta outside of the logarithm.",
    "beta belongs inside, to the log-ratios: it says how far they must move until a choice is explained.",
)
def beta_outside(chosen, rejected, ref_chosen, ref_rejected, beta):
    return -beta * F.logsigmoid(chosen - ref_chosen - rejected + ref_rejected).mean()


@mistake("You left out beta.", "beta sets how far the policy may move from the reference.")
def no_beta(chosen, rejected, ref_chosen, ref_rejected, beta):
    return -F.logsigmoid(chosen - ref_chosen - rejected + ref_rejected).mean()


@mistake("The sign of the loss is wrong.", "It is minus the log-likelihood of the choices, at least 0.")
def wrong_sign(chosen, rejected, ref_chosen, ref_rejected, beta):
    return -dpo_loss(chosen, rejected, ref_chosen, ref_rejected, beta)


@mistake(
    "You took the logarithm of a sigmoid.",
    "Far on the wrong side the sigmoid rounds to 0, and its logarithm is minus infinity: F.logsigmoid.",
)
def log_of_sigmoid(chosen, rejected, ref_chosen, ref_rejected, beta):
    return -torch.sigmoid(beta * (chosen - ref_chosen - rejected + ref_rejected)).log().mean()


@mistake("That is the sum over pairs.", "Average: the step should not grow with the batch.")
def summed(chosen, rejected, ref_chosen, ref_rejected, beta):
    return -F.logsigmoid(beta * (chosen - ref_chosen - rejected + ref_rejected)).sum()


@mistake("You divided by beta.", "The reward is beta *times* the log-ratio: with a small beta the policy moves far.")
def divided_by_beta(chosen, rejected, ref_chosen, ref_rejected, beta):
    return -F.logsigmoid((chosen - ref_chosen - rejected + ref_rejected) / beta).mean()


@mistake("You forgot the logarithm.", "The loss is minus the *log*-probability of the choice.")
def no_log(chosen, rejected, ref_chosen, ref_rejected, beta):
    return -torch.sigmoid(beta * (chosen - ref_chosen - rejected + ref_rejected)).mean()


@mistake("No gradient reaches the rejected completion.", "DPO pushes one up *and* the other down.")
def rejected_detached(chosen, rejected, ref_chosen, ref_rejected, beta):
    return dpo_loss(chosen, rejected.detach(), ref_chosen, ref_rejected, beta)


@mistake(
    "You averaged over the pairs before the logarithm.",
    "Each pair has a probability of its own: first -log sigmoid of each, then the mean.",
)
def mean_inside(chosen, rejected, ref_chosen, ref_rejected, beta):
    return -F.logsigmoid(beta * (chosen - ref_chosen - rejected + ref_rejected).mean())


@mistake(
    "You trained both completions by themselves.",
    "Nobody said that one is good and the other bad, only which is better. Only their difference counts.",
)
def each_alone(chosen, rejected, ref_chosen, ref_rejected, beta):
    return -(F.logsigmoid(beta * (chosen - ref_chosen)) + F.logsigmoid(-beta * (rejected - ref_rejected))).mean()


@mistake("You left out the rejected completion.", "A pair has two sides: the chosen one must gain on the rejected one.")
def chosen_only(chosen, rejected, ref_chosen, ref_rejected, beta):
    return -F.logsigmoid(beta * (chosen - ref_chosen)).mean() + 0 * rejected.sum()


@mistake("That is IPO.", "IPO draws the difference of the log-ratios to a goal. DPO takes -log sigmoid of it.")
def ipo(chosen, rejected, ref_chosen, ref_rejected, beta):
    return ((chosen - ref_chosen - rejected + ref_rejected - 1 / (2 * beta)) ** 2).mean()


@mistake(
    "You used a hinge: no loss beyond a margin of 1.", "Minus the log-probability of the choice, smooth everywhere."
)
def hinge(chosen, rejected, ref_chosen, ref_rejected, beta):
    return (1 - beta * (chosen - ref_chosen - rejected + ref_rejected)).clamp(min=0).mean()


EXERCISE = Exercise(
    reference=dpo_loss,
    title="the loss of DPO",
    question="""
        DPO needs no reward model. The policy's log-ratio to the reference model, times beta, *is* the reward, up to
        something that cancels in a pair. Put it into Bradley and Terry's loss. (Log-probabilities are summed over a
        completion. Averaging over its tokens gives another algorithm.)
    """,
    difficulty=2,
    minutes=10,
    hints=(
        "How far has the policy moved each completion from the reference? The reward of each is beta times that. Then"
        " it is the loss of a reward model.",
        "`beta * ((chosen - ref_chosen) - (rejected - ref_rejected))` through `F.logsigmoid`, the mean, and minus.",
    ),
    cases=cases,
    draw=draw,
    mistakes=(
        swapped,
        no_reference,
        reference_added,
        beta_outside,
        no_beta,
        wrong_sign,
        log_of_sigmoid,
        summed,
        divided_by_beta,
        no_log,
        rejected_detached,
        mean_inside,
        each_alone,
        chosen_only,
        ipo,
        hinge,
    ),
    gradients=("chosen", "rejected"),
)
