"""Exercise of notebook 06: REINFORCE with a learned baseline, as a loss."""

import torch
from torch import Tensor

from rlhf_lab.exercises.drawing import normal, right_padded, size, with_garbage
from rlhf_lab.exercises.framework import Case, Exercise, mistake


def reinforce_with_baseline(log_probs: Tensor, mask: Tensor, rewards: Tensor, baseline: Tensor) -> Tensor:
    """A loss whose negative gradient is the policy gradient (Williams 1992), averaged over completions.

    log_probs: (B, T) of sampled tokens. mask: (B, T) bool, true on real tokens. rewards: (B,). baseline: (B,), what was
    expected of each completion; it comes from a network with a loss of its own. Returns a scalar.
    """
    advantages = (rewards - baseline).detach()  # a weight, through which nothing must learn
    completions = log_probs.masked_fill(~mask, 0.0).sum(1)  # (B,): log-probability of each whole completion
    return -(advantages * completions).mean()


def cases():
    yield Case(
        "one completion, better than expected",
        (torch.tensor([[-1.0, -2.0]]), torch.tensor([[True, True]]), torch.tensor([3.0]), torch.tensor([1.0])),
    )
    yield Case(
        "the second completion has one token",
        (
            torch.tensor([[-1.0, -2.0], [-0.5, -9.0]]),
            torch.tensor([[True, True], [True, False]]),
            torch.tensor([1.0, 0.0]),
            torch.tensor([0.25, 0.5]),
        ),
    )
    yield Case(
        "just as expected", (torch.tensor([[-1.0]]), torch.tensor([[True]]), torch.tensor([2.0]), torch.tensor([2.0]))
    )
    yield Case(
        "under the padding stands -inf",
        (torch.tensor([[-1.0, -torch.inf]]), torch.tensor([[True, False]]), torch.tensor([1.0]), torch.tensor([-1.0])),
    )


def draw(generator):
    rows, width = size(generator, 2, 5), size(generator, 2, 5)
    mask = right_padded(generator, rows, width)
    log_probs = with_garbage(-normal(generator, rows, width).abs() - 0.1, mask, -100.0)
    return log_probs, mask, normal(generator, rows), normal(generator, rows)


def _completions(log_probs, mask):
    return log_probs.masked_fill(~mask, 0.0).sum(1)


@mistake(
    "The sign is wrong.",
    "An optimiser goes down. To make what is better than expected *more* likely, the loss is minus the product of"
    " the log-probability and (reward - baseline).",
)
def wrong_sign(log_probs, mask, rewards, baseline):
    return ((rewards - baseline).detach() * _completions(log_probs, mask)).mean()


@mistake(
    "You left out the baseline.",
    "Without it the gradient is right on average, but noisy: everything with a positive reward is pushed up.",
)
def no_baseline(log_probs, mask, rewards, baseline):
    return -(rewards * _completions(log_probs, mask)).mean()


@mistake("You added the baseline.", "What was expected is subtracted: what counts is the surprise.")
def baseline_added(log_probs, mask, rewards, baseline):
    return -((rewards + baseline).detach() * _completions(log_probs, mask)).mean()


@mistake(
    "A gradient flows into the baseline.",
    "The baseline's network would learn to be as wrong as possible wherever that lowers this loss. Detach it.",
)
def baseline_not_detached(log_probs, mask, rewards, baseline):
    return -((rewards - baseline) * _completions(log_probs, mask)).mean()


@mistake("You counted the padding.", "Nobody sampled it: leave it out, by the mask.")
def padding_counted(log_probs, mask, rewards, baseline):
    return -((rewards - baseline).detach() * log_probs.sum(1)).mean()


@mistake(
    "You averaged over the tokens of a completion.",
    "The log-probability of a completion is the sum over its tokens. A mean would make each token of a long text"
    " count less.",
)
def mean_over_tokens(log_probs, mask, rewards, baseline):
    return -((rewards - baseline).detach() * _completions(log_probs, mask) / mask.sum(1)).mean()


@mistake("You added up completions instead of averaging.", "The step would grow with the batch.")
def summed(log_probs, mask, rewards, baseline):
    return -((rewards - baseline).detach() * _completions(log_probs, mask)).sum()


@mistake(
    "You used probabilities instead of their logarithms.",
    "The gradient of p, under samples from p, is not the policy gradient: the grad-log trick brings the logarithm in.",
)
def no_logarithm(log_probs, mask, rewards, baseline):
    return -((rewards - baseline).detach() * _completions(log_probs, mask).exp()).mean()


EXERCISE = Exercise(
    reference=reinforce_with_baseline,
    title="REINFORCE with a baseline",
    question="""
        Write the loss whose negative gradient is the policy gradient,
        $\\nabla J = E[(R - b)\\, \\nabla \\log \\pi(\\text{completion})]$. The number itself means nothing; only its
        gradient does, and `check` looks at that as well: where it should flow, and where it must not.
    """,
    difficulty=3,
    minutes=10,
    hints=(
        "The log-probability of a completion is the sum over its real tokens. It is multiplied by how much better the"
        " completion was than expected.",
        "`(rewards - baseline).detach()` is a fixed weight. `masked_fill(~mask, 0.0)` takes the padding out, also"
        " where it is infinite. And the optimiser goes *down*.",
    ),
    cases=cases,
    draw=draw,
    mistakes=(
        wrong_sign,
        no_baseline,
        baseline_added,
        baseline_not_detached,
        padding_counted,
        mean_over_tokens,
        summed,
        no_logarithm,
    ),
    gradients=("log_probs", "baseline"),
)
