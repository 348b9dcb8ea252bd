"""Exercise of notebook 01: the loss of a language model, for a padded batch."""

import torch
from torch import Tensor

from rlhf_lab.exercises.drawing import normal, size, whole
from rlhf_lab.exercises.framework import Case, Exercise, mistake


def shifted_cross_entropy(logits: Tensor, ids: Tensor, mask: Tensor) -> Tensor:
    """Mean loss in nats of the tokens where the mask is true.

    logits: (B, L, V), those at position t are about token t + 1. ids: (B, L). mask: (B, L) bool, true on the
    tokens to learn. Returns a scalar. The last logits predict nothing, and nothing predicts the first token.
    """
    log_probs = logits[:, :-1].log_softmax(-1)  # (B, L - 1, V): the guesses that can be checked
    truths = ids[:, 1:]  # (B, L - 1): the tokens that check them
    losses = -log_probs.gather(-1, truths[..., None]).squeeze(-1)  # (B, L - 1)
    learned = mask[:, 1:]  # whether a token counts goes with the token, so it is shifted as well
    return losses[learned].mean()


def cases():
    one = torch.tensor([[[0.0, 2.0], [1.0, 0.0], [3.0, 0.0]]])
    yield Case("three tokens, all real", (one, torch.tensor([[0, 1, 0]]), torch.ones(1, 3, dtype=torch.bool)))
    two = torch.tensor([[[0.0, 2.0], [1.0, 0.0], [0.0, 4.0]], [[1.0, 0.0], [0.0, 3.0], [0.0, 0.5]]])
    mask = torch.tensor([[True, True, True], [True, True, False]])
    yield Case("the second row is shorter", (two, torch.tensor([[0, 1, 0], [1, 1, 0]]), mask))
    answers = torch.tensor([[False, False, True], [False, True, True]])
    yield Case("prompts are masked", (two, torch.tensor([[0, 1, 0], [1, 1, 0]]), answers))
    extreme = torch.tensor([[[0.0, 200.0, -200.0], [500.0, 0.0, 0.0], [0.0, 0.0, 0.0]]])
    yield Case("extreme logits", (extreme, torch.tensor([[2, 0, 1]]), torch.ones(1, 3, dtype=torch.bool)))


def draw(generator):
    rows, length, vocabulary = size(generator, 1, 4), size(generator, 3, 7), size(generator, 3, 6)
    mask = torch.rand(rows, length, generator=generator) < 0.7
    mask[0, 1] = True
    return normal(generator, rows, length, vocabulary, scale=2), whole(generator, 0, vocabulary - 1, rows, length), mask


def _losses(logits, ids):
    return -logits.log_softmax(-1).gather(-1, ids[..., None]).squeeze(-1)


@mistake(
    "You score the guess at position t against token t, which it has just read.",
    "Nothing is shifted. The logits at position t are about token t + 1: compare logits[:, :-1] with ids[:, 1:].",
)
def not_shifted(logits, ids, mask):
    return _losses(logits, ids)[mask].mean()


@mistake(
    "You shifted the wrong way round.",
    "The guess at position t is about token t + 1: the guesses lose their last position, the tokens their first.",
)
def shifted_backwards(logits, ids, mask):
    return _losses(logits[:, 1:], ids[:, :-1])[mask[:, 1:]].mean()


@mistake(
    "You shifted the tokens, but not their mask.",
    "The mask says which *tokens* count, so it is shifted with them: mask[:, 1:].",
)
def mask_not_shifted(logits, ids, mask):
    return _losses(logits[:, :-1], ids[:, 1:])[mask[:, :-1]].mean()


@mistake(
    "You counted the tokens that are masked out.",
    "Padding and prompt are not to be learned: leave out what the mask calls false, in the sum and in the count.",
)
def mask_ignored(logits, ids, mask):
    return _losses(logits[:, :-1], ids[:, 1:]).mean()


@mistake(
    "You left masked tokens out of the sum, but divided by all positions.",
    "The mean is over the tokens that count: divide by mask[:, 1:].sum().",
)
def divided_by_all(logits, ids, mask):
    return (_losses(logits[:, :-1], ids[:, 1:]) * mask[:, 1:]).mean()


