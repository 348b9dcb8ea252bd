"""Exercise of notebook 03: where a reward model reads its score."""

import torch
from torch import Tensor

from rlhf_lab.exercises.drawing import right_padded, size
from rlhf_lab.exercises.framework import Case, Exercise, mistake


def last_token_index(mask: Tensor) -> Tensor:
    """Column of the last real token of each row, whichever side the padding is on.

    mask: (B, L) bool, true on real tokens; every row has at least one. Returns (B,) whole numbers.
    """
    column = torch.arange(mask.shape[1])  # (L,)
    return column.masked_fill(~mask, -1).max(1).values  # the largest column that is real


def cases():
    yield Case("padding on the right", (torch.tensor([[True, True, False]]),))
    yield Case("padding on the left", (torch.tensor([[False, True, True]]),))
    yield Case("both", (torch.tensor([[1, 1, 0, 0], [0, 0, 1, 1], [0, 1, 1, 0]]).bool(),))
    yield Case("no padding", (torch.ones(2, 3, dtype=torch.bool),))
    yield Case("one real token", (torch.tensor([[1, 0, 0], [0, 1, 0], [0, 0, 1]]).bool(),))


def draw(generator):
    mask = right_padded(generator, size(generator, 2, 5), size(generator, 3, 7))
    return (torch.cat([mask, mask.flip(1)]),)


@mistake("You counted the real tokens.", "Columns count from 0, and with padding on the left a count is no column.")
def count(mask):
    return mask.sum(1)


@mistake("You counted the columns from 1.", "The first column is 0, so this is the column behind the last real token.")
def one_late(mask):
    return (mask * torch.arange(1, mask.shape[1] + 1)).amax(1)


@mistake(
    "That is right only with padding on the right.",
    "The count less one is a column where the text begins at column 0. With padding on the left it points into the"
    " text, or into the padding.",
)
def count_less_one(mask):
    return mask.sum(1) - 1


@mistake(
    "You took the last column.", "With padding on the right, that is padding: the score would be read from nothing."
)
def last_column(mask):
    return torch.full((mask.shape[0],), mask.shape[1] - 1)


@mistake(
    "That is the first real token.", "argmax gives the first of several largest. There the model has read nothing yet."
)
def first_real(mask):
    return mask.long().argmax(1)


@mistake(
    "You took the token before the first padding.",
    "With padding on the left, or with none, that is not where you think: argmin is then 0.",
)
def before_padding(mask):
    return mask.long().argmin(1) - 1


@mistake("You are one column too early.", "The last real token is wanted, its end token included.")
def one_early(mask):
    return last_token_index(mask) - 1


@mistake("You counted from the right.", "That is the distance to the end; the column is L - 1 less that.")
def from_the_right(mask):
    return mask.flip(1).long().argmax(1)


EXERCISE = Exercise(
    reference=last_token_index,
    title="where the reward is read",
    question="""
        A reward model reads prompt and completion and gives its score at the last *real* token, where it has read
        everything. Prompts to be continued are padded on the left, complete texts on the right, so write it for both.
    """,
    difficulty=2,
    minutes=10,
    hints=(
        "Which is the largest column number that is real? Give the padding a number that can never be the largest.",
        "`torch.arange(L)` numbers the columns. `masked_fill(~mask, -1)`, or a product with the mask, takes the padding"
        " out, and `.max(1).values` or `.amax(1)` is what you want.",
    ),
    cases=cases,
    draw=draw,
    mistakes=(count, count_less_one, last_column, first_real, before_padding, one_early, one_late, from_the_right),
)
