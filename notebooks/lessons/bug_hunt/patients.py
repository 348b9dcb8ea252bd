"""The patients of the bug hunt: the healthy parts with one of them broken. Spoilers.

Every bug here has been in somebody's real code. Each part looks like an honest attempt.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass, fields, replace

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lessons.bug_hunt import checks
from lessons.bug_hunt.parts import CLIP, GAMMA, HEALTHY, LAMBDA, Implementation
from rlhf_lab.models.loading import hidden_states, trunk_and_head
from rlhf_lab.models.log_probs import completion_hidden
from rlhf_lab.models.sampling import Rollout
from rlhf_lab.objectives.advantages import gae, token_rewards
from rlhf_lab.objectives.masked import masked_mean, whiten
from rlhf_lab.objectives.policy import clipped_surrogate, ppo_value_loss, probability_ratio
from rlhf_lab.training.algorithms import Experience

# --- The broken parts --------------------------------------------------------------------------------


def states_with_dropout(policy: nn.Module, rollout: Rollout) -> Tensor:
    """Dropout was left on where the policy learns. (It is off while it samples.)"""
    return F.dropout(completion_hidden(policy, rollout), 0.1, training=torch.is_grad_enabled())


def states_one_too_far(policy: nn.Module, rollout: Rollout) -> Tensor:
    """The state at each token, where the one before it belongs: it has seen the token that it is to predict."""
    ids, prompt_lengths, _ = rollout.sequences()
    row, column = rollout.completion_mask.nonzero(as_tuple=True)
    return hidden_states(trunk_and_head(policy)[0], ids)[row, prompt_lengths[row] + column]


def recomputed(rollout: Rollout, log_probs: Tensor) -> Tensor:
    """Old log-probabilities from the same function as the new ones. (Nothing wrong with that, if it is right.)"""
    return log_probs


def reward_in_last_column(scores: Tensor, kl: Tensor, mask: Tensor, coefficient: float) -> Tensor:
    """The score goes into the last column, which is padding in all rows but the longest."""
    rewards = (-coefficient * kl).masked_fill(~mask, 0.0)
    rewards[:, -1] += scores
    return rewards


def drift_is_paid(scores: Tensor, kl: Tensor, mask: Tensor, coefficient: float) -> Tensor:
    """log reference less log policy, where it should be the other way round: drifting earns."""
    return token_rewards(scores, -kl, mask, coefficient)


def whitened_before_returns(rewards: Tensor, values: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """The returns are made from advantages that are whitened already, and have lost their unit."""
    advantages = whiten(gae(rewards, values, mask, GAMMA, LAMBDA), mask)
    return advantages, (advantages + values).masked_fill(~mask, 0.0)


def rewards_shifted(rewards: Tensor, values: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """Token rewards are whitened with their mean taken off, so that each further token has a price of its own."""
    return HEALTHY.compute_advantages(whiten(rewards, mask), values, mask)


def ratio_to_itself(log_probs: Tensor, old_log_probs: Tensor) -> Tensor:
    """The old log-probabilities are taken anew at each update, so that nothing ever seems to have moved."""
    return probability_ratio(log_probs, log_probs.detach())


def values_attached(ratio: Tensor, values: Tensor, batch: Experience) -> tuple[Tensor, Tensor]:
    """The advantage is made in the loss from values that are not detached: the policy loss trains the value head."""
    advantages = batch.returns - values
    policy_loss = masked_mean(clipped_surrogate(ratio, advantages, CLIP, CLIP), batch.mask)
    return policy_loss, ppo_value_loss(values, batch.values, batch.returns, batch.mask, CLIP)


# --- The ward ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Patient:
    """A bug in words, the implementation that has it, and the check that finds it."""

    bug: str
    implementation: Implementation
    check: Callable[[Implementation, checks.Specimen], checks.Finding]


_WARD = {
    "A": Patient(
        "Paid for drifting: the sign of the KL in the reward is wrong.",
        replace(HEALTHY, token_rewards=drift_is_paid),
        checks.drift_costs,
    ),
    "B": Patient(
        "The ratio is always 1: the old log-probabilities are taken anew at each update.",
        replace(HEALTHY, ratio=ratio_to_itself),
        checks.ratio_sees_an_update,
    ),
    "C": Patient(
        "The score stands in the last column, where most rows have padding.",
        replace(HEALTHY, token_rewards=reward_in_last_column),
        checks.padding_changes_nothing,
    ),
    "D": Patient(
        "Returns are made from whitened advantages.",
        replace(HEALTHY, compute_advantages=whitened_before_returns),
        checks.returns_add_up,
    ),
    "E": Patient(
        "Dropout is on while the policy learns.",
        replace(HEALTHY, states=states_with_dropout),
        checks.ratio_is_one_at_first,
    ),
    "F": Patient(
        "Token rewards are whitened with their mean taken off: every token has a price or a bonus of its own.",
        replace(HEALTHY, compute_advantages=rewards_shifted),
        checks.length_has_no_price,
    ),
    "G": Patient(
        "Labels shifted by one: log-probabilities come from states that have seen the token.",
        replace(HEALTHY, states=states_one_too_far, old_log_probs=recomputed),
        checks.learner_agrees_with_sampler,
    ),
    "H": Patient(
        "The values in the advantage are not detached: the policy loss trains the value head.",
        replace(HEALTHY, losses=values_attached),
        checks.policy_loss_leaves_values_alone,
    ),
}
LETTERS = tuple(_WARD)


def patient(letter: str) -> Implementation:
    """The implementation with a letter, "A" to "H", or "healthy" for the one without a bug."""
    return HEALTHY if letter == "healthy" else _found(letter).implementation


def diagnosis(letter: str) -> str:
    """What is wrong with a patient, in words."""
    return _found(letter).bug


def check_of(letter: str) -> Callable[[Implementation, checks.Specimen], checks.Finding]:
    """The check for a patient."""
    return _found(letter).check


def broken_part(letter: str) -> tuple[str, str]:
    """Name of the broken part (the first, if there are several), and its source."""
    implementation = patient(letter)
    name = next(f.name for f in fields(HEALTHY) if getattr(implementation, f.name) is not getattr(HEALTHY, f.name))
    return name, inspect.getsource(getattr(implementation, name))


def confirm(letter: str, specimen: checks.Specimen) -> None:
    """Print a patient's check, its findings for the healthy implementation and for the patient, and the bug."""
    check = check_of(letter)
    print(inspect.getsource(check))
    for name in ("healthy", letter):
        finding = check(patient(name), specimen)
        who = name if name == "healthy" else f"patient {name}"
        print(f"{who:>10}  {'passes' if finding.passed else 'FAILS':<7} {finding.saw}")
    part, source = broken_part(letter)
    print(f"\nThe diagnosis: {diagnosis(letter)} The part `{part}`:\n\n{source}")


def _found(letter: str) -> Patient:
    if letter not in _WARD:
        raise KeyError(f"There is no patient {letter!r}. There are {', '.join(_WARD)}, and 'healthy'.")
    return _WARD[letter]
