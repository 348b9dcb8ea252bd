"""Exercise of notebook 08: PPO's value loss."""

import torch
from torch import Tensor

from rlhf_lab.exercises.drawing import normal, right_padded, size, with_garbage
from rlhf_lab.exercises.framework import Case, Exercise, mistake


def clipped_value_loss(values: Tensor, old_values: Tensor, returns: Tensor, mask: Tensor, clip: float) -> Tensor:
    """PPO's value loss: half the larger of two squared errors, averaged over real tokens.

    values, old_values: (B, T), now and when the samples were drawn. returns: (B, T), the targets. mask: (B, T) bool.
    clip: how far a value may move from the old one. One error is that of the value, the other that of the value held
    within `clip` of the old one. Returns a scalar.
    """
    held = old_values + (values - old_values).clamp(-clip, clip)
    errors = torch.maximum((values - returns) ** 2, (held - returns) ** 2)  # the more pessimistic of the two
    return 0.5 * errors[mask].mean()


def _case(title, values, old_values, returns, mask, clip=0.2):
    return Case(title, (*(torch.tensor([x]) for x in (values, old_values, returns)), torch.tensor([mask]).bool(), clip))


def cases():
    yield _case("one value that has hardly moved", [1.1], [1.0], [2.0], [True])
    yield _case("one that has moved far, the right way", [1.75], [1.0], [2.0], [True])
    yield _case("one that has moved far, the wrong way", [0.0], [1.0], [2.0], [True])
    yield _case("one of each", [1.75, 0.0], [1.0, 1.0], [2.0, 2.0], [True, True])
    yield _case("padding", [0.5, 1.0, 30.0], [0.5, 0.75, 0.0], [1.5, 0.0, 0.0], [True, True, False])
    yield Case(
        "rows of different length",
        (
            torch.tensor([[1.0, 2.0], [0.5, 40.0]]),
            torch.tensor([[0.9, 1.0], [0.0, 0.0]]),
            torch.tensor([[0.0, 3.0], [2.0, 0.0]]),
            torch.tensor([[1, 1], [1, 0]]).bool(),
            0.3,
        ),
    )


def draw(generator):
    rows, width = size(generator, 2, 4), size(generator, 3, 6)
    mask = right_padded(generator, rows, width)
    old = normal(generator, rows, width)
    values = with_garbage(old + normal(generator, rows, width, scale=0.5), mask, 30.0)
    return values, old, normal(generator, rows, width), mask, 0.1 * size(generator, 1, 4)


def _errors(values, old_values, returns, clip):
    held = old_values + (values - old_values).clamp(-clip, clip)
    return (values - returns) ** 2, (held - returns) ** 2


@mistake(
    "You took the smaller of the two errors.",
    "Then a value that has moved too far is forgiven for it. The maximum is the pessimist.",
)
def minimum(values, old_values, returns, mask, clip):
    return 0.5 * torch.minimum(*_errors(values, old_values, returns, clip))[mask].mean()


@mistake(
    "You did not clip, or held the value near the return.",
    "Either is the plain squared error. Hold the value near the *old value*.",
)
def not_clipped(values, old_values, returns, mask, clip):
    return 0.5 * _errors(values, old_values, returns, clip)[0][mask].mean()


@mistake(
    "You took the clipped error alone.",
    "A value beyond the bound has no gradient then, and cannot come back even when it has moved the wrong way.",
)
def only_clipped(values, old_values, returns, mask, clip):
    return 0.5 * _errors(values, old_values, returns, clip)[1][mask].mean()


@mistake("The one half is missing.", "It is a convention, and the weight of this loss is tuned with it.")
def no_half(values, old_values, returns, mask, clip):
    return torch.maximum(*_errors(values, old_values, returns, clip))[mask].mean()


@mistake("You held the value within clip of zero.", "It is the *movement* that is bounded: from the old value.")
def clipped_at_zero(values, old_values, returns, mask, clip):
    errors = torch.maximum((values - returns) ** 2, (values.clamp(-clip, clip) - returns) ** 2)
    return 0.5 * errors[mask].mean()


@mistake("You counted the padding.", "The mean is over real tokens: [mask], then the mean.")
def padding_counted(values, old_values, returns, mask, clip):
    return 0.5 * torch.maximum(*_errors(values, old_values, returns, clip)).mean()


@mistake("You took absolute errors.", "The squared error is what makes the value a mean of the returns.")
def absolute(values, old_values, returns, mask, clip):
    return 0.5 * torch.maximum(*(e.sqrt() for e in _errors(values, old_values, returns, clip)))[mask].mean()


@mistake("You averaged each row first, and then the rows.", "All real tokens count alike: one mean over [mask].")
def mean_of_rows(values, old_values, returns, mask, clip):
    errors = torch.maximum(*_errors(values, old_values, returns, clip)).masked_fill(~mask, 0.0)
    return 0.5 * (errors.sum(1) / mask.sum(1)).mean()


@mistake(
    "You averaged first, and took the larger of the two means.",
    "Each token counts the larger of its own two errors: the maximum first, then the mean.",
)
def maximum_of_means(values, old_values, returns, mask, clip):
    return 0.5 * torch.maximum(*(error[mask].mean() for error in _errors(values, old_values, returns, clip)))


EXERCISE = Exercise(
    reference=clipped_value_loss,
    title="PPO's value loss",
    question="""
        The value head learns the returns by squared error, and should not run away on one batch either. So there are
        two errors, of the value and of the value held close to the old one, and the larger counts.
    """,
    difficulty=2,
    minutes=10,
    hints=(
        "What is clipped is how far the value has moved from the old one. Add that to the old value.",
        "`held = old_values + (values - old_values).clamp(-clip, clip)`, two squared errors, `torch.maximum`,"
        " `[mask]`, the mean, one half.",
    ),
    cases=cases,
    draw=draw,
    mistakes=(
        minimum,
        not_clipped,
        only_clipped,
        no_half,
        clipped_at_zero,
        padding_counted,
        absolute,
        mean_of_rows,
        maximum_of_means,
    ),
    gradients=("values",),
)
