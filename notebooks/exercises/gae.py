"""Exercise of notebook 08: generalised advantage estimation."""

import torch
from torch import Tensor

from rlhf_lab.exercises.drawing import normal, right_padded, size, with_garbage
from rlhf_lab.exercises.framework import Case, Exercise, mistake


def gae(rewards: Tensor, values: Tensor, mask: Tensor, gamma: float, lam: float) -> Tensor:
    """Generalised advantage estimates (Schulman et al. 2015, equation 16).

    rewards, values: (B, T), anything under the padding. mask: (B, T) bool, padded on the right. Returns (B, T),
    zero on the padding: delta_t = r_t + gamma V_{t+1} - V_t and A_t = delta_t + gamma lam A_{t+1}, where value and
    advantage are 0 after the last real token.
    """
    rewards, values = rewards.masked_fill(~mask, 0.0), values.masked_fill(~mask, 0.0)
    advantages = torch.zeros_like(values)
    next_value = next_advantage = torch.zeros_like(values[:, 0])  # after the end
    for t in reversed(range(values.shape[1])):
        delta = rewards[:, t] + gamma * next_value - values[:, t]
        next_advantage = delta + gamma * lam * next_advantage
        advantages[:, t] = next_advantage
        next_value = values[:, t]
    return advantages


def cases():
    yield Case(
        "two tokens, the reward at the end",
        (torch.tensor([[0.0, 1.0]]), torch.tensor([[0.5, 0.25]]), torch.ones(1, 2).bool(), 1.0, 0.5),
    )
    yield Case(
        "padding after the second token",
        (torch.tensor([[0.0, 1.0, 7.0]]), torch.tensor([[0.5, 0.25, 9.0]]), torch.tensor([[1, 1, 0]]).bool(), 0.5, 0.5),
    )
    yield Case(
        "lambda 0: one step",
        (torch.tensor([[1.0, 0.0, 2.0]]), torch.tensor([[1.0, 3.0, 1.0]]), torch.ones(1, 3).bool(), 0.9, 0.0),
    )
    yield Case(
        "lambda 1: to the end",
        (torch.tensor([[1.0, 0.0, 2.0]]), torch.tensor([[1.0, 3.0, 1.0]]), torch.ones(1, 3).bool(), 0.9, 1.0),
    )
    yield Case(
        "two rows of different length",
        (
            torch.tensor([[1.0, 2.0, 3.0], [1.0, 5.0, 5.0]]),
            torch.tensor([[0.5, 1.0, 2.0], [2.0, 4.0, 4.0]]),
            torch.tensor([[1, 1, 1], [1, 0, 0]]).bool(),
            1.0,
            0.95,
        ),
    )


def draw(generator):
    rows, width = size(generator, 2, 4), size(generator, 3, 6)
    mask = right_padded(generator, rows, width)
    rewards, values = (with_garbage(normal(generator, rows, width), mask, 30.0) for _ in range(2))
    return rewards, values, mask, 1 - 0.1 * size(generator, 0, 4), 0.2 * size(generator, 1, 5)


def _gae(rewards, values, mask, gamma, lam, next_values=None):
    """Advantages with other values in the place of V_{t+1}."""
    rewards, values = rewards.masked_fill(~mask, 0.0), values.masked_fill(~mask, 0.0)
    if next_values is None:
        next_values = torch.cat([values[:, 1:], torch.zeros_like(values[:, :1])], 1)
    deltas = rewards + gamma * next_values - values
    return _discounted(deltas, gamma * lam).masked_fill(~mask, 0.0)


def _discounted(x, factor):
    running, out = torch.zeros_like(x[:, 0]), torch.zeros_like(x)
    for t in reversed(range(x.shape[1])):
        running = x[:, t] + factor * running
        out[:, t] = running
    return out


@mistake(
    "You looked beyond the end: what is under the padding takes part.",
    "After the last real token there is nothing: value 0, advantage 0. Set rewards and values to zero there first.",
)
def padding_counted(rewards, values, mask, gamma, lam):
    return _gae(rewards, values, torch.ones_like(mask), gamma, lam).masked_fill(~mask, 0.0)


@mistake(
    "The advantages run from the left to the right.", "A_t is made from A_{t+1}: begin at the end and go backwards."
)
def forwards(rewards, values, mask, gamma, lam):
    rewards, values = rewards.masked_fill(~mask, 0.0), values.masked_fill(~mask, 0.0)
    deltas = rewards + gamma * torch.cat([values[:, 1:], torch.zeros_like(values[:, :1])], 1) - values
    return _discounted(deltas.flip(1), gamma * lam).flip(1).masked_fill(~mask, 0.0)


