"""Exercise of notebook 08: where the reward of a text goes, and where the price of drifting."""

import torch
from torch import Tensor

from rlhf_lab.exercises.drawing import normal, right_padded, size, with_garbage
from rlhf_lab.exercises.framework import Case, Exercise, mistake


def per_token_rewards(scores: Tensor, kl: Tensor, mask: Tensor, coefficient: float) -> Tensor:
    """Rewards of single tokens: -coefficient * kl on every real token, plus the score on the last real one.

    scores: (B,) of whole completions. kl: (B, T), log policy less log reference of each token. mask: (B, T) bool,
    padded on the right, with one real token a row at least. Returns (B, T), zero on the padding.
    """
    rewards = (-coefficient * kl).masked_fill(~mask, 0.0)
    last = mask.sum(1) - 1  # (B,)
    rewards[torch.arange(len(scores)), last] += scores
    return rewards


def cases():
    yield Case("two tokens", (torch.tensor([1.0]), torch.tensor([[0.5, 2.0]]), torch.tensor([[True, True]]), 0.1))
    yield Case(
        "the second completion is shorter",
        (
            torch.tensor([1.0, -1.0]),
            torch.tensor([[0.5, 2.0, -1.0], [1.0, 0.25, 9.0]]),
            torch.tensor([[1, 1, 1], [1, 1, 0]]).bool(),
            0.5,
        ),
    )
    yield Case("no price", (torch.tensor([2.0]), torch.tensor([[3.0, 1.0]]), torch.tensor([[True, False]]), 0.0))
    yield Case(
        "a NaN under the padding",
        (torch.tensor([1.0]), torch.tensor([[0.5, torch.nan]]), torch.tensor([[True, False]]), 0.2),
    )


def draw(generator):
    rows, width = size(generator, 2, 4), size(generator, 3, 6)
    mask = right_padded(generator, rows, width)
    kl = with_garbage(normal(generator, rows, width), mask, 40.0)
    return normal(generator, rows, scale=2), kl, mask, 0.1 * size(generator, 1, 9)


def _rewards(scores, kl, mask, coefficient, place):
    """The right rewards, but with the score where `place` (B, T) is."""
    return (-coefficient * kl).masked_fill(~mask, 0.0) + scores[:, None] * place.to(kl.dtype)


def _last(mask):
    return torch.arange(mask.shape[1]) == mask.sum(1, keepdim=True) - 1


@mistake(
    "You put the score into the last column.",
    "In a shorter row that is padding, and the score is lost. Which is the last *real* token of each row?",
)
def last_column(scores, kl, mask, coefficient):
    return _rewards(scores, kl, mask, coefficient, torch.arange(mask.shape[1]) == mask.shape[1] - 1)


@mistake("You gave the score to every token.", "A text of fifty tokens would earn it fifty times, and texts grow long.")
def every_token(scores, kl, mask, coefficient):
    return _rewards(scores, kl, mask, coefficient, mask)


@mistake(
    "You spread the score over the tokens.",
    "That is another choice. Here the text is judged when it is finished, so its last token gets it all.",
)
def spread(scores, kl, mask, coefficient):
    return _rewards(scores, kl, mask, coefficient, mask / mask.sum(1, keepdim=True))


@mistake("You pay the policy for drifting.", "KL is a price: subtract it.")
def kl_added(scores, kl, mask, coefficient):
    return _rewards(scores, -kl, mask, coefficient, _last(mask))


@mistake(
    "The last token has no KL penalty in your result.", "It was sampled like the others: add the score to its price."
)
def score_instead_of_kl(scores, kl, mask, coefficient):
    return torch.where(_last(mask), scores[:, None], (-coefficient * kl).masked_fill(~mask, 0.0))


@mistake("The padding has rewards in your result.", "Nobody sampled it: zero there.")
def padding_priced(scores, kl, mask, coefficient):
    return -coefficient * kl + scores[:, None] * _last(mask)


@mistake("You forgot the coefficient.", "It says how many units of reward a nat costs.")
def no_coefficient(scores, kl, mask, coefficient):
    return _rewards(scores, kl, mask, 1.0, _last(mask))


@mistake("You put the score on the first token.", "The text is judged when it is finished.")
def first_token(scores, kl, mask, coefficient):
    return _rewards(scores, kl, mask, coefficient, torch.arange(mask.shape[1]) == 0 * mask.sum(1, keepdim=True))


@mistake("You left out the KL penalty.", "Every real token pays for drifting.")
def no_kl(scores, kl, mask, coefficient):
    return _rewards(scores, torch.zeros_like(kl), mask, coefficient, _last(mask))


@mistake(
    "You put the score one token too early.",
    "Columns are counted from 0: the last of n real tokens is in column n - 1.",
)
def one_before(scores, kl, mask, coefficient):
    rewards = (-coefficient * kl).masked_fill(~mask, 0.0)
    rewards[torch.arange(len(scores)), mask.sum(1) - 2] += scores
    return rewards


@mistake(
    "Scores landed in other rows, too.",
    "rewards[:, last] takes all those columns in *every* row. rewards[torch.arange(B), last] is one place in each.",
)
def all_rows(scores, kl, mask, coefficient):
    rewards = (-coefficient * kl).masked_fill(~mask, 0.0)
    rewards[:, mask.sum(1) - 1] += scores
    return rewards


@mistake("You multiplied the score by the coefficient, too.", "It is the price of a nat. The score is added whole.")
def coefficient_on_score(scores, kl, mask, coefficient):
    return _rewards(coefficient * scores, kl, mask, coefficient, _last(mask))


@mistake(
    "You made negative prices zero.",
    "A token that is less likely than under the reference earns a little. Only on average is KL positive.",
)
def no_negative(scores, kl, mask, coefficient):
    return _rewards(scores, kl.clamp(min=0), mask, coefficient, _last(mask))


EXERCISE = Exercise(
    reference=per_token_rewards,
    title="rewards, token by token",
    question="""
        A reward model judges the whole text, and drifting from the reference model is paid for token by token (Ziegler
        et al. 2019, equation 2). Put both into one tensor of rewards. Anything may be under the padding, a NaN as well:
        NaN times 0 is NaN.
    """,
    difficulty=2,
    minutes=8,
    hints=(
        "First the price of every real token. Then add the score, at one place in each row. Which column is that?",
        "`last = mask.sum(1) - 1`. `rewards[torch.arange(B), last] += scores` adds at one place a row.",
    ),
    cases=cases,
    draw=draw,
    mistakes=(
        last_column,
        every_token,
        spread,
        kl_added,
        score_instead_of_kl,
        padding_priced,
        no_coefficient,
        first_token,
        no_kl,
        one_before,
        all_rows,
        coefficient_on_score,
        no_negative,
    ),
)
