"""Exercise of notebook 02: agreement beyond chance."""

import torch
import torch.nn.functional as F
from torch import Tensor

from rlhf_lab.exercises.drawing import size, whole
from rlhf_lab.exercises.framework import Case, Exercise, mistake


def cohens_kappa(first: Tensor, second: Tensor, labels: int) -> Tensor:
    """Agreement of two raters beyond chance (Cohen 1960): 1 is perfect, 0 what chance would give.

    first, second: (N,) whole numbers from 0 to labels - 1, what each rater said of the same N items. Some labels may
    not occur. Returns a scalar.
    """
    agreement = (first == second).float().mean()
    shares_first = F.one_hot(first, labels).float().mean(0)  # (labels,): how often each label was used
    shares_second = F.one_hot(second, labels).float().mean(0)
    by_chance = (shares_first * shares_second).sum()  # both pick the same label, each by their own habits
    return (agreement - by_chance) / (1 - by_chance)


def cases():
    yield Case("four items, three agreed", (torch.tensor([0, 0, 1, 1]), torch.tensor([0, 0, 1, 0]), 2))
    yield Case("two who mostly say 0", (torch.tensor([0, 0, 0, 0, 1]), torch.tensor([0, 0, 0, 1, 0]), 2))
    yield Case("perfect", (torch.tensor([0, 1, 2]), torch.tensor([0, 1, 2]), 3))
    yield Case("always the opposite", (torch.tensor([0, 1, 0, 1]), torch.tensor([1, 0, 1, 0]), 2))
    yield Case("one rater never uses label 2", (torch.tensor([0, 1, 2, 0]), torch.tensor([0, 1, 1, 0]), 3))
    yield Case("one rater says nothing but 0", (torch.tensor([0, 1, 0, 1]), torch.tensor([0, 0, 0, 0]), 2))
    yield Case("three labels, one never used", (torch.tensor([0, 1, 1, 0, 1]), torch.tensor([0, 1, 0, 0, 1]), 3))


def draw(generator):
    n, labels = size(generator, 6, 15), size(generator, 2, 4)
    first = whole(generator, 0, labels - 1, n)
    second = torch.where(torch.rand(n, generator=generator) < 0.6, first, whole(generator, 0, labels - 1, n))
    first[0], second[0], first[1] = 0, 1, 1  # so that chance alone is never perfect
    return first, second, labels


def _shares(x, labels):
    return F.one_hot(x, labels).float().mean(0)


def _kappa(first, second, by_chance):
    return ((first == second).float().mean() - by_chance) / (1 - by_chance)


@mistake(
    "That is the bare agreement.",
    "Two raters who say 0 nine times out of ten agree often without looking. Subtract what chance would give.",
)
def agreement_only(first, second, labels):
    return (first == second).float().mean()


@mistake(
    "You took chance to be one in so many labels.",
    "It is, for raters who use all labels alike. These have habits: count how often each uses each label.",
)
def uniform_chance(first, second, labels):
    return _kappa(first, second, 1 / labels)


@mistake(
    "You pooled the habits of the two raters.",
    "That is Scott's pi. Cohen's chance is of two people with habits of their own: the product of their shares.",
)
def pooled(first, second, labels):
    return _kappa(first, second, (((_shares(first, labels) + _shares(second, labels)) / 2) ** 2).sum())


@mistake(
    "You did not divide by what is left above chance.", "Perfect agreement must come out as 1: divide by 1 - chance."
)
def not_scaled(first, second, labels):
    return (first == second).float().mean() - (_shares(first, labels) * _shares(second, labels)).sum()


@mistake("You took both habits from one rater.", "Each rater has shares of their own.")
def one_rater(first, second, labels):
    return _kappa(first, second, (_shares(first, labels) ** 2).sum())


@mistake("You divided by the chance instead of by what chance leaves.", "The denominator is 1 - chance.")
def divided_by_chance(first, second, labels):
    by_chance = (_shares(first, labels) * _shares(second, labels)).sum()
    return ((first == second).float().mean() - by_chance) / by_chance


@mistake("You used the disagreement.", "Agreement is where the two are equal.")
def disagreement(first, second, labels):
    by_chance = (_shares(first, labels) * _shares(second, labels)).sum()
    return ((first != second).float().mean() - by_chance) / (1 - by_chance)


@mistake("That is the agreement by chance alone.", "Compare the agreement that there is with it.")
def chance_only(first, second, labels):
    return (_shares(first, labels) * _shares(second, labels)).sum()


@mistake(
    "Your chance knows two labels only.",
    "The mean of the numbers is the share of label 1 where there are just 0 and 1. Count the share of *each* label.",
)
def two_labels_only(first, second, labels):
    ones_first, ones_second = first.float().mean(), second.float().mean()
    return _kappa(first, second, ones_first * ones_second + (1 - ones_first) * (1 - ones_second))


@mistake(
    "You summed the shares over the labels before you multiplied.",
    "Shares add up to 1, so chance came out as 1. Multiply label by label, then sum.",
)
def summed_first(first, second, labels):
    return _kappa(first, second, _shares(first, labels).sum() * _shares(second, labels).sum())


EXERCISE = Exercise(
    reference=cohens_kappa,
    title="agreement beyond chance",
    question="""
        Two raters labelled the same items. They agree on 80 of 100. Is that much? If both call 85 of 100 harmless,
        chance alone gives 0.85 · 0.85 + 0.15 · 0.15, about 74 of 100. Write Cohen's kappa, the formula above, for any
        number of labels.
    """,
    difficulty=2,
    minutes=10,
    hints=(
        "Chance: the first rater says 0 with a certain share, the second with another one. How often do both, if"
        " neither looks at the item? And so for every label.",
        "`F.one_hot(first, labels).float().mean(0)` are the shares of the first rater. Multiply with those of the"
        " second, and sum.",
    ),
    cases=cases,
    draw=draw,
    mistakes=(
        agreement_only,
        uniform_chance,
        pooled,
        not_scaled,
        one_rater,
        divided_by_chance,
        disagreement,
        chance_only,
        two_labels_only,
        summed_first,
    ),
)
