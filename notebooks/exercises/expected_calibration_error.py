"""Exercise of notebook 04: does 80 % mean 80 %?"""

import torch
from torch import Tensor

from rlhf_lab.exercises.drawing import size
from rlhf_lab.exercises.framework import Case, Exercise, mistake


def expected_calibration_error(probabilities: Tensor, outcomes: Tensor, bins: int) -> Tensor:
    """Mean distance between what was promised and what came, over bins of equal width.

    probabilities: (N,) from 0 to 1, what the model gave. outcomes: (N,) bool, whether it came true. bins: how many;
    bin k holds probabilities from k / bins, included, to (k + 1) / bins; the last one also holds 1. Returns a scalar.
    """
    bin_of = (probabilities * bins).long().clamp(max=bins - 1)  # (N,)
    error = torch.zeros((), dtype=probabilities.dtype)
    for k in range(bins):
        inside = bin_of == k
        if inside.any():
            promised = probabilities[inside].mean()
            came = outcomes[inside].to(probabilities.dtype).mean()
            error += (promised - came).abs() * inside.sum() / len(probabilities)  # a bin counts by its size
    return error


def cases():
    yield Case("one bin, too sure", (torch.tensor([0.9, 0.9]), torch.tensor([True, False]), 2))
    yield Case("errors of either sign", (torch.tensor([0.2, 0.3, 0.8]), torch.tensor([True, False, False]), 2))
    yield Case(
        "bins of different size, one of them empty",
        (torch.tensor([0.1, 0.2, 0.25, 0.9]), torch.tensor([False, False, True, True]), 3),
    )
    yield Case("certain", (torch.tensor([1.0, 0.0, 1.0]), torch.tensor([True, False, False]), 5))
    yield Case("on the edge of a bin", (torch.tensor([0.5, 0.4]), torch.tensor([True, False]), 2))
    yield Case("certain that not, and wrong", (torch.tensor([0.0, 0.25]), torch.tensor([True, False]), 2))
    yield Case("perfectly calibrated", (torch.tensor([0.5, 0.5]), torch.tensor([True, False]), 4))


def draw(generator):
    n = size(generator, 6, 14)
    p = torch.rand(n, generator=generator)
    bins = size(generator, 2, 5)
    p[0], p[1], p[2] = 1.0, 0.0, 1 / bins
    return p, torch.rand(n, generator=generator) < p**2, bins


def _gaps(probabilities, outcomes, bins, last=True):
    """Signed gap and size of each bin that is not empty."""
    bin_of = (probabilities * bins).long()
    bin_of = bin_of.clamp(max=bins - 1) if last else bin_of
    found = []
    for k in range(bins):
        inside = bin_of == k
        if inside.any():
            gap = probabilities[inside].mean() - outcomes[inside].to(probabilities.dtype).mean()
            found.append(torch.stack([gap, inside.sum() / len(probabilities)]))
    return torch.stack(found).T


@mistake(
    "You added up gaps with their signs.",
    "Too sure here and too timid there do not make up for each other. Take each gap's size first.",
)
def signed(probabilities, outcomes, bins):
    gaps, weights = _gaps(probabilities, outcomes, bins)
    return (gaps * weights).sum()


@mistake(
    "You gave every bin the same weight.", "A bin with one pair would count like one with a thousand. Weigh by size."
)
def unweighted(probabilities, outcomes, bins):
    return _gaps(probabilities, outcomes, bins)[0].abs().mean()


@mistake("You used one bin for all.", "A model that says 0.5 always would be perfect then. First sort by probability.")
def one_bin(probabilities, outcomes, bins):
    return (probabilities.mean() - outcomes.to(probabilities.dtype).mean()).abs()


@mistake(
    "That is the mean distance of each single outcome from its probability.",
    "A single outcome is 0 or 1 and always far from 0.7. Average the outcomes of a bin, and then compare.",
)
def no_bins(probabilities, outcomes, bins):
    return (probabilities - outcomes.to(probabilities.dtype)).abs().mean()


@mistake(
    "That is the Brier score.",
    "It measures something else as well: even perfectly calibrated probabilities pay p (1 - p).",
)
def brier(probabilities, outcomes, bins):
    return ((probabilities - outcomes.to(probabilities.dtype)) ** 2).mean()


