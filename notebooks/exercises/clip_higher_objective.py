"""Exercise of notebook 09: DAPO's clip, with more room upwards than downwards."""

import torch
from torch import Tensor

from rlhf_lab.exercises.drawing import normal, size
from rlhf_lab.exercises.framework import Case, Exercise, mistake


def clip_higher_objective(ratio: Tensor, advantages: Tensor, low: float, high: float) -> Tensor:
    """The clipped objective of each token, with two bounds ("clip-higher": DAPO, Yu et al. 2025, section 3.1).

    ratio: (N,) new by old probability of each token. advantages: (N,). low, high: how far the ratio may fall below 1,
    and rise above 1, and still be rewarded. Returns (N,), to be *maximised*.
    """
    clipped = ratio.clamp(1 - low, 1 + high)
    return torch.minimum(ratio * advantages, clipped * advantages)  # the more pessimistic of the two


def cases():
    for title, ratio, advantage in (
        ("good, and a little likelier", 1.1, 2.0),
        ("good, and likelier by a quarter", 1.25, 2.0),
        ("good, and much likelier", 1.5, 2.0),
        ("bad, and much less likely", 0.5, -1.0),
        ("bad, and a little less likely", 0.75, -1.0),
        ("bad, but much likelier", 1.5, -1.0),
        ("good, but much less likely", 0.5, 1.0),
    ):
        yield Case(title, (torch.tensor([ratio]), torch.tensor([advantage]), 0.2, 0.3))
    yield Case("more room downwards", (torch.tensor([0.5, 1.5, 1.0]), torch.tensor([-2.0, 1.0, 3.0]), 0.4, 0.1))


def draw(generator):
    n = size(generator, 4, 8)
    low = 0.1 * size(generator, 1, 3)
    return normal(generator, n, scale=0.4).exp(), normal(generator, n), low, low + 0.1 * size(generator, 1, 2)


def _objective(ratio, advantages, low, high):
    return torch.minimum(ratio * advantages, ratio.clamp(1 - low, 1 + high) * advantages)


@mistake("You used the lower bound for both sides.", "That is PPO's clip. Upwards there is more room: 1 + high.")
def low_for_both(ratio, advantages, low, high):
    return _objective(ratio, advantages, low, low)


@mistake(
    "You used the upper bound for both sides.",
    "Only upwards there is more room. Downwards, tokens would be pushed out of the policy faster: 1 - low.",
)
def high_for_both(ratio, advantages, low, high):
    return _objective(ratio, advantages, high, high)


@mistake("The two bounds are the wrong way round.", "low belongs below 1, high above.")
def bounds_swapped(ratio, advantages, low, high):
    return _objective(ratio, advantages, high, low)


@mistake("You clipped to the bounds themselves.", "The ratio is around 1: from 1 - low to 1 + high.")
def around_zero(ratio, advantages, low, high):
    return torch.minimum(ratio * advantages, ratio.clamp(-low, high) * advantages)


@mistake("The sign is that of a loss.", "Here the objective is wanted, which is maximised. The loss is its negative.")
def negative(ratio, advantages, low, high):
    return -_objective(ratio, advantages, low, high)


@mistake(
    "You took the clipped term alone, without the minimum.",
    "Where the ratio has moved the *wrong* way, clipping would switch the gradient off that could bring it back.",
)
def only_clipped(ratio, advantages, low, high):
    return ratio.clamp(1 - low, 1 + high) * advantages


@mistake(
    "You took the larger of the two terms.",
    "The minimum is the pessimist: no reward for going too far, but full blame for going wrong.",
)
def maximum(ratio, advantages, low, high):
    return torch.maximum(ratio * advantages, ratio.clamp(1 - low, 1 + high) * advantages)


@mistake("You did not clip.", "Without it one batch may push the policy as far as it likes.")
def not_clipped(ratio, advantages, low, high):
    return ratio * advantages


@mistake("You clipped only above.", "Downwards there is a bound, too: 1 - low.")
def only_upper(ratio, advantages, low, high):
    return torch.minimum(ratio * advantages, ratio.clamp(max=1 + high) * advantages)


@mistake("You clipped the product with the advantage, not the ratio.", "Clip the ratio, then multiply.")
def product_clipped(ratio, advantages, low, high):
    product = ratio * advantages
    return torch.minimum(product, product.clamp(1 - low, 1 + high))


@mistake("You averaged over the tokens.", "One number a token is wanted: over what the mean goes is another choice.")
def averaged(ratio, advantages, low, high):
    return _objective(ratio, advantages, low, high).mean()


@mistake(
    "You took the smaller ratio, and multiplied it with the advantage afterwards.",
    "For a bad token the smaller ratio is the *milder* one. Multiply both with the advantage, then take the minimum.",
)
def smaller_ratio(ratio, advantages, low, high):
    return torch.minimum(ratio, ratio.clamp(1 - low, 1 + high)) * advantages


EXERCISE = Exercise(
    reference=clip_higher_objective,
    title="more room upwards",
    question="""
        A token of probability 0.01 that did well may rise to 0.012 under a clip of 0.2, one of 0.5 to 0.6. Clip-higher
        gives rare tokens more room to rise, and leaves the bound below where it was, so that no bad token is pushed out
        sooner. Write the objective with the two bounds.
    """,
    difficulty=2,
    minutes=6,
    hints=(
        "As PPO's clipped objective (notebook 08), except that the ratio's two bounds are different.",
        "`ratio.clamp(1 - low, 1 + high)`, times the advantage, and `torch.minimum` with the unclipped product.",
    ),
    cases=cases,
    draw=draw,
    mistakes=(
        low_for_both,
        high_for_both,
        bounds_swapped,
        around_zero,
        negative,
        only_clipped,
        maximum,
        not_clipped,
        only_upper,
        product_clipped,
        averaged,
        smaller_ratio,
    ),
    gradients=("ratio",),
)
