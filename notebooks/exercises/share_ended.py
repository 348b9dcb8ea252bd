"""Exercise of notebook 01: how many completions ended by themselves?"""

import torch
from torch import Tensor

from rlhf_lab.exercises.drawing import right_padded, size, whole
from rlhf_lab.exercises.framework import Case, Exercise, mistake


def share_ended(completion_ids: Tensor, completion_mask: Tensor, end_id: int) -> Tensor:
    """Share of completions that ended by themselves, with an end token, before they were cut off.

    completion_ids: (B, T). completion_mask: (B, T) bool, true on real tokens, the end token included. end_id: the
    token that says "finished"; the padding may have the same id. Returns a scalar from 0 to 1.
    """
    is_end = (completion_ids == end_id) & completion_mask  # (B, T): an end token, and not padding
    return is_end.any(1).float().mean()


END = 1


def cases():
    yield Case(
        "one ended, one was cut off; its padding is the end token, too",
        (torch.tensor([[5, END, 0], [7, 8, END]]), torch.tensor([[1, 1, 0], [1, 1, 0]]).bool(), END),
    )
    yield Case(
        "three ended, in other places",
        (
            torch.tensor([[5, 6, END], [END, 9, 9], [4, END, 9], [7, 8, 2]]),
            torch.tensor([[1, 1, 1], [1, 0, 0], [1, 1, 0], [1, 1, 1]]).bool(),
            END,
        ),
    )
    yield Case(
        "padded with the end token",
        (
            torch.tensor([[5, END, END, END], [7, 8, END, END], [7, 8, 9, 4]]),
            torch.tensor([[1, 1, 0, 0], [1, 1, 0, 0], [1, 1, 1, 1]]).bool(),
            END,
        ),
    )
    yield Case("nobody ended", (torch.tensor([[5, 6]]), torch.tensor([[True, True]]), END))
    real = torch.ones(3, 2).bool()
    yield Case("another end token", (torch.tensor([[5, 6], [3, 6], [END, 5]]), real, 6))
    yield Case("an end token that is 0", (torch.tensor([[5, 0], [3, 0], [5, END]]), real, 0))


def draw(generator):
    rows, width = size(generator, 3, 6), size(generator, 3, 6)
    ids, mask = whole(generator, 2, 6, rows, width), right_padded(generator, rows, width)
    ended = torch.rand(rows, generator=generator) < 0.5
    ids[torch.arange(rows)[ended], mask.sum(1)[ended] - 1] = END
    return torch.where(mask, ids, END if size(generator, 0, 1) else 0), mask, END


@mistake(
    "You counted padding as an end.",
    "Where the padding has the same id as the end token, every padded row would seem to have ended. Look only where"
    " the mask is true.",
)
def padding_counted(completion_ids, completion_mask, end_id):
    return (completion_ids == end_id).any(1).float().mean()


@mistake("You looked only at the last column.", "A short row ends earlier, and is padded from there.")
def last_column(completion_ids, completion_mask, end_id):
    return (completion_ids[:, -1] == end_id).float().mean()


@mistake("You looked only at the last column, and only where it is real.", "A short row ends earlier.")
def last_real_column(completion_ids, completion_mask, end_id):
    return ((completion_ids == end_id) & completion_mask)[:, -1].float().mean()


@mistake("That is the number of rows that ended.", "A share is divided by how many rows there are.")
def counted(completion_ids, completion_mask, end_id):
    return ((completion_ids == end_id) & completion_mask).any(1).sum().float()


@mistake(
    "That is the share of tokens that are end tokens, among all columns.", "It is rows that end: `any` over a row."
)
def share_of_columns(completion_ids, completion_mask, end_id):
    return ((completion_ids == end_id) & completion_mask).float().mean()


@mistake(
    "That is the share of end tokens among the real tokens.", "It is rows that end: `any` over a row, then the mean."
)
def share_of_tokens(completion_ids, completion_mask, end_id):
    return ((completion_ids == end_id) & completion_mask).sum() / completion_mask.sum()


@mistake("That is the share of rows that did not end.", "It is the other ones that are asked for.")
def share_cut_off(completion_ids, completion_mask, end_id):
    return 1 - share_ended(completion_ids, completion_mask, end_id)


@mistake(
    "You took every row with padding for one that ended.",
    "A row may be shorter than the batch and still have been cut off; and a row that fills all columns"
    " may end in the last.",
)
def padded_means_ended(completion_ids, completion_mask, end_id):
    return (~completion_mask).any(1).float().mean()


@mistake("You looked for one fixed token, and not for end_id.", "Another model's end token has another id.")
def fixed_id(completion_ids, completion_mask, end_id):
    return share_ended(completion_ids, completion_mask, END)


@mistake(
    "You looked down the columns, not along the rows.",
    "A completion is a row: any(1) asks over its tokens, any(0) over the batch.",
)
def columns_with_an_end(completion_ids, completion_mask, end_id):
    return ((completion_ids == end_id) & completion_mask).any(0).float().mean()


EXERCISE = Exercise(
    reference=share_ended,
    title="how many end by themselves?",
    question="""
        You get the tokens of some completions, cut off at a limit, and the mask of what is real. The padding may be the
        end token, or any other. What share of the completions ended by themselves?
    """,
    difficulty=1,
    minutes=5,
    hints=(
        "A row has ended if *any* of its *real* tokens is the end token.",
        "`(completion_ids == end_id) & completion_mask` is true on real end tokens, `.any(1)` on rows that have one."
        " The mean wants numbers: `.float()`.",
    ),
    cases=cases,
    draw=draw,
    mistakes=(
        padding_counted,
        last_column,
        last_real_column,
        counted,
        share_of_columns,
        share_of_tokens,
        share_cut_off,
        padded_means_ended,
        fixed_id,
        columns_with_an_end,
    ),
)
