"""Exercise of notebook 06: the same gradient from pulls alone, by the score function."""

import torch
from torch import Tensor

from rlhf_lab.exercises.drawing import normal, size, whole
from rlhf_lab.exercises.framework import Case, Exercise, mistake


def reinforce_estimate(logits: Tensor, actions: Tensor, rewards: Tensor) -> Tensor:
    """An estimate of the gradient of the expected reward from pulls of a bandit's arms (REINFORCE, Williams 1992).

    logits: (A,) of the softmax policy that chose. actions: (N,) whole numbers, the arm of each pull. rewards: (N,),
    what each pull paid. Returns (A,): the mean over pulls of reward times gradient of log pi(action).
    """
    policy = torch.softmax(logits, 0)  # (A,)
    pulled = torch.nn.functional.one_hot(actions, len(logits)).to(policy.dtype)  # (N, A)
    scores = pulled - policy  # (N, A): the gradient of log pi(action) by the logits
    return (rewards[:, None] * scores).mean(0)


def cases():
    yield Case("one pull", (torch.tensor([0.0, 0.0]), torch.tensor([0]), torch.tensor([1.0])))
    yield Case(
        "two pulls of three arms", (torch.tensor([1.0, 0.0, -1.0]), torch.tensor([2, 0]), torch.tensor([3.0, 1.0]))
    )
    yield Case(
        "the same arm again and again",
        (torch.tensor([0.5, 0.0]), torch.tensor([1, 1, 1]), torch.tensor([1.0, -2.0, 4.0])),
    )
    yield Case(
        "an arm of little probability", (torch.tensor([3.0, 0.0, 0.0]), torch.tensor([0, 2]), torch.tensor([1.0, 1.0]))
    )
    yield Case("nothing was paid", (torch.tensor([1.0, 0.0]), torch.tensor([0, 1]), torch.tensor([0.0, 0.0])))


def draw(generator):
    arms, pulls = size(generator, 3, 5), size(generator, 2, 6)
    return normal(generator, arms), whole(generator, 0, arms - 1, pulls), normal(generator, pulls) + 1


def _pulled(logits, actions):
    return torch.nn.functional.one_hot(actions, len(logits)).to(logits.dtype)


@mistake(
    "You raised the arm that was pulled, and did not lower the others.",
    "The gradient of log softmax is one-hot *minus the probabilities*: whatever was pulled, the log-probabilities"
    " of the arms must share what there is.",
)
def only_one_hot(logits, actions, rewards):
    return (rewards[:, None] * _pulled(logits, actions)).mean(0)


@mistake("You added up the pulls instead of averaging.", "The estimate would grow with the number of pulls.")
def summed(logits, actions, rewards):
    return (rewards[:, None] * (_pulled(logits, actions) - torch.softmax(logits, 0))).sum(0)


@mistake(
    "The sign is wrong.", "An arm that pays must go up. It is one-hot less probabilities, not the other way round."
)
def wrong_sign(logits, actions, rewards):
    return (rewards[:, None] * (torch.softmax(logits, 0) - _pulled(logits, actions))).mean(0)


@mistake(
    "You differentiated the probability, not its logarithm.",
    "The factor pi(action) is already there: by sampling, a likely arm comes more often. With it in the sum as"
    " well, likely arms count twice.",
)
def no_logarithm(logits, actions, rewards):
    policy = torch.softmax(logits, 0)
    return (rewards[:, None] * policy[actions][:, None] * (_pulled(logits, actions) - policy)).mean(0)


@mistake(
    "You divided by the probability of the action.",
    "grad log pi = grad pi / pi holds that division already: one-hot less probabilities is its result.",
)
def divided_by_probability(logits, actions, rewards):
    policy = torch.softmax(logits, 0)
    return (rewards[:, None] / policy[actions][:, None] * (_pulled(logits, actions) - policy)).mean(0)


@mistake(
    "You left out the rewards.",
    "Without them the mean of the scores is zero, but for chance: there is nothing to learn in it.",
)
def no_rewards(logits, actions, rewards):
    return (_pulled(logits, actions) - torch.softmax(logits, 0)).mean(0)


@mistake(
    "You multiplied the mean reward by the mean score.",
    "Each pull's reward belongs to its own score. What is learned is how the two go *together*.",
)
def means_multiplied(logits, actions, rewards):
    return rewards.mean() * (_pulled(logits, actions) - torch.softmax(logits, 0)).mean(0)


@mistake(
    "You subtracted a baseline.",
    "A good idea, and the next section's. Here the plain estimate is wanted, as a yardstick.",
)
def with_baseline(logits, actions, rewards):
    centred = rewards - rewards.mean()
    return (centred[:, None] * (_pulled(logits, actions) - torch.softmax(logits, 0))).mean(0)


EXERCISE = Exercise(
    reference=reinforce_estimate,
    title="the same gradient from pulls alone",
    question="""
        Now you are not told what the arms pay. You only see pulls: which arm, and what it paid. Estimate the gradient
        of $J$ from $N$ pulls, $\\frac1N \\sum_i R_i\\, \\nabla_\\theta \\log \\pi_\\theta(a_i)$. For a softmax the
        score $\\nabla_\\theta \\log \\pi_\\theta(a)$ has a form that fits into half a line.
    """,
    difficulty=3,
    minutes=10,
    hints=(
        "$\\log \\pi_\\theta(a) = \\theta_a - \\log \\sum_b e^{\\theta_b}$. Differentiate both terms by"
        " $\\theta_c$. The second one gives a probability.",
        "The score of a pull is its arm as one-hot, less the policy. `torch.nn.functional.one_hot(actions, A)` makes"
        " (N, A) of (N,), and `rewards[:, None]` is (N, 1).",
    ),
    cases=cases,
    draw=draw,
    mistakes=(
        only_one_hot,
        summed,
        wrong_sign,
        no_logarithm,
        divided_by_probability,
        no_rewards,
        means_multiplied,
        with_baseline,
    ),
)
