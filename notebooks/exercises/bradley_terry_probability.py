"""Exercise of notebook 00: how likely A is to be preferred to B."""

import torch
from torch import Tensor

from rlhf_lab.exercises.drawing import normal, size
from rlhf_lab.exercises.framework import Case, Exercise, mistake


def bradley_terry_probability(reward_a: Tensor, reward_b: Tensor) -> Tensor:
    """Probability that A is preferred to B (Bradley and Terry 1952), for each of N pairs.

    reward_a, reward_b: (N,), of any size. Returns (N,) between 0 and 1, with a gradient that is never NaN.
    """
    return torch.sigmoid(reward_a - reward_b)  # safe for any difference; exp(a) / (exp(a) + exp(b)) is not


def cases():
    yield Case("A is a little better", (torch.tensor([1.0]), torch.tensor([0.0])))
    yield Case("both the same", (torch.tensor([2.0]), torch.tensor([2.0])))
    yield Case("three pairs", (torch.tensor([0.5, -1.0, 3.0]), torch.tensor([1.5, -2.0, -1.0])))
    yield Case("large rewards, close to each other", (torch.tensor([1000.0]), torch.tensor([999.0])))
    yield Case("rewards far apart", (torch.tensor([500.0, -500.0]), torch.tensor([-500.0, 500.0])))


def draw(generator):
    n = size(generator, 2, 6)
    return normal(generator, n, scale=2), normal(generator, n, scale=2)


@mistake("That is the probability that B is preferred.", "The better A, the larger it should be: r(A) - r(B).")
def swapped(reward_a, reward_b):
    return torch.sigmoid(reward_b - reward_a)


@mistake(
    "Exponentials of large rewards are infinite, and infinity by infinity is not a number.",
    "The formula is right, the arithmetic is not. Divide by exp(r(A)) above and below the line, and only the"
    " difference is left.",
)
def overflow(reward_a, reward_b):
    return reward_a.exp() / (reward_a.exp() + reward_b.exp())


@mistake(
    "You divided the rewards themselves.",
    "Rewards may be negative or zero, and only their difference means anything. Bradley and Terry's share is one of"
    " exponentials.",
)
def share_of_rewards(reward_a, reward_b):
    return reward_a / (reward_a + reward_b)


@mistake("You returned the difference of the rewards, not a probability.", "Put it through the sigmoid.")
def no_sigmoid(reward_a, reward_b):
    return reward_a - reward_b


@mistake(
    "You added the rewards. It is their difference that counts.",
    "Add the same number to both rewards, and nothing must change.",
)
def added(reward_a, reward_b):
    return torch.sigmoid(reward_a + reward_b)


@mistake("You looked only at A's reward.", "A reward says nothing by itself: a good text may meet a better one.")
def only_a(reward_a, reward_b):
    return torch.sigmoid(reward_a)


@mistake("That is the logarithm of the probability.", "Leave out the log: logsigmoid is for the loss.")
def logarithm(reward_a, reward_b):
    return torch.nn.functional.logsigmoid(reward_a - reward_b)


@mistake("You say who wins, not how likely.", "People are not certain: 1 or 0 only in the limit of a large difference.")
def hard(reward_a, reward_b):
    return ((reward_a > reward_b).to(reward_a.dtype) + (reward_a >= reward_b)) / 2


@mistake("You took sigmoids first and the difference afterwards.", "First the difference, then one sigmoid.")
def difference_of_sigmoids(reward_a, reward_b):
    return torch.sigmoid(reward_a) - torch.sigmoid(reward_b)


@mistake("Those are the odds, not the probability.", "Odds of o to one are a probability of o / (o + 1).")
def odds(reward_a, reward_b):
    return (reward_a - reward_b).exp()


@mistake(
    "You compared the texts of different pairs: a softmax over the batch.",
    "A competes only with the B of its own pair. Of the two rewards of a pair, the difference decides.",
)
def softmax_of_batch(reward_a, reward_b):
    return reward_a.softmax(0)


EXERCISE = Exercise(
    reference=bradley_terry_probability,
    title="who is preferred, and how surely?",
    question="""
        Section 3 gives the odds of A against B. Turn them into the probability that A is preferred, for many pairs at
        once. It must stay a probability however large the rewards are ($e^{1000}$ is infinite for a computer), and
        its gradient must stay a number.
    """,
    difficulty=1,
    minutes=5,
    hints=(
        "Only the difference of the two rewards matters, and one function of torch turns it into a probability.",
        "`torch.sigmoid(x)` is $1 / (1 + e^{-x})$, computed so that no size of $x$ breaks it. Which difference must be"
        " large when A is better?",
    ),
    cases=cases,
    draw=draw,
    mistakes=(
        swapped,
        overflow,
        share_of_rewards,
        no_sigmoid,
        added,
        only_a,
        logarithm,
        hard,
        difference_of_sigmoids,
        odds,
        softmax_of_batch,
    ),
    gradients=("reward_a", "reward_b"),
)
