"""Exercise of notebook 09: GSPO's ratio of whole completions."""

import torch
from torch import Tensor

from rlhf_lab.exercises.drawing import normal, right_padded, size, with_garbage
from rlhf_lab.exercises.framework import Case, Exercise, mistake


def sequence_ratio(log_probs: Tensor, old_log_probs: Tensor, mask: Tensor) -> Tensor:
    """One ratio of new to old probability for a whole completion (GSPO, Zheng et al. 2025, section 4.1).

    log_probs, old_log_probs: (B, T), of the sampled tokens under the policy as it is now, and as it was when sampling.
    mask: (B, T) bool, true on real tokens. Returns (B,): the geometric mean of the ratios of a row's real tokens.
    """
    log_ratio = (log_probs - old_log_probs).masked_fill(~mask, 0.0)  # (B, T)
    return (log_ratio.sum(1) / mask.sum(1)).exp()


def _case(title, ratios, mask):
    ratios, mask = torch.tensor(ratios), torch.tensor(mask).bool()
    old = torch.full_like(ratios, -1.0)
    return Case(title, (old + ratios.log(), old, mask))


def cases():
    yield _case("nothing has moved", [[1.0, 1.0]], [[1, 1]])
    yield _case("one token has become twice as likely", [[2.0, 1.0]], [[1, 1]])
    yield _case("one up, one down", [[2.0, 0.5]], [[1, 1]])
    yield _case("a short one and a long one", [[1.5, 9.0, 9.0], [0.5, 1.5, 1.25]], [[1, 0, 0], [1, 1, 1]])
    yield Case(
        "tokens of very different probability",
        (torch.tensor([[-0.1, -6.0, -2.0]]), torch.tensor([[-0.2, -5.0, -2.5]]), torch.ones(1, 3).bool()),
    )


def draw(generator):
    rows, width = size(generator, 2, 4), size(generator, 3, 6)
    mask = right_padded(generator, rows, width)
    old = -normal(generator, rows, width).abs() - 0.1
    new = with_garbage(old + normal(generator, rows, width, scale=0.4), mask, 3.0)
    return new, old, mask


def _log_ratio(log_probs, old_log_probs, mask):
    return (log_probs - old_log_probs).masked_fill(~mask, 0.0)


@mistake(
    "You multiplied the ratios without taking the root.",
    "That is the true ratio of the two probabilities, and over thirty tokens it is anything from 0 to 1000. GSPO"
    " divides its logarithm by the length.",
)
def product(log_probs, old_log_probs, mask):
    return _log_ratio(log_probs, old_log_probs, mask).sum(1).exp()


@mistake(
    "You took the arithmetic mean of the ratios.",
    "Twice and half should cancel: take the mean of the *logarithms*, then the exponential.",
)
def arithmetic(log_probs, old_log_probs, mask):
    return (_log_ratio(log_probs, old_log_probs, mask).exp() * mask).sum(1) / mask.sum(1)


@mistake("You counted what is under the padding.", "Fill it with zeros before you sum.")
def padding_summed(log_probs, old_log_probs, mask):
    return ((log_probs - old_log_probs).sum(1) / mask.sum(1)).exp()


@mistake("You divided by all columns.", "A short completion has fewer tokens: divide by how many are real.")
def divided_by_width(log_probs, old_log_probs, mask):
    return _log_ratio(log_probs, old_log_probs, mask).mean(1).exp()


@mistake("The exponential is missing.", "Where nothing has moved, a ratio is 1. Yours is 0: it is the logarithm.")
def no_exponential(log_probs, old_log_probs, mask):
    return _log_ratio(log_probs, old_log_probs, mask).sum(1) / mask.sum(1)


@mistake("Your ratio is upside down.", "The new probability by the old: log_probs - old_log_probs.")
def inverted(log_probs, old_log_probs, mask):
    return (_log_ratio(old_log_probs, log_probs, mask).sum(1) / mask.sum(1)).exp()


@mistake("You made one ratio of the whole batch.", "One for each completion: sum over its tokens, dimension 1.")
def of_the_batch(log_probs, old_log_probs, mask):
    return (_log_ratio(log_probs, old_log_probs, mask).sum() / mask.sum()).exp().expand(len(mask))


@mistake(
    "You took the ratio of the summed probabilities.",
    "The probability of a text is a product over its tokens: its logarithm is a sum of logarithms.",
)
def of_sums(log_probs, old_log_probs, mask):
    new, old = ((x.masked_fill(~mask, 0.0).exp() * mask).sum(1) for x in (log_probs, old_log_probs))
    return new / old


@mistake("You kept a ratio for each token.", "That is what PPO and GRPO do. Here all tokens of a text share one.")
def by_token(log_probs, old_log_probs, mask):
    return _log_ratio(log_probs, old_log_probs, mask).exp()


@mistake(
    "You divided one log-probability by the other.",
    "A ratio of probabilities is the exponential of the *difference* of their logarithms.",
)
def ratio_of_logarithms(log_probs, old_log_probs, mask):
    return (log_probs / old_log_probs).masked_fill(~mask, 0.0).sum(1) / mask.sum(1)


EXERCISE = Exercise(
    reference=sequence_ratio,
    title="one ratio for a whole text",
    question="""
        The reward is for the whole text, and so GSPO corrects for the whole text: one ratio of new to old probability,
        the same for all its tokens. So that short and long texts can be clipped alike, it takes the geometric mean over
        tokens. Write it.
    """,
    difficulty=2,
    minutes=8,
    hints=(
        "The geometric mean of n numbers is the n-th root of their product. In logarithms: the mean.",
        "`(log_probs - old_log_probs).masked_fill(~mask, 0.0)`, summed along dimension 1, divided by `mask.sum(1)`, and"
        " only then `.exp()`.",
    ),
    cases=cases,
    draw=draw,
    mistakes=(
        product,
        arithmetic,
        padding_summed,
        divided_by_width,
        no_exponential,
        inverted,
        of_the_batch,
        of_sums,
        by_token,
        ratio_of_logarithms,
    ),
    gradients=("log_probs",),
)
