"""Exercise of notebook 05: how far best-of-n is from the policy that it picks from."""

import torch
from torch import Tensor

from rlhf_lab.exercises.drawing import size, whole
from rlhf_lab.exercises.framework import Case, Exercise, mistake


def best_of_n_kl(n: Tensor) -> Tensor:
    """KL(best-of-n || policy) in nats, for rewards without ties.

    n: (K,) numbers of samples that one is picked from, 1 or more, as floats. Returns (K,).
    """
    return n.log() - (n - 1) / n


def cases():
    yield Case("one of one: nothing was picked", (torch.tensor([1.0]),))
    yield Case("the better of two", (torch.tensor([2.0]),))
    yield Case("1, 4 and 64", (torch.tensor([1.0, 4.0, 64.0]),))


def draw(generator):
    return (whole(generator, 1, 200, size(generator, 1, 6)).float(),)


@mistake(
    "You left out the second term.",
    "log n would be right if every pick were the best text that there is. F is below 1, and the mean of its"
    " logarithm takes (n - 1)/n off.",
)
def only_log(n):
    return n.log()


@mistake("You added the second term.", "The mean of log F is negative, because F is below 1. At n = 1 nothing shows.")
def added(n):
    return n.log() + (n - 1) / n


@mistake(
    "That is KL the other way round, from the policy to best-of-n.",
    "There the mean of log F is taken over the policy's own samples, where F is uniform and the mean -1. Here it"
    " is taken over what best-of-n writes. That one grows like n, and ours like log n.",
)
def reverse(n):
    return n - 1 - n.log()


@mistake("Your result is in bits.", "The logarithm to base 2 gives bits; KL is measured in nats, with the natural one.")
def bits(n):
    return n.log2() - (n - 1) / n


@mistake("Your logarithm is to base 10.", "KL is measured in nats: `torch.log`, the natural one.")
def base_ten(n):
    return n.log10() - (n - 1) / n


@mistake(
    "You subtracted 1, whatever n is.", "(n - 1)/n comes close to 1 for large n. For n = 1 it is 0, and so must KL be."
)
def minus_one(n):
    return n.log() - 1


@mistake("You subtracted 1/n.", "The mean of log F is -1/n, but the density ratio has F to the power n - 1.")
def one_over_n(n):
    return n.log() - 1 / n


@mistake("The sign is wrong.", "A KL is never below zero.")
def wrong_sign(n):
    return (n - 1) / n - n.log()


@mistake(
    "Your fraction is upside down.",
    "The mean of log F is -1/n, and there are n - 1 of it: (n - 1)/n. At n = 1 it must be zero.",
)
def upside_down(n):
    return n.log() - n / (n - 1)


EXERCISE = Exercise(
    reference=best_of_n_kl,
    title="the price of picking",
    question=r"""
        A sample that beats a share $F$ of the policy's texts is $n F^{n-1}$ times as likely under best-of-n. So
        $\mathrm{KL} = \mathbb{E}[\log n + (n-1) \log F]$ over what best-of-n writes. There $F$ is the largest of $n$
        uniform numbers, and the mean of its logarithm is $-1/n$. Write KL as a function of $n$.
    """,
    difficulty=1,
    minutes=5,
    hints=(
        "Only the mean of `log F` is missing, and the text gives it. What is it multiplied by?",
        "log n is a constant; (n - 1) times -1/n is `-(n - 1) / n`. At n = 1 the result must be 0.",
    ),
    cases=cases,
    draw=draw,
    mistakes=(only_log, added, reverse, bits, base_ten, minus_one, one_over_n, wrong_sign, upside_down),
)
