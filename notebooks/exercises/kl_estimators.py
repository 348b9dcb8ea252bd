"""Exercise of notebook 07: three estimates of KL from the same samples."""

import torch
from torch import Tensor

from rlhf_lab.exercises.drawing import normal, size
from rlhf_lab.exercises.framework import Case, Exercise, mistake


def kl_estimators(log_probs: Tensor, reference_log_probs: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Three estimates of KL(policy || reference), token by token, from tokens that the policy sampled (Schulman 2020).

    log_probs, reference_log_probs: (N,). Returns k1, k2, k3, each (N,). k1: the log-ratio, policy over reference. k2:
    half its square. k3: k1 and, added to it, reference/policy - 1, which is zero on average.
    """
    log_ratio = log_probs - reference_log_probs  # log(policy / reference)
    k1 = log_ratio
    k2 = log_ratio**2 / 2
    k3 = torch.expm1(-log_ratio) + log_ratio  # expm1(x) = exp(x) - 1, exact for small x
    return k1, k2, k3


def cases():
    yield Case("a token that has become likelier", (torch.tensor([-1.0]), torch.tensor([-2.0])))
    yield Case("one likelier, one less likely", (torch.tensor([-1.0, -3.0]), torch.tensor([-1.5, -1.0])))
    yield Case("nothing has moved", (torch.tensor([-1.0, -2.0]), torch.tensor([-1.0, -2.0])))
    yield Case("a small move", (torch.tensor([-1.0]), torch.tensor([-1.125])))


def draw(generator):
    n = size(generator, 2, 6)
    log_probs = -normal(generator, n).abs() - 0.1
    return log_probs, log_probs + normal(generator, n)


def _three(x):
    return x, x**2 / 2, torch.exp(-x) - 1 + x


@mistake(
    "Your k1 and k3 are the wrong way round: reference first.",
    "The samples come from the policy, so k1 is log policy less log reference. Flipped, moving away earns a reward.",
)
def flipped(log_probs, reference_log_probs):
    return _three(reference_log_probs - log_probs)


@mistake("Your k1 has the wrong sign.", "On average over the policy's samples it must be positive: log policy first.")
def k1_flipped(log_probs, reference_log_probs):
    k1, k2, k3 = _three(log_probs - reference_log_probs)
    return -k1, k2, k3


@mistake(
    "Your k3 uses policy/reference where it should be reference/policy.",
    "Under samples of the policy, reference/policy has mean 1, so that it can be subtracted without bias. The other"
    " ratio has not.",
)
def k3_flipped(log_probs, reference_log_probs):
    x = log_probs - reference_log_probs
    return x, x**2 / 2, torch.exp(x) - 1 - x


@mistake("Your k2 lacks the one half.", "The series of -log r around 1 begins with half the square.")
def k2_not_halved(log_probs, reference_log_probs):
    k1, k2, k3 = _three(log_probs - reference_log_probs)
    return k1, 2 * k2, k3


@mistake("Your k3 lacks the -1.", "Where nothing has moved, KL is 0, and exp(0) is 1.")
def k3_without_one(log_probs, reference_log_probs):
    k1, k2, k3 = _three(log_probs - reference_log_probs)
    return k1, k2, k3 + 1


@mistake(
    "The logarithm in your k3 has the wrong sign.",
    "With r = reference/policy, k3 is r - 1 - log r, and log r is *minus* the log-ratio of k1.",
)
def k3_log_sign(log_probs, reference_log_probs):
    x = log_probs - reference_log_probs
    return x, x**2 / 2, torch.exp(-x) - 1 - x


@mistake("Your k3 lacks the log-ratio.", "r - 1 alone has mean zero: it is the control variate, not the estimate.")
def k3_without_log(log_probs, reference_log_probs):
    x = log_probs - reference_log_probs
    return x, x**2 / 2, torch.exp(-x) - 1


@mistake("You averaged over the tokens.", "One estimate a token is wanted: the mask and the mean come later.")
def averaged(log_probs, reference_log_probs):
    return tuple(k.mean() for k in _three(log_probs - reference_log_probs))


@mistake(
    "Your k1 is the size of the log-ratio.", "k1 may be negative for a token. Without the sign its mean is not the KL."
)
def k1_absolute(log_probs, reference_log_probs):
    k1, k2, k3 = _three(log_probs - reference_log_probs)
    return k1.abs(), k2, k3


EXERCISE = Exercise(
    reference=kl_estimators,
    title="k1, k2 and k3",
    question="""
        KL is a mean over all tokens that might come. We only have the one that came. Write three estimates from it.
        Two things to check on paper first: which of the two log-probabilities comes first, so that the mean of k1 over
        the policy's own samples is the KL; and that k3 is never below zero. (`torch.expm1(x)` is
        exp(x) - 1, and exact for small x, too.)
    """,
    difficulty=2,
    minutes=10,
    hints=(
        "The samples come from the policy. So k1 is how much likelier the token is under the policy: on average over"
        " its own samples, that is never negative.",
        "With `log_r = reference_log_probs - log_probs`: k1 is `-log_r`, k2 is `log_r ** 2 / 2`, and k3 is"
        " `torch.expm1(log_r) - log_r`.",
    ),
    cases=cases,
    draw=draw,
    mistakes=(
        flipped,
        k1_flipped,
        k3_flipped,
        k2_not_halved,
        k3_without_one,
        k3_log_sign,
        k3_without_log,
        averaged,
        k1_absolute,
    ),
    gradients=("log_probs",),
)
