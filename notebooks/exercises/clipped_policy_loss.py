"""Exercise of notebook 08: PPO's policy loss."""

import torch
from torch import Tensor

from rlhf_lab.exercises.drawing import normal, right_padded, size, with_garbage
from rlhf_lab.exercises.framework import Case, Exercise, mistake


def clipped_policy_loss(
    log_probs: Tensor, old_log_probs: Tensor, advantages: Tensor, mask: Tensor, clip: float
) -> Tensor:
    """PPO's clipped policy loss, averaged over real tokens (Schulman et al. 2017, equation 7).

    log_probs, old_log_probs: (B, T), of the sampled tokens under the policy as it is now, and as it was when sampling.
    advantages: (B, T). mask: (B, T) bool. clip: how far the ratio may move from 1 and still be rewarded.
    """
    ratio = (log_probs - old_log_probs).exp()  # (B, T): 1 before the first update
    unclipped = ratio * advantages
    clipped = ratio.clamp(1 - clip, 1 + clip) * advantages
    return -torch.minimum(unclipped, clipped)[mask].mean()  # the more pessimistic of the two


def _case(title, ratio, advantages, mask=None, clip=0.2):
    ratio, advantages = torch.tensor([ratio]), torch.tensor([advantages])
    mask = torch.ones_like(ratio).bool() if mask is None else torch.tensor([mask]).bool()
    old = torch.full_like(ratio, -1.0)
    return Case(title, (old + ratio.log(), old, advantages, mask, clip))


def cases():
    yield _case("one token, nothing has moved", [1.0], [2.0])
    yield _case("one token, a little likelier", [1.1], [2.0])
    yield _case("good, and already much likelier", [1.5], [2.0])
    yield _case("bad, and already much less likely", [0.5], [-1.0])
    yield _case("bad, but much likelier", [1.5], [-1.0])
    yield _case("good, but much less likely", [0.5], [1.0])
    yield _case("padding", [1.1, 3.0, 0.9], [1.0, 50.0, -2.0], [True, False, True])
    yield Case(
        "rows of different length",
        (
            torch.tensor([[-1.0, -2.0], [-0.5, 9.0]]),
            torch.tensor([[-1.1, -2.0], [-0.7, 0.0]]),
            torch.tensor([[1.0, 3.0], [-2.0, 9.0]]),
            torch.tensor([[1, 1], [1, 0]]).bool(),
            0.3,
        ),
    )


def draw(generator):
    rows, width = size(generator, 2, 4), size(generator, 3, 6)
    mask = right_padded(generator, rows, width)
    old = -normal(generator, rows, width).abs() - 0.1
    new = old + normal(generator, rows, width, scale=0.4)
    advantages = with_garbage(normal(generator, rows, width), mask, 20.0)
    return new, old, advantages, mask, 0.1 * size(generator, 1, 3)


def _two(log_probs, old_log_probs, advantages, clip):
    ratio = (log_probs - old_log_probs).exp()
    return ratio * advantages, ratio.clamp(1 - clip, 1 + clip) * advantages


@mistake("The sign is wrong.", "An optimiser goes down, and good tokens are to become likelier: minus.")
def wrong_sign(log_probs, old_log_probs, advantages, mask, clip):
    return torch.minimum(*_two(log_probs, old_log_probs, advantages, clip))[mask].mean()


@mistake("You did not clip.", "Without it one batch may push the policy as far as it likes.")
def not_clipped(log_probs, old_log_probs, advantages, mask, clip):
    return -_two(log_probs, old_log_probs, advantages, clip)[0][mask].mean()


@mistake(
    "You took the clipped term alone, without the minimum.",
    "Where the ratio has moved the *wrong* way, clipping would switch the gradient off that could bring it back.",
)
def only_clipped(log_probs, old_log_probs, advantages, mask, clip):
    return -_two(log_probs, old_log_probs, advantages, clip)[1][mask].mean()


@mistake(
    "You took the larger of the two terms.",
    "The minimum is the pessimist: no reward for going too far, but full blame for going wrong.",
)
def maximum(log_probs, old_log_probs, advantages, mask, clip):
    return -torch.maximum(*_two(log_probs, old_log_probs, advantages, clip))[mask].mean()


@mistake("Your ratio is upside down.", "The new probability by the old: exp(log_probs - old_log_probs).")
def ratio_inverted(log_probs, old_log_probs, advantages, mask, clip):
    return -torch.minimum(*_two(old_log_probs, log_probs, advantages, clip))[mask].mean()


@mistake(
    "Your ratio compares the new policy with itself.",
    "It is then 1 whatever has changed, and nothing is ever clipped. The old log-probabilities are an input.",
)
def ratio_to_itself(log_probs, old_log_probs, advantages, mask, clip):
    return -torch.minimum(*_two(log_probs, log_probs.detach(), advantages, clip))[mask].mean()