@mistake("You squared the gaps.", "It is the mean *size* of the gaps.")
def squared(probabilities, outcomes, bins):
    gaps, weights = _gaps(probabilities, outcomes, bins)
    return (gaps**2 * weights).sum()


@mistake("You took the largest gap.", "That is the *maximum* calibration error. Here, the mean.")
def largest(probabilities, outcomes, bins):
    return _gaps(probabilities, outcomes, bins)[0].abs().max()


@mistake("You lost the probabilities that are exactly 1.", "1 × bins is one past the last bin: clamp to bins - 1.")
def ones_lost(probabilities, outcomes, bins):
    sure = probabilities >= 1
    if bool(sure.all()):
        return torch.zeros((), dtype=probabilities.dtype)
    gaps, weights = _gaps(probabilities, outcomes, bins, last=False)
    return (gaps.abs() * weights).sum()


@mistake(
    "Your bins hold their upper edge, not their lower one.",
    "A probability of exactly k / bins belongs to bin k. With 2 bins, 0.5 is in the second one.",
)
def closed_on_the_right(probabilities, outcomes, bins):
    bin_of = ((probabilities * bins).ceil().long() - 1).clamp(min=0)
    error = torch.zeros((), dtype=probabilities.dtype)
    for k in range(bins):
        inside = bin_of == k
        if inside.any():
            gap = probabilities[inside].mean() - outcomes[inside].to(probabilities.dtype).mean()
            error += gap.abs() * inside.sum() / len(probabilities)
    return error


@mistake(
    "You lost the probabilities that are exactly 0.",
    "The first bin holds 0, too. A bin is from its lower edge, included, to the upper one.",
)
def zeros_lost(probabilities, outcomes, bins):
    seen = probabilities > 0
    if not bool(seen.any()):
        return torch.zeros((), dtype=probabilities.dtype)
    gaps, weights = _gaps(probabilities[seen], outcomes[seen], bins)
    return (gaps.abs() * weights).sum() * seen.sum() / len(probabilities)


@mistake(
    "You promised the middle of the bin.",
    "Compare with the mean of the probabilities that are in it: they need not lie around the middle.",
)
def middle_of_bin(probabilities, outcomes, bins):
    middles = ((probabilities * bins).long().clamp(max=bins - 1) + 0.5) / bins
    gaps, weights = _gaps(middles.to(probabilities.dtype), outcomes, bins)
    return (gaps.abs() * weights).sum()


@mistake(
    "A bin without pairs gave a NaN.",
    "The mean of nothing is 0/0. A bin that is empty has no gap and no weight: leave it out.",
)
def empty_bins(probabilities, outcomes, bins):
    bin_of = (probabilities * bins).long().clamp(max=bins - 1)
    error = torch.zeros((), dtype=probabilities.dtype)
    for k in range(bins):
        gap = probabilities[bin_of == k].mean() - outcomes[bin_of == k].to(probabilities.dtype).mean()
        error += gap.abs() * (bin_of == k).sum() / len(probabilities)
    return error


EXERCISE = Exercise(
    reference=expected_calibration_error,
    title="the calibration error",
    question="""
        A reward model gives a probability to every choice. Of the choices to which it gave about 80 %, did 80 of 100
        come true? Sort the pairs into bins by probability, and average over the bins how far promise and outcome are
        apart, each bin weighed by its size.
    """,
    difficulty=3,
    minutes=15,
    hints=(
        "In which bin is p? With 10 bins of equal width, 0.37 is in bin 3: what do you do to 0.37 to get 3? And where"
        " does 1.0 go?",
        "`(probabilities * bins).long().clamp(max=bins - 1)` are the bins. Then a loop: `inside = bin_of == k`, skip it"
        " if empty, compare `probabilities[inside].mean()` with the share of outcomes that are true, take the size of"
        " the difference, and weigh it by `inside.sum() / N`.",
    ),
    cases=cases,
    draw=draw,
    mistakes=(
        signed,
        unweighted,
        one_bin,
        no_bins,
        brier,
        squared,
        largest,
        ones_lost,
        closed_on_the_right,
        zeros_lost,
        middle_of_bin,
        empty_bins,
    ),
)
