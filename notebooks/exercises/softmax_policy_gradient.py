"""Exercise of notebook 06: the gradient of the expected reward, exactly, where there are only a few actions."""

import torch
from torch import Tensor

from rlhf_lab.exercises.drawing import normal, size
from rlhf_lab.exercises.framework import Case, Exercise, mistake


def softmax_policy_gradient(logits: Tensor, rewards: Tensor) -> Tensor:
    """Exact gradient of the expected reward of a bandit, by the logits of its softmax policy.

    logits: (A,), one for each arm; the policy is their softmax. rewards: (A,), what each arm pays on average.
    Returns (A,): dJ / dlogits, where J is the sum over arms of probability times reward.
    """
    policy = torch.softmax(logits, 0)  # (A,)
    expected = (policy * rewards).sum()  # J, a scalar
    return policy * (rewards - expected)


def cases():
    yield Case("two arms, as likely", (torch.tensor([0.0, 0.0]), torch.tensor([1.0, 0.0])))
    yield Case("three arms", (torch.tensor([1.0, 0.0, -1.0]), torch.tensor([0.0, 2.0, 1.0])))
    yield Case("all arms pay the same", (torch.tensor([1.0, 0.0, 0.5]), torch.tensor([2.0, 2.0, 2.0])))
    yield Case("one arm has nearly all the probability", (torch.tensor([9.0, 0.0, 0.0]), torch.tensor([0.0, 1.0, 3.0])))
    yield Case("all rewards are below zero", (torch.tensor([0.5, 0.0]), torch.tensor([-1.0, -4.0])))
    yield Case("very large logits", (torch.tensor([200.0, 199.0]), torch.tensor([0.0, 1.0])))


def draw(generator):
    arms = size(generator, 3, 6)
    return normal(generator, arms), normal(generator, arms, scale=2) + 1


@mistake(
    "You left out what all arms pay together.",
    "One arm can only gain probability that the others lose: softmax divides by the sum. So an arm is pushed up by"
    " how much it pays *more than the average*, and the gradients add up to zero.",
)
def no_average(logits, rewards):
    return torch.softmax(logits, 0) * rewards


@mistake(
    "You left out the probability in front.",
    "An arm that is hardly ever pulled contributes hardly anything to J, and its logit hardly moves it.",
)
def no_probability(logits, rewards):
    return rewards - (torch.softmax(logits, 0) * rewards).sum()


@mistake(
    "You compared with the plain mean of the rewards.",
    "What is to be expected depends on how often each arm is pulled: weigh the rewards by the policy.",
)
def plain_mean(logits, rewards):
    return torch.softmax(logits, 0) * (rewards - rewards.mean())


@mistake(
    "You took the diagonal of the Jacobian only.",
    "p (1 - p) is how an arm's probability follows its *own* logit. But the other arms' probabilities follow it, too.",
)
def only_the_diagonal(logits, rewards):
    policy = torch.softmax(logits, 0)
    return policy * (1 - policy) * rewards


@mistake("The sign is wrong.", "It is the gradient of what we want to have *more* of. Minus is for losses.")
def wrong_sign(logits, rewards):
    policy = torch.softmax(logits, 0)
    return policy * ((policy * rewards).sum() - rewards)


@mistake(
    "That is the gradient by the probabilities.",
    "J is linear in the probabilities, so there it is the rewards. But it is the logits that are turned.",
)
def by_the_probabilities(logits, rewards):
    return rewards.clone()


@mistake("You used the logits as if they were probabilities.", "Put them through a softmax first.")
def no_softmax(logits, rewards):
    return logits * (rewards - (logits * rewards).sum())


@mistake("That is J, not its gradient.", "One number is wanted for each logit: how J moves with it.")
def the_expectation(logits, rewards):
    return (torch.softmax(logits, 0) * rewards).sum()


EXERCISE = Exercise(
    reference=softmax_policy_gradient,
    title="the exact gradient of a bandit",
    question="""
        A bandit with $A$ arms and a softmax policy $\\pi$: here $J = \\sum_a \\pi_a r_a$ can be computed, and so can
        its gradient, with no sampling at all. Write it. By hand if you can: the formula is short, and says a lot. (With
        `torch.autograd`, work on `logits.detach().clone()`, so that the logits stay as they are.)
    """,
    difficulty=2,
    minutes=10,
    hints=(
        "How does the probability of arm b follow the logit of arm a? $\\partial \\pi_b / \\partial \\theta_a = \\pi_b"
        " (1[a = b] - \\pi_a)$. Multiply by $r_b$ and add up over b.",
        "The two terms of that sum are $\\pi_a r_a$ and $\\pi_a J$. Take $\\pi_a$ out. `torch.softmax(logits, 0)` is"
        " the policy.",
    ),
    cases=cases,
    draw=draw,
    mistakes=(
        no_average,
        no_probability,
        plain_mean,
        only_the_diagonal,
        wrong_sign,
        by_the_probabilities,
        no_softmax,
        the_expectation,
    ),
)
