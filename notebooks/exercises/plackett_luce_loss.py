"""Exercise of notebook 03: the loss of a ranking."""

import torch
import torch.nn.functional as F
from torch import Tensor

from rlhf_lab.exercises.drawing import normal, size
from rlhf_lab.exercises.framework import Case, Exercise, mistake


def plackett_luce_loss(scores: Tensor) -> Tensor:
    """How surprising rankings are to a reward model, in nats a ranking, on average (Plackett 1975, Luce 1959).

    scores: (N, M), the rewards of the M completions of each of N rankings, in the order of the ranking: column 0 was
    ranked best, column M - 1 worst. Returns a scalar.
    """
    still_there = scores.flip(1).logcumsumexp(1).flip(1)  # (N, M): log of the sum of exp over this one and all below
    return (still_there - scores).sum(1).mean()


def cases():
    yield Case("one ranking of three, as the model would rank them", (torch.tensor([[2.0, 1.0, -1.0]]),))
    yield Case("two texts: Bradley and Terry", (torch.tensor([[1.0, 0.0]]),))
    yield Case("two rankings", (torch.tensor([[1.0, 0.0, 0.5, -1.0], [0.0, 0.25, 2.0, 1.0]]),))
    yield Case("all the same", (torch.zeros(1, 4),))
    yield Case("the wrong way round, and far apart", (torch.tensor([[-300.0, 0.0, 300.0]]),))


def draw(generator):
    return (normal(generator, size(generator, 1, 4), size(generator, 3, 5), scale=2),)


def _choices(scores):
    """What choosing each from itself and all below it costs, (N, M)."""
    return scores.flip(1).logcumsumexp(1).flip(1) - scores


@mistake(
    "Your ranking is upside down.",
    "The first column is the best one: it is chosen from all. Upside down the model learns the opposite taste.",
)
def upside_down(scores):
    return _choices(scores.flip(1)).sum(1).mean()


@mistake(
    "You only counted who is best.",
    "That is the first choice. The second is then chosen from those that are left, and says something too.",
)
def best_only(scores):
    return _choices(scores)[:, 0].mean()


@mistake(
    "You chose each from all of them.",
    "What has its place already is no longer there to be chosen: the rivals are those below.",
)
def from_all(scores):
    return (scores.logsumexp(1, keepdim=True) - scores).sum(1).mean()


@mistake(
    "You left out the one that is chosen.",
    "It is among those it is chosen from. Without it, e^score over the sum is no probability.",
)
def without_itself(scores):
    return (scores.flip(1).logcumsumexp(1).flip(1)[:, 1:] - scores[:, :-1]).sum(1).mean()


@mistake(
    "You compared neighbours only.",
    "That the first is better than the second and the second better than the third is two choices between two."
    " Here the first is a choice among all.",
)
def neighbours(scores):
    return -F.logsigmoid(scores[:, :-1] - scores[:, 1:]).sum(1).mean()


@mistake(
    "You added up all pairs, as if each had been asked by itself.",
    "Pairs of one ranking are not independent. If A beat B and B beat C, then A against C is no new answer; this"
    " loss would count it in full.",
)
def all_pairs(scores):
    size = scores.shape[1]
    losses = [-F.logsigmoid(scores[:, i] - scores[:, j]) for i in range(size) for j in range(i + 1, size)]
    return torch.stack(losses).sum(0).mean()


@mistake(
    "You averaged over the places.",
    "The probability of a ranking is a product over its choices, so their losses add up. The mean is over rankings.",
)
def mean_of_places(scores):
    return _choices(scores).mean()


@mistake("That is the sum over rankings.", "Average: the learning rate should not depend on the size of the batch.")
def summed(scores):
    return _choices(scores).sum()


@mistake(
    "You took the logarithm of a sum of exponentials.",
    "e^300 is infinite for float32, and its share of the sum is then 0 or nothing at all. logsumexp and logcumsumexp"
    " subtract the largest first.",
)
def exponentials(scores):
    rest = scores.exp().flip(1).cumsum(1).flip(1)
    return -(scores.exp() / rest).log().sum(1).mean()


@mistake(
    "You averaged over all pairs of the ranking.",
    "That is InstructGPT's loss for rankings (Ouyang et al. 2022). It takes a ranking apart into pairs, as if each had"
    " been asked by itself. Plackett and Luce's model is a row of choices, each from what is left.",
)
def mean_of_pairs(scores):
    first, second = torch.triu_indices(scores.shape[1], scores.shape[1], offset=1)
    return -F.logsigmoid(scores[:, first] - scores[:, second]).mean()


EXERCISE = Exercise(
    reference=plackett_luce_loss,
    title="the loss of a ranking",
    question="""
        A rater put M completions in order. Plackett and Luce see a row of choices in it: the best is chosen from all,
        the next from those that are left, and so on. Each time, the chance of a completion is in proportion to
        $e^{\\text{score}}$ among those that are still there. The probability of the ranking is the product. Write minus
        its logarithm, averaged over rankings. What do you get with two completions?
    """,
    difficulty=3,
    minutes=15,
    hints=(
        "The choice at place i costs the logsumexp over columns i, i + 1, ..., less the score in column i. A loop over"
        " the places is fine.",
        "`scores[:, i:].logsumexp(1) - scores[:, i]`, summed over i, then averaged over the rankings. All places at"
        " once: `logcumsumexp` sums from the left, so flip before and after.",
    ),
    cases=cases,
    draw=draw,
    mistakes=(
        upside_down,
        best_only,
        from_all,
        without_itself,
        neighbours,
        all_pairs,
        mean_of_places,
        summed,
        mean_of_pairs,
        exponentials,
    ),
    gradients=("scores",),
)
