"""Exercise of notebook 03: comparisons that may end in a tie."""

import torch
from torch import Tensor

from rlhf_lab.exercises.drawing import normal, size
from rlhf_lab.exercises.framework import Case, Exercise, mistake


def rao_kupper_probabilities(reward_a: Tensor, reward_b: Tensor, threshold: Tensor) -> Tensor:
    """Chances of the three answers to a comparison that may be a tie (Rao and Kupper 1967).

    reward_a, reward_b: (N,). threshold: a scalar, at least 0: how much must be felt between two texts before one of
    them is called better. Returns (N, 3): A is better, a tie, B is better.
    """
    difference = reward_a - reward_b
    a_wins = torch.sigmoid(difference - threshold)  # A must be felt to be better, and by more than the threshold
    b_wins = torch.sigmoid(-difference - threshold)
    return torch.stack([a_wins, 1 - a_wins - b_wins, b_wins], dim=1)


def cases():
    yield Case("one pair, A the better", (torch.tensor([1.0]), torch.tensor([0.0]), torch.tensor(0.5)))
    yield Case("no threshold: Bradley and Terry", (torch.tensor([0.5]), torch.tensor([-0.5]), torch.tensor(0.0)))
    yield Case("equally good", (torch.tensor([2.0, -1.0]), torch.tensor([2.0, -1.0]), torch.tensor(1.0)))
    yield Case("three pairs", (torch.tensor([1.0, 0.0, -2.0]), torch.tensor([0.0, 1.5, 0.5]), torch.tensor(0.75)))
    yield Case("far apart", (torch.tensor([300.0, -300.0]), torch.tensor([-300.0, 300.0]), torch.tensor(1.0)))


def draw(generator):
    n = size(generator, 2, 6)
    return normal(generator, n), normal(generator, n), normal(generator, 1)[0].abs() + 0.2


@mistake("You left the threshold out.", "Without it, every difference is felt, and there are no ties.")
def no_threshold(reward_a, reward_b, threshold):
    a = torch.sigmoid(reward_a - reward_b)
    return torch.stack([a, torch.zeros_like(a), 1 - a], 1)


@mistake(
    "Your threshold has the wrong sign.",
    "A difference must *exceed* it, so it makes a win less likely. As it is, the chance of a tie is negative.",
)
def threshold_added(reward_a, reward_b, threshold):
    return rao_kupper_probabilities(reward_a, reward_b, -threshold)


@mistake(
    "For B you turned the sign of the threshold instead of that of the difference.",
    "B is better where r_B - r_A exceeds the threshold. As it is, the chance of a tie is negative.",
)
def threshold_turned(reward_a, reward_b, threshold):
    a, b = torch.sigmoid(reward_a - reward_b - threshold), torch.sigmoid(reward_a - reward_b + threshold)
    return torch.stack([a, 1 - a - b, b], 1)


@mistake(
    "Only A has to get over your threshold.",
    "B must be felt to be better by as much, before B is called better. Otherwise the first text loses ties.",
)
def one_sided(reward_a, reward_b, threshold):
    a, b = torch.sigmoid(reward_a - reward_b - threshold), torch.sigmoid(reward_b - reward_a)
    return torch.stack([a, 1 - a - b, b], 1)


@mistake("You swapped A and B.", "The first column is the chance that A is better: it rises with A's reward.")
def swapped(reward_a, reward_b, threshold):
    return rao_kupper_probabilities(reward_b, reward_a, threshold)


@mistake("Your columns are in another order.", "A is better, a tie, B is better: the tie is in the middle.")
def tie_last(reward_a, reward_b, threshold):
    return rao_kupper_probabilities(reward_a, reward_b, threshold)[:, [0, 2, 1]]


@mistake(
    "You gave B all that A leaves.",
    "1 - P(A is better) is a tie *or* B. B, too, must be felt to be better by more than the threshold.",
)
def rest_is_b(reward_a, reward_b, threshold):
    a = torch.sigmoid(reward_a - reward_b - threshold)
    return torch.stack([a, torch.zeros_like(a), 1 - a], 1)


@mistake(
    "You gave each answer a score and took a softmax.",
    "That is Davidson's family of models (1970): a tie competes with A and B. Here it is what is too small to be felt.",
)
def softmax_of_three(reward_a, reward_b, threshold):
    half = (reward_a - reward_b) / 2
    return torch.stack([half, threshold.expand_as(half), -half], 1).softmax(1)


@mistake(
    "You divided the threshold between A and B.",
    "A wins where the difference exceeds the whole threshold; so does B. The zone of ties is twice as wide.",
)
def halved(reward_a, reward_b, threshold):
    return rao_kupper_probabilities(reward_a, reward_b, threshold / 2)


@mistake(
    "You multiplied the chances of *not A* and *not B*.",
    "They are not independent: one and the same noise decides both. Three answers share 1, and a tie is what is left.",
)
def tie_as_product(reward_a, reward_b, threshold):
    a, b = rao_kupper_probabilities(reward_a, reward_b, threshold)[:, [0, 2]].unbind(1)
    return torch.stack([a, (1 - a) * (1 - b), b], 1)


@mistake(
    "You call it a tie where the difference of the rewards is within the threshold.",
    "What is felt is the difference plus noise, so each of the three answers has a chance at every difference.",
)
def tie_for_sure(reward_a, reward_b, threshold):
    difference = reward_a - reward_b
    tie = (difference.abs() <= threshold).float()
    a = torch.sigmoid(difference) * (1 - tie)
    return torch.stack([a, tie, 1 - a - tie], 1)


EXERCISE = Exercise(
    reference=rao_kupper_probabilities,
    title="when no difference is felt",
    question="""
        In Bradley and Terry's model a rater feels the difference $r_A - r_B$ plus noise, and there are no ties. Rao and
        Kupper's raters feel the same, but call a text better only if what they feel exceeds a threshold. The noise is
        standard logistic, so the chance that difference plus noise exceeds $c$ is $\\sigma(\\text{difference} - c)$.
        Write the chances of all three answers.
    """,
    difficulty=2,
    minutes=10,
    hints=(
        "When does A win? When difference plus noise is above the threshold. When does B? When it is below *minus* the"
        " threshold. What is left is a tie.",
        "`torch.sigmoid(d - threshold)` and `torch.sigmoid(-d - threshold)`, with `d = reward_a - reward_b`; the tie is"
        " 1 less both. `torch.stack([...], dim=1)` puts them side by side.",
    ),
    cases=cases,
    draw=draw,
    mistakes=(
        no_threshold,
        threshold_added,
        threshold_turned,
        one_sided,
        swapped,
        tie_last,
        rest_is_b,
        softmax_of_three,
        halved,
        tie_as_product,
        tie_for_sure,
    ),
    gradients=("reward_a", "reward_b"),
)
