"""Exercise of notebook 09: how much a token counts in the loss, by three algorithms."""

import torch
from torch import Tensor

from rlhf_lab.exercises.drawing import right_padded, size
from rlhf_lab.exercises.framework import Case, Exercise, mistake


def token_loss_weights(mask: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """How much each token counts in the loss, where the loss is the sum of weights times the tokens' terms.

    mask: (B, T) bool, true on real tokens, at least one in each of the B completions. Returns three, each (B, T) and
    zero on padding. GRPO's: the mean over a completion's tokens, then over completions. DAPO's: the mean over all
    tokens of the batch. Dr. GRPO's: the sum over a completion's tokens, then the mean over completions.
    """
    mask = mask.float()
    completions = len(mask)
    grpo = mask / mask.sum(1, keepdim=True) / completions  # every completion has 1 / B to give to its tokens
    dapo = mask / mask.sum()
    dr_grpo = mask / completions
    return grpo, dapo, dr_grpo


def cases():
    yield Case("one completion of two tokens", (torch.ones(1, 2).bool(),))
    yield Case("a short one and a long one", (torch.tensor([[1, 0, 0], [1, 1, 1]]).bool(),))
    yield Case("three completions", (torch.tensor([[1, 1, 0, 0], [1, 0, 0, 0], [1, 1, 1, 0]]).bool(),))


def draw(generator):
    return (right_padded(generator, size(generator, 2, 4), size(generator, 3, 7)),)


def _three(mask):
    mask = mask.float()
    return mask / mask.sum(1, keepdim=True) / len(mask), mask / mask.sum(), mask / len(mask)


@mistake(
    "GRPO's and DAPO's are the wrong way round.",
    "DAPO's is the one where all tokens count alike. In GRPO's, all completions do.",
)
def swapped(mask):
    grpo, dapo, dr_grpo = _three(mask)
    return dapo, grpo, dr_grpo


@mistake(
    "In GRPO's, you divided by all columns, padding included.",
    "The mean of a completion is over its own tokens: divide by how many it has.",
)
def padding_counted(mask):
    _, dapo, dr_grpo = _three(mask)
    return mask.float() / mask.numel(), dapo, dr_grpo


@mistake(
    "GRPO's lacks the mean over completions.",
    "Each row sums to 1, so the loss is a sum over completions, and grows with the batch.",
)
def grpo_not_averaged(mask):
    grpo, dapo, dr_grpo = _three(mask)
    return grpo * len(mask), dapo, dr_grpo


@mistake(
    "In DAPO's, you divided by all entries, padding included.",
    "How much a token counts would depend on the longest completion. Divide by the number of real tokens.",
)
def all_entries(mask):
    grpo, _, dr_grpo = _three(mask)
    return grpo, mask.float() / mask.numel(), dr_grpo


@mistake("There is weight on the padding.", "What is there was never written. Its weight is zero.")
def on_the_padding(mask):
    grpo, dapo, dr_grpo = _three(mask)
    return grpo.amax(1, keepdim=True).expand_as(grpo), dapo.amax().expand_as(dapo), dr_grpo.amax().expand_as(dr_grpo)


@mistake(
    "Dr. GRPO's lacks the mean over completions.",
    "Only the division by the *length* is left out. Over completions it is still a mean.",
)
def dr_grpo_not_averaged(mask):
    grpo, dapo, dr_grpo = _three(mask)
    return grpo, dapo, dr_grpo * len(mask)


@mistake(
    "You averaged over completions column by column.",
    "A column is the third token of everybody, say. A completion is a row: dimension 1.",
)
def by_column(mask):
    _, dapo, dr_grpo = _three(mask)
    m = mask.float()
    return m / m.sum(0, keepdim=True).clamp(min=1) / m.shape[1], dapo, dr_grpo


@mistake(
    "Dr. GRPO's is divided by the longest length.",
    "A constant that depends on the batch is no constant: with a longer neighbour, everybody would count less.",
)
def dr_grpo_by_width(mask):
    grpo, dapo, dr_grpo = _three(mask)
    return grpo, dapo, dr_grpo / mask.shape[1]


EXERCISE = Exercise(
    reference=token_loss_weights,
    title="what a token counts",
    question="""
        Three papers, three means. Which one is taken decides how much a token of a long completion counts, against one
        of a short completion. Write the weights of all three. (A check of your own: GRPO's and DAPO's sum to 1, Dr.
        GRPO's to the mean length.)
    """,
    difficulty=2,
    minutes=8,
    hints=(
        "A mean is a sum of terms with equal weights. GRPO takes two means, one inside the other: what weight has a"
        " token of a completion of 5, in a batch of 4?",
        "`mask.sum(1, keepdim=True)` are the lengths, `mask.sum()` is the number of tokens, `len(mask)` that of"
        " completions. Multiply by the mask, so that the padding gets zero.",
    ),
    cases=cases,
    draw=draw,
    mistakes=(
        swapped,
        padding_counted,
        grpo_not_averaged,
        all_entries,
        on_the_padding,
        dr_grpo_not_averaged,
        by_column,
        dr_grpo_by_width,
    ),
)
