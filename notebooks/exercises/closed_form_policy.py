"""Exercise of notebook 07: the best policy for a price of drifting, written down at once."""

import torch
from torch import Tensor

from rlhf_lab.exercises.drawing import normal, size
from rlhf_lab.exercises.framework import Case, Exercise, mistake


def closed_form_policy(reference_logits: Tensor, rewards: Tensor, beta: float) -> Tensor:
    """Log-probabilities of the policy that maximises E[R] - beta KL(policy || reference).

    reference_logits: (P, N) of the N completions of each of P prompts, up to a constant for each prompt.
    rewards: (P, N). beta: above zero. Returns (P, N); the probabilities of each prompt's completions add up to 1.
    """
    logits = reference_logits + rewards / beta  # log(reference exp(R / beta)), up to a constant
    return logits - logits.logsumexp(-1, keepdim=True)  # the constant: log Z of each prompt


def cases():
    yield Case("one prompt, two completions as likely", (torch.tensor([[0.0, 0.0]]), torch.tensor([[1.0, 0.0]]), 0.5))
    yield Case("the worse one is likelier", (torch.tensor([[0.9, 0.1]]).log(), torch.tensor([[0.0, 1.0]]), 2.0))
    yield Case("two prompts", (torch.tensor([[0.0, 1.0], [2.0, 0.0]]), torch.tensor([[1.0, -1.0], [0.0, 3.0]]), 0.5))
    yield Case("drifting costs next to nothing", (torch.tensor([[0.0, -1.0]]), torch.tensor([[1.0, 2.0]]), 0.005))
    yield Case("all rewards are the same", (torch.tensor([[0.0, -1.0, 1.0]]), torch.tensor([[2.0, 2.0, 2.0]]), 1.0))


def draw(generator):
    shape = size(generator, 2, 4), size(generator, 2, 5)
    return normal(generator, *shape), normal(generator, *shape, scale=2.0), 0.25 + 0.25 * size(generator, 0, 6)


def _normal(logits):
    return logits.log_softmax(-1)


@mistake("You multiplied by beta.", "A high price must keep the policy near the reference: divide by it.")
def multiplied(reference_logits, rewards, beta):
    return _normal(reference_logits + rewards * beta)


@mistake(
    "You left the reference out.",
    "exp(R / beta) / Z is the best policy for a price on being *predictable*. The reference is what drifting is"
    " measured from: it is a factor of the best policy.",
)
def no_reference(reference_logits, rewards, beta):
    return _normal(rewards / beta)


@mistake(
    "You divided the reference by beta as well.",
    "Only the reward is in units of the price. Dividing the reference's logits would sharpen it: for the same"
    " reward everywhere, the optimum must be the reference itself.",
)
def all_divided(reference_logits, rewards, beta):
    return _normal((reference_logits + rewards) / beta)


@mistake("You returned probabilities.", "Log-probabilities are wanted. They are safe where probabilities round to 0.")
def probabilities(reference_logits, rewards, beta):
    return _normal(reference_logits + rewards / beta).exp()


@mistake("You did not normalise.", "The probabilities must add up to 1: subtract log Z, a logsumexp.")
def not_normalised(reference_logits, rewards, beta):
    return reference_logits + rewards / beta


@mistake("Your best policy seeks the worst.", "The reward has a plus in the exponent.")
def wrong_sign(reference_logits, rewards, beta):
    return _normal(reference_logits - rewards / beta)


@mistake("You normalised over the prompts.", "Each prompt has a Z of its own, over its completions: the last axis.")
def over_prompts(reference_logits, rewards, beta):
    return (reference_logits + rewards / beta).log_softmax(0)


@mistake("You normalised all prompts together.", "Each prompt has a Z of its own, over its completions: the last axis.")
def over_all(reference_logits, rewards, beta):
    logits = reference_logits + rewards / beta
    return logits - logits.flatten().logsumexp(0)


@mistake(
    "Your exponentials overflow.",
    "Where beta is small, exp(R / beta) is too large for a float. Stay with logarithms until the end: logsumexp"
    " subtracts the largest first.",
)
def overflow(reference_logits, rewards, beta):
    weights = reference_logits.exp() * torch.exp(rewards / beta)
    return (weights / weights.sum(-1, keepdim=True)).log()


@mistake(
    "You mixed up logits and probabilities: the reference has lost its exponential.",
    "The product of reference and exp(R / beta) is a sum of logarithms: add the logits, do not multiply by them.",
)
def logits_multiplied(reference_logits, rewards, beta):
    return _normal(reference_logits * rewards / beta)


EXERCISE = Exercise(
    reference=closed_form_policy,
    title="the best policy, at once",
    question="""
        Where all completions can be listed, nobody needs to train anything: the best policy for a price is

        $$\\pi^*(y) = \\frac{1}{Z}\\, \\pi_\\text{ref}(y)\\, e^{R(y)/\\beta}, \\qquad
        Z = \\sum_y \\pi_\\text{ref}(y)\\, e^{R(y)/\\beta}.$$

        Write its logarithm, for several prompts at once. For a small price, $e^{R/\\beta}$ is larger than any float, so
        do not leave the logarithms.
    """,
    difficulty=2,
    minutes=10,
    hints=(
        "A product of probabilities is a sum of logarithms. And Z, in logarithms, is a `logsumexp` over"
        " the completions.",
        "Add `rewards / beta` to the reference's logits. What is then left is what `log_softmax` does"
        " along the last axis.",
    ),
    cases=cases,
    draw=draw,
    mistakes=(
        multiplied,
        no_reference,
        all_divided,
        probabilities,
        not_normalised,
        wrong_sign,
        over_prompts,
        over_all,
        overflow,
        logits_multiplied,
    ),
    gradients=("rewards",),
)
