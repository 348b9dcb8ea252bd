"""Exercise of notebook 01: positions in a batch of prompts that is padded on the left."""

import torch
from torch import Tensor

from rlhf_lab.exercises.drawing import right_padded, size
from rlhf_lab.exercises.framework import Case, Exercise, mistake


def left_padding_positions(mask: Tensor) -> Tensor:
    """Positions of the tokens of prompts that are padded on the left, counted without the padding.

    mask: (B, P) bool, true on real tokens. Returns (B, P) whole numbers: 0, 1, 2, ... on the real tokens of each row,
    and 0 on the padding, where any position would do that the model knows.
    """
    counted = mask.long().cumsum(1)  # (B, P): how many real tokens there are up to here, this one included
    return (counted - 1).clamp(min=0)  # -1 on the padding would be no position


def cases():
    yield Case("two tokens after one column of padding", (torch.tensor([[False, True, True]]),))
    yield Case("a short and a long prompt", (torch.tensor([[0, 0, 1, 1], [1, 1, 1, 1]]).bool(),))
    yield Case("no padding", (torch.tensor([[True, True, True]]),))
    yield Case("one token a prompt", (torch.tensor([[0, 0, 1], [0, 1, 1], [0, 0, 1]]).bool(),))


def draw(generator):
    return (right_padded(generator, size(generator, 1, 5), size(generator, 2, 7)).flip(1),)


@mistake(
    "You count columns, the padding too.",
    "The first real token of a short prompt is then at position 3, say, and not at 0. The model still answers, but"
    " worse.",
)
def columns(mask):
    return torch.arange(mask.shape[1]).expand_as(mask)


@mistake("The first real token gets position 1.", "Positions count from 0: subtract 1 after counting.")
def from_one(mask):
    return mask.long().cumsum(1)


@mistake(
    "The padding gets position -1.",
    "There is no such position in the model's table: it would raise an index error. Clamp at 0.",
)
def minus_one(mask):
    return mask.long().cumsum(1) - 1


@mistake("You count from the end of the row.", "Text runs from left to right: the first real token has position 0.")
def backwards(mask):
    return (mask.long().flip(1).cumsum(1).flip(1) - 1).clamp(min=0)


@mistake("You count down the batch, not along the row.", "dim=0 runs over prompts, dim=1 over their tokens.")
def down_the_batch(mask):
    return (mask.long().cumsum(0) - 1).clamp(min=0)


@mistake(
    "You treat the padding as if it were on the right.",
    "Column number, and 0 where the mask is false, leaves the real tokens where the columns are.",
)
def columns_masked(mask):
    return torch.arange(mask.shape[1]) * mask.long()


@mistake(
    "The padding gets position 1.",
    "That would do for the model, and transformers does so itself. But 0 was asked for: clamp at 0.",
)
def padding_is_one(mask):
    return (mask.long().cumsum(1) - 1).masked_fill(~mask, 1)


@mistake("The mask as it is gives every real token position 1.", "Add up along the row: cumsum.")
def the_mask(mask):
    return mask.long()


@mistake(
    "The padding gets positions below 0.",
    "The model's table has no such positions: they would raise an index error. Clamp at 0.",
)
def not_clamped(mask):
    return torch.arange(mask.shape[1]) - (~mask).sum(1, keepdim=True)


EXERCISE = Exercise(
    reference=left_padding_positions,
    title="positions with padding on the left",
    question="""
        Which position does each token of a batch of prompts have, when the padding on the left is not counted? The cell
        below uses your function.
    """,
    difficulty=2,
    minutes=5,
    hints=(
        "How many real tokens are there up to and including this one? `cumsum` along a row adds up as it goes.",
        "`mask.long().cumsum(1)` counts from 1, and is 0 on the padding. Positions count from 0. What happens to the"
        " padding then, and what does `clamp` do about it?",
    ),
    cases=cases,
    draw=draw,
    mistakes=(
        columns,
        from_one,
        minus_one,
        backwards,
        down_the_batch,
        columns_masked,
        padding_is_one,
        the_mask,
        not_clamped,
    ),
)