@mistake(
    "The advantages run from the left to the right, and on into the padding.",
    "A_t is made from A_{t+1}: begin at the end and go backwards.",
)
def forwards_into_padding(rewards, values, mask, gamma, lam):
    rewards, values = rewards.masked_fill(~mask, 0.0), values.masked_fill(~mask, 0.0)
    deltas = rewards + gamma * torch.cat([values[:, 1:], torch.zeros_like(values[:, :1])], 1) - values
    return _discounted(deltas.flip(1), gamma * lam).flip(1)


@mistake("You forgot gamma before the next value.", "What comes later counts gamma times as much: r + gamma V' - V.")
def no_gamma_on_value(rewards, values, mask, gamma, lam):
    v = values.masked_fill(~mask, 0.0)
    next_values = torch.cat([v[:, 1:], torch.zeros_like(v[:, :1])], 1)
    return _discounted(rewards.masked_fill(~mask, 0.0) + next_values - v, gamma * lam).masked_fill(~mask, 0.0)


@mistake("You forgot lambda.", "A_t = delta_t + gamma lambda A_{t+1}. With lambda left out, that is lambda = 1.")
def no_lambda(rewards, values, mask, gamma, lam):
    return _gae(rewards, values, mask, gamma, 1.0)


@mistake("You forgot gamma before the next advantage.", "It is discounted by gamma *and* lambda.")
def no_gamma_on_advantage(rewards, values, mask, gamma, lam):
    v = values.masked_fill(~mask, 0.0)
    next_values = torch.cat([v[:, 1:], torch.zeros_like(v[:, :1])], 1)
    return _discounted(rewards.masked_fill(~mask, 0.0) + gamma * next_values - v, lam).masked_fill(~mask, 0.0)


@mistake("Those are the returns.", "Advantages plus values are what the value head learns. Leave the values off.")
def returns(rewards, values, mask, gamma, lam):
    return _gae(rewards, values, mask, gamma, lam) + values.masked_fill(~mask, 0.0)


@mistake(
    "You left out the value of the next token.",
    "Without it the reward of one token is compared with the value of everything that is still to come.",
)
def no_bootstrap(rewards, values, mask, gamma, lam):
    return _gae(rewards, values, mask, gamma, lam, next_values=torch.zeros_like(values))


@mistake(
    "At the end you take the value of the first token for the next one.",
    "roll brings the first column to the end. After the end there is nothing: put zeros there.",
)
def rolled(rewards, values, mask, gamma, lam):
    return _gae(rewards, values, mask, gamma, lam, next_values=values.masked_fill(~mask, 0.0).roll(-1, 1))


@mistake(
    "At the end you take the value of the last token for the next one.",
    "It would cancel what was expected there. After the end there is nothing: put zeros there.",
)
def last_value_twice(rewards, values, mask, gamma, lam):
    v = values.masked_fill(~mask, 0.0)
    return _gae(rewards, values, mask, gamma, lam, next_values=torch.cat([v[:, 1:], v[:, -1:]], 1))


@mistake("Those are the deltas alone.", "Each advantage also takes in what comes later, gamma lambda of it.")
def only_deltas(rewards, values, mask, gamma, lam):
    return _gae(rewards, values, mask, gamma, 0.0)


@mistake("The sign of the deltas is wrong.", "Better than expected is positive: what came, less what was expected.")
def wrong_sign(rewards, values, mask, gamma, lam):
    return -_gae(rewards, values, mask, gamma, lam)


EXERCISE = Exercise(
    reference=gae,
    title="generalised advantage estimation",
    question="""
        How much better than expected was each token? One step further tells something, all steps to the end tell more
        and are noisier; lambda mixes them. Write the recursion, for a batch that is padded on the right.
    """,
    difficulty=3,
    minutes=12,
    hints=(
        "Set rewards and values under the padding to zero, and the end takes care of itself. Then go backwards, from"
        " the last column to the first, and carry the advantage along.",
        "`for t in reversed(range(T))`: delta is `rewards[:, t] + gamma * next_value - values[:, t]`, then `advantage"
        " = delta + gamma * lam * advantage`. Both `next_value` and `advantage` begin as zeros of shape `(B,)`.",
    ),
    cases=cases,
    draw=draw,
    mistakes=(
        padding_counted,
        forwards,
        forwards_into_padding,
        no_gamma_on_value,
        no_lambda,
        no_gamma_on_advantage,
        returns,
        no_bootstrap,
        rolled,
        last_value_twice,
        only_deltas,
        wrong_sign,
    ),
)
