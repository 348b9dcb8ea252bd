"""Exercise of notebook 08: advantages with mean 0 and variance 1."""

import torch
from torch import Tensor

from rlhf_lab.exercises.drawing import holes, normal, size, with_garbage
from rlhf_lab.exercises.framework import Case, Exercise, mistake


def masked_whitening(x: Tensor, mask: Tensor) -> Tensor:
    """Shift and scale the real entries to mean 0 and variance 1; zero where the mask is false.

    x: (B, T). mask: (B, T) bool. Mean and variance are over all real entries of the batch, the variance divided by
    their number. 1e-8 is added to the variance, in case all are the same. Returns (B, T).
    """
    real = x[mask]  # (n,)
    centred = x - real.mean()
    variance = ((real - real.mean()) ** 2).mean()
    return (centred / torch.sqrt(variance + 1e-8)).masked_fill(~mask, 0.0)


def cases():
    yield Case("two numbers", (torch.tensor([[1.0, 3.0]]), torch.tensor([[True, True]])))
    yield Case(
        "something large under the padding", (torch.tensor([[1.0, 3.0, 100.0]]), torch.tensor([[True, True, False]]))
    )
    yield Case(
        "two rows of different height",
        (torch.tensor([[1.0, 2.0, 0.0], [7.0, 8.0, 9.0]]), torch.tensor([[1, 1, 0], [1, 1, 1]]).bool()),
    )
    yield Case("all the same", (torch.full((2, 2), 5.0), torch.ones(2, 2, dtype=torch.bool)))
    yield Case("a NaN under the padding", (torch.tensor([[1.0, torch.nan, 4.0]]), torch.tensor([[1, 0, 1]]).bool()))


def draw(generator):
    rows, width = size(generator, 2, 4), size(generator, 3, 6)
    mask = holes(generator, rows, width)
    mask[0, :2] = True
    return with_garbage(normal(generator, rows, width, scale=3) + 2, mask, 50.0), mask


def _statistics(values):
    return values.mean(), values.var(unbiased=False)


def _white(x, mean, variance, mask):
    return ((x - mean) * torch.rsqrt(variance + 1e-8)).masked_fill(~mask, 0.0)


@mistake("The padding takes part in mean and variance.", "What is there means nothing. Take both over x[mask].")
def padding_counted(x, mask):
    return _white(x, *_statistics(x), mask)


@mistake(
    "You set the padding to zero, and then counted the zeros.",
    "They pull the mean towards zero, the more the more padding there is. Divide by the number of real entries.",
)
def zeros_counted(x, mask):
    return _white(x, *_statistics(x.masked_fill(~mask, 0.0)), mask)


@mistake("The padding is not zero in your result.", "A later sum over tokens would count it.")
def padding_left(x, mask):
    mean, variance = _statistics(x[mask])
    return (x - mean) * torch.rsqrt(variance + 1e-8)


@mistake("You shifted, but did not scale.", "Divide by the standard deviation.")
def only_shifted(x, mask):
    return (x - x[mask].mean()).masked_fill(~mask, 0.0)


@mistake("You scaled, but did not shift.", "That is for rewards, whose mean means something. Advantages get mean 0.")
def only_scaled(x, mask):
    return (x * torch.rsqrt(x[mask].var(unbiased=False) + 1e-8)).masked_fill(~mask, 0.0)


@mistake("You divided by the variance.", "The standard deviation is its square root; only that has the unit of x.")
def by_variance(x, mask):
    mean, variance = _statistics(x[mask])
    return ((x - mean) / (variance + 1e-8)).masked_fill(~mask, 0.0)


@mistake(
    "You whitened each row by itself.",
    "Then it can no longer be seen that one completion was better than another. One mean for the whole batch.",
)
def row_by_row(x, mask):
    rows = [_white(v, *_statistics(v[m]), m) for v, m in zip(x, mask, strict=True)]
    return torch.stack(rows)


@mistake(
    "Your variance is divided by n - 1.",
    "torch.var and torch.std do so unless told otherwise. Here the mean square is wanted: unbiased=False.",
)
def unbiased(x, mask):
    values = x[mask]
    variance = values.var() if len(values) > 1 else values.new_zeros(())
    return _white(x, values.mean(), variance, mask)


@mistake(
    "The padding takes part in the variance.",
    "Its zeros are as far from the mean as any number. Take the squares of the real entries only.",
)
def zeros_in_the_variance(x, mask):
    mean = x[mask].mean()
    squares = (x.masked_fill(~mask, 0.0) - mean) ** 2
    return _white(x, mean, squares.sum() / mask.sum(), mask)


EXERCISE = Exercise(
    reference=masked_whitening,
    title="whitening under a mask",
    question="""
        PPO scales its advantages so that a learning rate means the same from batch to batch. Write it for a padded
        batch. Anything may be under the padding, a NaN as well.
    """,
    difficulty=2,
    minutes=10,
    hints=(
        "`x[mask]` are the real entries, in one row. Their mean and variance are all you need to know.",
        "NaN times 0 is NaN, so put the zeros in with `masked_fill(~mask, 0.0)`, at the end. `var(unbiased=False)`"
        " divides by the number of entries.",
    ),
    cases=cases,
    draw=draw,
    mistakes=(
        padding_counted,
        zeros_counted,
        padding_left,
        only_shifted,
        only_scaled,
        by_variance,
        row_by_row,
        unbiased,
        zeros_in_the_variance,
    ),
)
