"""Exercise of notebook 01: which tokens supervised fine-tuning learns."""

import torch
from torch import Tensor

from rlhf_lab.exercises.drawing import size, whole
from rlhf_lab.exercises.framework import Case, Exercise, mistake


def prompt_mask(prompt_lengths: Tensor, lengths: Tensor, width: int) -> Tensor:
    """Which tokens SFT learns, in a batch of prompt + completion + end token, padded on the right.

    prompt_lengths: (B,). lengths: (B,) of prompt, completion and end token together. width: L, the number of columns.
    Returns (B, L) bool, true on the completion and its end token.
    """
    column = torch.arange(width)  # (L,)
    after_prompt = column >= prompt_lengths[:, None]  # (B, L)
    before_padding = column < lengths[:, None]  # (B, L)
    return after_prompt & before_padding


def cases():
    yield Case("one document of two and two tokens, one column of padding", (torch.tensor([2]), torch.tensor([4]), 5))
    yield Case("another prompt length in each row", (torch.tensor([2, 4]), torch.tensor([5, 7]), 8))
    yield Case("no padding", (torch.tensor([1, 3]), torch.tensor([4, 4]), 4))
    yield Case("a completion that is only the end token", (torch.tensor([3, 1]), torch.tensor([4, 4]), 6))
    yield Case("no prompt at all", (torch.tensor([0]), torch.tensor([2]), 3))


def draw(generator):
    rows = size(generator, 1, 5)
    prompts = whole(generator, 1, 5, rows)
    lengths = prompts + whole(generator, 1, 5, rows)
    return prompts, lengths, int(lengths.max()) + size(generator, 0, 2)


def _parts(prompt_lengths, lengths, width):
    column = torch.arange(width)
    return column < prompt_lengths[:, None], column < lengths[:, None]


@mistake(
    "You learn the prompt too.",
    "The prompt is what the visitor writes. The model is to learn how to answer, not how to ask.",
)
def prompt_learned(prompt_lengths, lengths, width):
    is_prompt, is_real = _parts(prompt_lengths, lengths, width)
    return is_prompt | is_real


@mistake(
    "You learn the prompt and leave out the completion.",
    "It is the other way round: true where the loss counts, and that is on the completion.",
)
def only_prompt(prompt_lengths, lengths, width):
    return _parts(prompt_lengths, lengths, width)[0]


@mistake(
    "You learn the padding.",
    "The columns after the end token only fill up the rectangle. A model that learns the padding writes it.",
)
def padding_learned(prompt_lengths, lengths, width):
    return ~_parts(prompt_lengths, lengths, width)[0]


@mistake(
    "The end token is missing.",
    "It is the last of the real tokens, at position lengths - 1, and must be learned. Otherwise the model never stops.",
)
def end_missing(prompt_lengths, lengths, width):
    is_prompt, is_real = _parts(prompt_lengths, lengths - 1, width)
    return ~is_prompt & is_real


@mistake(
    "You leave out the first token of the completion.",
    "Columns count from 0, so a prompt of n tokens fills the columns 0 to n - 1, and column n is the first to learn.",
)
def first_missing(prompt_lengths, lengths, width):
    is_prompt, is_real = _parts(prompt_lengths + 1, lengths, width)
    return ~is_prompt & is_real


@mistake(
    "You learn the last token of the prompt.",
    "Columns count from 0, so column n - 1 is the last of a prompt of n tokens. (The loss shifts the"
    " mask; you need not.)",
)
def one_too_early(prompt_lengths, lengths, width):
    is_prompt, is_real = _parts(prompt_lengths - 1, lengths, width)
    return ~is_prompt & is_real


@mistake(
    "You learn one token too many: the first column of the padding.",
    "With columns counted from 0, the last real token is at lengths - 1, not at lengths.",
)
def one_too_late(prompt_lengths, lengths, width):
    is_prompt, is_real = _parts(prompt_lengths, lengths + 1, width)
    return ~is_prompt & is_real


@mistake("It is exactly the other way round.", "True is for the tokens that the loss counts.")
def inverted(prompt_lengths, lengths, width):
    return ~prompt_mask(prompt_lengths, lengths, width)


@mistake(
    "You took `lengths` for the length of the completion alone.",
    "It counts the prompt, the completion and the end token together.",
)
def length_without_prompt(prompt_lengths, lengths, width):
    return prompt_mask(prompt_lengths, prompt_lengths + lengths, width)


@mistake(
    "You shifted the mask already: it is one column too early.",
    "The mask belongs to the tokens, and shifted_cross_entropy shifts it with them. Shifted twice, it learns the last"
    " token of the prompt and not the end token.",
)
def shifted_already(prompt_lengths, lengths, width):
    return prompt_mask(prompt_lengths - 1, lengths - 1, width)


@mistake(
    "You joined the two conditions by `or`: every column meets one of them.",
    "A token counts if it is after the prompt *and* before the padding: join them by &.",
)
def either(prompt_lengths, lengths, width):
    column = torch.arange(width)
    return (column >= prompt_lengths[:, None]) | (column < lengths[:, None])


EXERCISE = Exercise(
    reference=prompt_mask,
    title="the prompt mask",
    question="""
        A batch of prompt, completion and end token, padded on the right. Which tokens does SFT learn? Write the mask
        that `shifted_cross_entropy` wants.
    """,
    difficulty=2,
    minutes=10,
    hints=(
        "`torch.arange(width)` has shape `(L,)`, and `lengths[:, None]` has `(B, 1)`. Comparing them gives `(B, L)`.",
        "Two conditions, joined by `&`: the column is not in the prompt, and it is not in the padding. Mind which of"
        " the two comparisons includes equality; try it on a prompt of two tokens.",
    ),
    cases=cases,
    draw=draw,
    mistakes=(
        prompt_learned,
        only_prompt,
        padding_learned,
        end_missing,
        first_missing,
        one_too_early,
        one_too_late,
        inverted,
        length_without_prompt,
        shifted_already,
        either,
    ),
)
