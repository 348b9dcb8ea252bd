"""Exercise of notebook 04: the best accuracy that anybody could have."""

import torch
from torch import Tensor

from rlhf_lab.exercises.drawing import size
from rlhf_lab.exercises.framework import Case, Exercise, mistake


def accuracy_ceiling(utilities: Tensor, temperature: float) -> Tensor:
    """How often the best of all reward models agrees with a noisy rater, on average.

    utilities: (N, 2), what the rater truly likes of the two texts of each pair. The rater prefers the first one with
    probability sigmoid((first - second) / temperature). Returns a scalar.
    """
    p = torch.sigmoid((utilities[:, 0] - utilities[:, 1]) / temperature)  # (N,)
    return torch.maximum(p, 1 - p).mean()  # the best guess is the likelier answer, and it is right so often


def cases():
    yield Case("one pair, the second is better", (torch.tensor([[0.0, 1.0]]), 0.5))
    yield Case("one either way", (torch.tensor([[2.0, 0.0], [0.0, 1.0]]), 2.0))
    yield Case("no difference", (torch.tensor([[1.0, 1.0], [-2.0, -2.0]]), 1.0))
    yield Case("far apart, hardly any noise", (torch.tensor([[300.0, 0.0], [0.0, 300.0]]), 0.1))
    yield Case("three pairs", (torch.tensor([[0.5, 0.1], [-1.0, 1.0], [0.3, 0.2]]), 0.7))


def draw(generator):
    n = size(generator, 2, 10)
    return torch.randn(n, 2, generator=generator), float(0.3 + torch.rand((), generator=generator))


def _p(utilities, temperature):
    return torch.sigmoid((utilities[:, 0] - utilities[:, 1]) / temperature)


@mistake(
    "You took the probability that the first text wins.",
    "A good model does not always bet on the first one. Where p is below one half, it bets on the second.",
)
def always_first(utilities, temperature):
    return _p(utilities, temperature).mean()


@mistake(
    "You took the larger of the two means.",
    "That is the best bet if it had to be the same side for all pairs. A model may bet anew on every pair: first"
    " the larger one, then the mean.",
)
def one_bet_for_all(utilities, temperature):
    p = _p(utilities, temperature).mean()
    return torch.maximum(p, 1 - p)


@mistake(
    "That is how often two answers of the rater agree.",
    "p² + (1 - p)² belongs to a model that guesses by the rater's own dice. Always betting on the"
    " likelier answer is better.",
)
def two_answers(utilities, temperature):
    p = _p(utilities, temperature)
    return (p**2 + (1 - p) ** 2).mean()


@mistake("You multiplied by the temperature.", "A high temperature is much noise: it brings p nearer to one half.")
def times_temperature(utilities, temperature):
    p = torch.sigmoid((utilities[:, 0] - utilities[:, 1]) * temperature)
    return torch.maximum(p, 1 - p).mean()


@mistake("You left the temperature out.", "Without it, every rater has the same noise.")
def no_temperature(utilities, temperature):
    p = torch.sigmoid(utilities[:, 0] - utilities[:, 1])
    return torch.maximum(p, 1 - p).mean()


@mistake("That is how often the best model is wrong.", "It is wrong as often as the *less* likely answer is given.")
def its_errors(utilities, temperature):
    p = _p(utilities, temperature)
    return torch.minimum(p, 1 - p).mean()


@mistake("That is the noise floor of the Brier score.", "p (1 - p) is the other bound of this page. Here, accuracy.")
def brier(utilities, temperature):
    p = _p(utilities, temperature)
    return (p * (1 - p)).mean()


@mistake(
    "You averaged the differences first.",
    "The sigmoid bends, so the mean gap does not give the mean p. First p of each pair, then the mean.",
)
def mean_difference(utilities, temperature):
    return torch.sigmoid((utilities[:, 0] - utilities[:, 1]).abs().mean() / temperature)


EXERCISE = Exercise(
    reference=accuracy_ceiling,
    title="the ceiling",
    question="""
        A rater who slips now and then cannot always be predicted. Suppose you know what they like, the utility of each
        text, to the last digit. How often will your best guess be the rater's answer?
    """,
    difficulty=2,
    minutes=8,
    hints=(
        "First the probability p of each pair that the rater says *first*. If p = 0.8, what do you bet on, and how"
        " often are you right? And if p = 0.3?",
        "`torch.sigmoid(difference / temperature)` is p, (N,). Your bet is right with the larger of p and 1 - p:"
        " `torch.maximum`. Then the mean over the pairs.",
    ),
    cases=cases,
    draw=draw,
    mistakes=(
        always_first,
        one_bet_for_all,
        two_answers,
        times_temperature,
        no_temperature,
        its_errors,
        brier,
        mean_difference,
    ),
)
