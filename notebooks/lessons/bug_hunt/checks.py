"""Small tests for an implementation of PPO. Each has a few lines, takes a moment, and reports what it saw in numbers.

Checks know nothing about the patients: they run on any implementation. Those that need a model get a `Specimen`; the
others make their own three tokens.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from rlhf_lab.models.loading import trunk_and_head
from rlhf_lab.models.sampling import Rollout, sample
from rlhf_lab.models.value_head import ValueHead
from rlhf_lab.training.algorithms import Experience

if TYPE_CHECKING:
    from lessons.bug_hunt.parts import Implementation


@dataclass(frozen=True)
class Specimen:
    """A policy and a few completions that it has just sampled."""

    policy: nn.Module
    value_head: nn.Module
    rollout: Rollout

    @classmethod
    def make(cls, policy: nn.Module, tokenizer, prompts, max_new_tokens: int = 64, seed: int = 0) -> Specimen:
        rollout = sample(
            policy, tokenizer, prompts, max_new_tokens=max_new_tokens, generator=torch.Generator().manual_seed(seed)
        )
        return cls(policy, ValueHead(trunk_and_head(policy)[1].weight.shape[1]), rollout)


@dataclass(frozen=True)
class Finding:
    """Whether a check passed, and what it saw, in numbers."""

    passed: bool
    saw: str


def ratio_is_one_at_first(implementation: Implementation, specimen: Specimen) -> Finding:
    """Before anything is updated, and as the update would compute it, every ratio is 1."""
    with torch.enable_grad():
        log_probs, _ = implementation.look(specimen.policy, specimen.value_head, specimen.rollout)
    old = implementation.old_log_probs(specimen.rollout, log_probs)
    error = largest(implementation.ratio(log_probs, old) - 1.0, specimen.rollout.completion_mask)
    return Finding(error < 1e-3, f"largest |ratio - 1|: {error:.2g}")


def learner_agrees_with_sampler(implementation: Implementation, specimen: Specimen) -> Finding:
    """The learner finds the log-probability of each token that the sampler had found when it drew the token."""
    with torch.no_grad():
        log_probs, _ = implementation.look(specimen.policy, specimen.value_head, specimen.rollout)
    error = largest(log_probs - specimen.rollout.log_probs, specimen.rollout.completion_mask)
    return Finding(error < 1e-3, f"largest difference: {error:.2g} nats")


def ratio_sees_an_update(implementation: Implementation, specimen: Specimen) -> Finding:
    """Log-probabilities that have moved by 0.1 since the sampling give a ratio of e^0.1."""
    old = specimen.rollout.log_probs
    ratio = implementation.ratio(old + 0.1, old)[0, 0].item()
    return Finding(abs(ratio - 1.105) < 1e-3, f"ratio: {ratio:.3f}")


def drift_costs(implementation: Implementation, specimen: Specimen) -> Finding:
    """Three tokens, each a nat likelier than under the reference: the rewards sum to less than the score."""
    rewards = implementation.token_rewards(torch.tensor([1.0]), torch.ones(1, 3), real(3), 0.1)
    total = rewards.sum().item()
    return Finding(abs(total - 0.7) < 1e-4, f"score 1, three nats of drift at 0.1 a nat: rewards sum to {total:.2f}")


def padding_changes_nothing(implementation: Implementation, specimen: Specimen) -> Finding:
    """The same three tokens with two columns of padding behind them have the same rewards."""
    score, kl = torch.tensor([1.0]), torch.zeros(1, 5)
    alone = implementation.token_rewards(score, kl[:, :3], real(3), 0.1)[0]
    padded = implementation.token_rewards(score, kl, real(3, of=5), 0.1)[0, :3]
    return Finding(torch.allclose(alone, padded), f"rewards {numbers(alone)}, and with padding {numbers(padded)}")


def an_end_is_not_punished(implementation: Implementation, specimen: Specimen) -> Finding:
    """Of two texts with the same reward, the one that has come to its end has the higher score."""
    ended, cut = implementation.scores(torch.tensor([1.0, 1.0]), torch.tensor([True, False]), 0.5).tolist()
    return Finding(ended > cut, f"score of the ended one {ended:.1f}, of the one that was cut short {cut:.1f}")


def length_has_no_price(implementation: Implementation, specimen: Specimen) -> Finding:
    """Two texts of score 1, with two tokens and with eight, and no KL: the return of their first tokens is the same."""
    mask = torch.cat([real(2, of=8), real(8)])
    rewards = torch.zeros(2, 8)
    rewards[0, 1] = rewards[1, 7] = 1.0
    _, returns = implementation.compute_advantages(rewards, torch.zeros(2, 8), mask)
    short, long = returns[:, 0].tolist()
    return Finding(abs(short - long) < 1e-4, f"return of the short text {short:.2f}, of the long one {long:.2f}")


def returns_add_up(implementation: Implementation, specimen: Specimen) -> Finding:
    """Rewards 0, 0, 4 with values that foresee nothing: with gamma = 1 the return of each token is 4."""
    rewards = torch.tensor([[0.0, 0.0, 4.0]])
    _, returns = implementation.compute_advantages(rewards, torch.tensor([[1.0, 3.0, 2.0]]), real(3))
    return Finding(torch.allclose(returns, torch.full((1, 3), 4.0)), f"returns {numbers(returns[0])}")


def policy_loss_leaves_values_alone(implementation: Implementation, specimen: Specimen) -> Finding:
    """The derivative of the policy loss by the values is zero: an advantage is a number, not something to train."""
    values = torch.zeros(1, 3, requires_grad=True)
    batch = three_tokens(specimen.rollout)
    policy_loss, _ = implementation.losses(torch.ones(1, 3), values, batch)
    found = torch.autograd.grad(policy_loss, values, allow_unused=True)[0] if policy_loss.requires_grad else None
    slope = torch.zeros(3) if found is None else found[0]
    return Finding(bool((slope == 0).all()), f"derivative of the policy loss by the values: {numbers(slope)}")


ALL: tuple[Callable[[Implementation, Specimen], Finding], ...] = (
    ratio_is_one_at_first,
    learner_agrees_with_sampler,
    ratio_sees_an_update,
    drift_costs,
    padding_changes_nothing,
    an_end_is_not_punished,
    length_has_no_price,
    returns_add_up,
    policy_loss_leaves_values_alone,
)


def examine(implementation: Implementation, specimen: Specimen) -> dict[str, Finding]:
    """All checks, by name."""
    return {check.__name__: check(implementation, specimen) for check in ALL}


def real(count: int, of: int | None = None) -> Tensor:
    """A mask (1, of) whose first `count` tokens are real."""
    return torch.arange(of or count)[None] < count


def three_tokens(rollout: Rollout) -> Experience:
    """Three tokens with advantages 1, 0.5, -1 and, as values are zero, the same returns."""
    mask, advantages = real(3), torch.tensor([[1.0, 0.5, -1.0]])
    row = rollout.select(torch.tensor([0]))
    row = replace(row, completion_mask=mask, log_probs=torch.zeros(1, 3))
    return Experience(
        row, torch.ones(1), torch.zeros(1, 3), torch.zeros(1, 3), advantages=advantages, returns=advantages
    )


def largest(x: Tensor, mask: Tensor) -> float:
    """The largest |x| over real tokens."""
    return float(x.detach()[mask].abs().max())


def numbers(x: Tensor) -> str:
    return " ".join(f"{value:+.2f}" for value in x.detach().tolist())