@mistake(
    "You divided by one token too many a row: the first is never guessed.",
    "There are L - 1 guesses in a row of L tokens. Count the mask after shifting it: mask[:, 1:].sum().",
)
def divided_by_unshifted_mask(logits, ids, mask):
    return (_losses(logits[:, :-1], ids[:, 1:]) * mask[:, 1:]).sum() / mask.sum()


@mistake(
    "That is the sum. Divide by the number of tokens that count.",
    "A sum grows with the batch, and so would the step of the optimiser. Nats *a token* is a mean.",
)
def summed(logits, ids, mask):
    return _losses(logits[:, :-1], ids[:, 1:])[mask[:, 1:]].sum()


@mistake(
    "You averaged each row first, and then the rows.",
    "So the tokens of a short row count more than those of a long one. Take one mean over all tokens that count.",
)
def mean_of_rows(logits, ids, mask):
    real = mask[:, 1:]
    rows = (_losses(logits[:, :-1], ids[:, 1:]) * real).sum(1) / real.sum(1).clamp(min=1)
    return rows[real.any(1)].mean()


@mistake(
    "The sign is wrong.",
    "log p is never above zero, so the loss, -log p, is never below. Going down this one would unlearn the text.",
)
def wrong_sign(logits, ids, mask):
    return -shifted_cross_entropy(logits, ids, mask)


@mistake(
    "You took the logarithm of a softmax.",
    "With extreme logits a probability rounds to zero, and its logarithm is minus infinity. log_softmax does both"
    " at once, and safely.",
)
def log_of_softmax(logits, ids, mask):
    p = logits[:, :-1].softmax(-1).gather(-1, ids[:, 1:, None]).squeeze(-1)
    return -p.log()[mask[:, 1:]].mean()


@mistake(
    "You took the softmax twice.",
    "cross_entropy and log_softmax want the logits as they are: each does its own softmax.",
)
def softmax_twice(logits, ids, mask):
    return shifted_cross_entropy(logits.softmax(-1), ids, mask)


@mistake("That is the perplexity, the exponential of the loss.", "Leave out the exponential.")
def exponential(logits, ids, mask):
    return shifted_cross_entropy(logits, ids, mask).exp()


@mistake(
    "You averaged probabilities, without their logarithm.",
    "The loss of a guess is -log p. log_softmax instead of softmax gives log p.",
)
def no_logarithm(logits, ids, mask):
    p = logits[:, :-1].softmax(-1).gather(-1, ids[:, 1:, None]).squeeze(-1)
    return -p[mask[:, 1:]].mean()


@mistake(
    "You took the softmax along another dimension than the vocabulary.",
    "The logits of one position, over all tokens, make one distribution: log_softmax(-1).",
)
def softmax_of_positions(logits, ids, mask):
    return -logits[:, :-1].log_softmax(1).gather(-1, ids[:, 1:, None]).squeeze(-1)[mask[:, 1:]].mean()


@mistake("That is the loss in bits.", "Nats come from the natural logarithm: log, and not log2.")
def bits(logits, ids, mask):
    return shifted_cross_entropy(logits, ids, mask) / torch.log(torch.tensor(2.0))


EXERCISE = Exercise(
    reference=shifted_cross_entropy,
    title="the shifted cross-entropy",
    question="""
        Write the loss of this section for a padded batch, with what torch offers (`log_softmax` and `gather`, or
        `torch.nn.functional.cross_entropy`), without the package. Pre-training and SFT both use it, with different
        masks.
    """,
    difficulty=2,
    minutes=10,
    hints=(
        "`logits[:, :-1]` are the guesses that can be checked, `ids[:, 1:]` the tokens that check them. And the mask?"
        " It belongs to the tokens.",
        "`cross_entropy` wants `(N, V)` and `(N,)`. Indexing with a bool mask gives just these shapes:"
        " `logits[:, :-1][m]` and `ids[:, 1:][m]`, where `m = mask[:, 1:]`.",
    ),
    cases=cases,
    draw=draw,
    mistakes=(
        not_shifted,
        shifted_backwards,
        mask_not_shifted,
        mask_ignored,
        divided_by_all,
        divided_by_unshifted_mask,
        summed,
        mean_of_rows,
        wrong_sign,
        log_of_softmax,
        softmax_twice,
        exponential,
        no_logarithm,
        softmax_of_positions,
        bits,
    ),
    gradients=("logits",),
)