@mistake(
    "You used the difference of the logarithms as the ratio.", "Take its exponential: where nothing moved, it is 1."
)
def no_exponential(log_probs, old_log_probs, advantages, mask, clip):
    ratio = log_probs - old_log_probs
    clipped = ratio.clamp(1 - clip, 1 + clip)
    return -torch.minimum(ratio * advantages, clipped * advantages)[mask].mean()


@mistake("You counted the padding.", "The mean is over real tokens: [mask], then the mean.")
def padding_counted(log_probs, old_log_probs, advantages, mask, clip):
    return -torch.minimum(*_two(log_probs, old_log_probs, advantages, clip)).mean()


@mistake("You divided by all columns.", "Leave the padding out of the count, too.")
def divided_by_all(log_probs, old_log_probs, advantages, mask, clip):
    return -torch.minimum(*_two(log_probs, old_log_probs, advantages, clip)).masked_fill(~mask, 0.0).mean()


@mistake("You clipped only above.", "Bad tokens are pushed down: there the bound below, 1 - clip, does the work.")
def only_upper(log_probs, old_log_probs, advantages, mask, clip):
    ratio = (log_probs - old_log_probs).exp()
    return -torch.minimum(ratio * advantages, ratio.clamp(max=1 + clip) * advantages)[mask].mean()


@mistake(
    "You averaged each row first, and then the rows.",
    "That is another choice (GRPO's): a token of a long completion counts less. Here all tokens count alike.",
)
def mean_of_rows(log_probs, old_log_probs, advantages, mask, clip):
    terms = torch.minimum(*_two(log_probs, old_log_probs, advantages, clip)).masked_fill(~mask, 0.0)
    return -(terms.sum(1) / mask.sum(1)).mean()


@mistake("You clipped the product with the advantage, not the ratio.", "Clip the ratio, then multiply.")
def product_clipped(log_probs, old_log_probs, advantages, mask, clip):
    product = (log_probs - old_log_probs).exp() * advantages
    return -torch.minimum(product, product.clamp(1 - clip, 1 + clip))[mask].mean()


@mistake(
    "You took the smaller ratio, and multiplied it with the advantage afterwards.",
    "For a bad token the smaller ratio is the *milder* one. Multiply both with the advantage, then take the minimum.",
)
def smaller_ratio(log_probs, old_log_probs, advantages, mask, clip):
    ratio = (log_probs - old_log_probs).exp()
    return -(torch.minimum(ratio, ratio.clamp(1 - clip, 1 + clip)) * advantages)[mask].mean()


@mistake(
    "You divided one log-probability by the other.",
    "A ratio of probabilities is the exponential of the *difference* of their logarithms.",
)
def ratio_of_logarithms(log_probs, old_log_probs, advantages, mask, clip):
    ratio = log_probs / old_log_probs
    return -torch.minimum(ratio * advantages, ratio.clamp(1 - clip, 1 + clip) * advantages)[mask].mean()


@mistake(
    "You clipped the logarithm of the ratio.",
    "Then the bounds are exp(-clip) and exp(clip). Take the exponential first, and hold it from 1 - clip to 1 + clip.",
)
def logarithm_clipped(log_probs, old_log_probs, advantages, mask, clip):
    moved = log_probs - old_log_probs
    return -torch.minimum(moved.exp() * advantages, moved.clamp(-clip, clip).exp() * advantages)[mask].mean()


EXERCISE = Exercise(
    reference=clipped_policy_loss,
    title="PPO's clipped loss",
    question="""
        The same samples serve for several updates, and after the first they are no longer the policy's own. The ratio
        of new to old probability corrects for that; the clip says how far it may be trusted. Write the loss: of the
        product of ratio and advantage, and the same with the clamped ratio, each token counts the more pessimistic one.
    """,
    difficulty=3,
    minutes=10,
    hints=(
        "Two terms: ratio times advantage, and clipped ratio times advantage. Which of the two is the cautious one,"
        " for a good token and for a bad one?",
        "`ratio.clamp(1 - clip, 1 + clip)` and `torch.minimum` of the two products. Then `[mask]`, the"
        " mean, and minus.",
    ),
    cases=cases,
    draw=draw,
    mistakes=(
        wrong_sign,
        not_clipped,
        only_clipped,
        maximum,
        ratio_inverted,
        ratio_to_itself,
        no_exponential,
        padding_counted,
        divided_by_all,
        only_upper,
        mean_of_rows,
        product_clipped,
        smaller_ratio,
        ratio_of_logarithms,
        logarithm_clipped,
    ),
    gradients=("log_probs",),
)
