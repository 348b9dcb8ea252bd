"""Exercise of notebook 00: how far the policy has moved, in nats a completion."""

import torch
from torch import Tensor

from rlhf_lab.exercises.drawing import normal, right_padded, size, with_garbage
from rlhf_lab.exercises.framework import Case, Exercise, mistake


def kl_of_completion(log_probs: Tensor, reference_log_probs: Tensor, mask: Tensor) -> Tensor:
    """Estimated KL of the policy from the reference model, in nats per completion, averaged over completions.

    log_probs, reference_log_probs: (B, T), what policy and reference model give each token that the *policy* sampled.
    mask: (B, T) bool, true on real tokens. The padding may hold anything, -inf and NaN too. Returns a scalar.
    """
    log_ratio = (log_probs - reference_log_probs).masked_fill(~mask, 0.0)  # (B, T): how much likelier now
    return log_ratio.sum(1).mean()  # log-probabilities of a text add up over its tokens


def cases():
    yield Case(
        "one completion of two tokens",
        (torch.tensor([[-1.0, -2.0]]), torch.tensor([[-1.5, -2.25]]), torch.tensor([[True, True]])),
    )
    yield Case(
        "the second completion has one token",
        (
            torch.tensor([[-1.0, -2.0], [-0.5, -9.0]]),
            torch.tensor([[-1.5, -2.25], [-0.75, -3.0]]),
            torch.tensor([[True, True], [True, False]]),
        ),
    )
    yield Case(
        "the padding holds -inf",
        (torch.tensor([[-1.0, -torch.inf]]), torch.tensor([[-3.0, -torch.inf]]), torch.tensor([[True, False]])),
    )
    yield Case(
        "the policy likes its sample less than the reference does",
        (torch.tensor([[-4.0, -1.0]]), torch.tensor([[-1.0, -1.5]]), torch.tensor([[True, True]])),
    )
    yield Case("nothing has moved", (torch.full((2, 3), -1.0), torch.full((2, 3), -1.0), torch.ones(2, 3).bool()))


def draw(generator):
    rows, width = size(generator, 2, 5), size(generator, 2, 6)
    mask = right_padded(generator, rows, width)
    log_probs = -normal(generator, rows, width).abs() - 0.1
    reference = log_probs + normal(generator, rows, width, scale=0.5)
    return with_garbage(log_probs, mask, -1e4), with_garbage(reference, mask, -3.0), mask


def _ratio(log_probs, reference_log_probs, mask):
    return (log_probs - reference_log_probs).masked_fill(~mask, 0.0)


@mistake(
    "The sign is wrong.",
    "It is log p(policy) - log p(reference), for tokens that the policy sampled. The other way round, moving away"
    " would earn a reward.",
)
def wrong_sign(log_probs, reference_log_probs, mask):
    return -_ratio(log_probs, reference_log_probs, mask).sum(1).mean()


@mistake("You counted the padding.", "Nobody sampled it. Leave it out, by the mask.")
def padding_counted(log_probs, reference_log_probs, mask):
    return (log_probs - reference_log_probs).sum(1).mean()


@mistake(
    "You multiplied by the mask what may be infinite under the padding.",
    "0 times infinity is not a number. masked_fill or torch.where put a zero there, whatever it was.",
)
def times_mask(log_probs, reference_log_probs, mask):
    return ((log_probs - reference_log_probs) * mask).sum(1).mean()


@mistake(
    "That is KL per token.",
    "Nats per completion was asked for: add up over the tokens of a completion, and average over completions.",
)
def per_token(log_probs, reference_log_probs, mask):
    return _ratio(log_probs, reference_log_probs, mask).sum() / mask.sum()


@mistake(
    "You averaged over the tokens of each completion.",
    "A text's log-probability is the sum over its tokens, so its KL is a sum as well.",
)
def mean_of_each(log_probs, reference_log_probs, mask):
    return (_ratio(log_probs, reference_log_probs, mask).sum(1) / mask.sum(1)).mean()


@mistake("You added up all completions.", "Average over the batch: otherwise twice as many samples are twice as far.")
def summed(log_probs, reference_log_probs, mask):
    return _ratio(log_probs, reference_log_probs, mask).sum()


@mistake(
    "You took the size of each log-ratio.",
    "Some tokens became likelier and others less likely. In the sum they cancel in part, and they should.",
)
def absolute(log_probs, reference_log_probs, mask):
    return _ratio(log_probs, reference_log_probs, mask).abs().sum(1).mean()


@mistake(
    "You weighed each log-ratio by its probability.",
    "The samples come from the policy, so likely tokens occur more often already. Weighing would count that twice.",
)
def weighted(log_probs, reference_log_probs, mask):
    return (_ratio(log_probs, reference_log_probs, mask) * log_probs.exp()).sum(1).mean()


@mistake("You took the ratio of the probabilities, without its logarithm.", "KL is the mean of the *log*-ratio.")
def ratio(log_probs, reference_log_probs, mask):
    return (log_probs - reference_log_probs).exp().masked_fill(~mask, 0.0).sum(1).mean()


@mistake(
    "That is another estimator, the one called k3.",
    "Its mean is the same, and notebook 07 compares the two. Here the plain log-ratio was asked for.",
)
def k3(log_probs, reference_log_probs, mask):
    log_ratio = _ratio(log_probs, reference_log_probs, mask)
    return (log_ratio + (-log_ratio).exp() - 1).sum(1).mean()


@mistake(
    "That weighs by the reference's probabilities: the arguments of kl_div in an order that means something else.",
    "The tokens were sampled already, so nothing has to be weighed: average the plain log-ratio.",
)
def kl_div_other_way(log_probs, reference_log_probs, mask):
    return (-_ratio(log_probs, reference_log_probs, mask) * reference_log_probs.exp()).sum(1).mean()


@mistake(
    "You kept the padding and left out the real tokens.",
    "The mask is true on real tokens, and masked_fill fills where *its* mask is true: give it ~mask.",
)
def mask_inverted(log_probs, reference_log_probs, mask):
    return (log_probs - reference_log_probs).masked_fill(mask, 0.0).sum(1).mean()


@mistake(
    "That is another estimator, the one called k2: half the square of the log-ratio.",
    "Notebook 07 compares it with others. Here the plain log-ratio was asked for.",
)
def k2(log_probs, reference_log_probs, mask):
    return (_ratio(log_probs, reference_log_probs, mask) ** 2 / 2).sum(1).mean()


EXERCISE = Exercise(
    reference=kl_of_completion,
    title="how far has the policy moved?",
    question="""
        The leash of section 4 is measured on samples. For each token of a completion you know the logarithm of its
        probability under the policy, which wrote it, and under the reference model. KL is the mean of the log-ratio:
        how much likelier the policy finds what it wrote. How many nats is that per completion? Completions differ in
        length, so the batch is padded. The padding may hold anything, -inf and NaN too.
    """,
    difficulty=2,
    minutes=10,
    hints=(
        "How much likelier has the policy made this token? That is a difference of logarithms. What a whole text has is"
        " the sum over its tokens.",
        "Set the differences under the padding to zero with `masked_fill(~mask, 0.0)`, sum over dimension 1, and take"
        " the mean over the batch.",
    ),
    cases=cases,
    draw=draw,
    mistakes=(
        wrong_sign,
        padding_counted,
        times_mask,
        per_token,
        mean_of_each,
        summed,
        absolute,
        weighted,
        ratio,
        k3,
        kl_div_other_way,
        mask_inverted,
        k2,
    ),
    gradients=("log_probs",),
)
