"""PPO in exchangeable parts, so that one of them can be broken.

For real training use `train_policy`. This loop does the same steps in the same order (a test compares the weights), but
each step that is easy to get wrong is a field of `Implementation`: a plain function of tensors that can be replaced,
called and tested on its own. The records show what the implementation sees of itself. So if a part that measures
something is broken, its report is wrong too; only the gold reward comes from outside.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from rlhf_lab.models.loading import trunk_and_head
from rlhf_lab.models.log_probs import completion_hidden, token_log_probs, unflatten
from rlhf_lab.models.sampling import Rollout, sample
from rlhf_lab.models.value_head import ValueHead
from rlhf_lab.objectives.advantages import explained_variance, gae, penalise_missing_eos, token_rewards
from rlhf_lab.objectives.masked import masked_mean, whiten
from rlhf_lab.objectives.policy import clipped_surrogate, ppo_value_loss, probability_ratio
from rlhf_lab.training.algorithms import Experience
from rlhf_lab.training.optimisation import (
    apply_gradients,
    draw_seed,
    make_optimizer,
    shuffled_batches,
    warmup_cosine,
)
from rlhf_lab.training.policy_gradient import PolicyGradientConfig, describe_rollout, minibatch_rows

GAMMA, LAMBDA = 1.0, 1.0  # the reward comes at the end, and the first tokens must get credit for it
CLIP = 0.2  # of the ratio, and of the values
VALUE_COEFFICIENT = 0.1  # weight of the value loss; it shares the policy's trunk
EPOCHS, MINIBATCHES = 2, 2  # passes over each rollout, updates per pass


# --- The healthy parts -------------------------------------------------------------------------------


def stored(rollout: Rollout, recomputed: Tensor) -> Tensor:
    """The old log-probabilities (B, T): those stored during sampling, not the recomputed ones."""
    return rollout.log_probs


def compute_advantages(rewards: Tensor, values: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """Advantages and returns, (B, T) each, from token rewards and values. Whitening comes after the returns."""
    advantages = gae(rewards, values, mask, GAMMA, LAMBDA)
    returns = (advantages + values).masked_fill(~mask, 0.0)
    return whiten(advantages, mask), returns


def losses(ratio: Tensor, values: Tensor, batch: Experience) -> tuple[Tensor, Tensor]:
    """Policy loss and value loss of a minibatch, two scalars. ratio and values (B, T) are the current ones."""
    policy_loss = masked_mean(clipped_surrogate(ratio, batch.advantages, CLIP, CLIP), batch.mask)
    return policy_loss, ppo_value_loss(values, batch.values, batch.returns, batch.mask, CLIP)


# --- An implementation -------------------------------------------------------------------------------


@dataclass(frozen=True)
class Implementation:
    """PPO in seven parts, for B completions of up to T tokens, with N real tokens in total."""

    states: Callable[[nn.Module, Rollout], Tensor] = completion_hidden  # (N, d), one before each real token
    old_log_probs: Callable[[Rollout, Tensor], Tensor] = stored  # (B, T) of the policy that sampled
    scores: Callable[[Tensor, Tensor, float], Tensor] = penalise_missing_eos  # rewards, ended, penalty -> (B,)
    token_rewards: Callable[[Tensor, Tensor, Tensor, float], Tensor] = token_rewards  # scores, k1, mask, coefficient
    compute_advantages: Callable[[Tensor, Tensor, Tensor], tuple[Tensor, Tensor]] = (
        compute_advantages  # -> advantages and returns (B, T)
    )
    ratio: Callable[[Tensor, Tensor], Tensor] = probability_ratio  # new and old log-probabilities -> (B, T)
    losses: Callable[[Tensor, Tensor, Experience], tuple[Tensor, Tensor]] = losses  # -> policy loss, value loss

    def look(self, policy: nn.Module, value_head: nn.Module, rollout: Rollout) -> tuple[Tensor, Tensor]:
        """The current log-probabilities and values of a rollout's tokens, (B, T) each, zero on padding."""
        mask, states = rollout.completion_mask, self.states(policy, rollout)
        head, tokens = trunk_and_head(policy)[1], rollout.completion_ids[mask]
        log_probs, _ = token_log_probs(head, states, tokens, rollout.temperature)
        return unflatten(log_probs, mask), unflatten(value_head(states), mask)

    @torch.no_grad()
    def experience(
        self,
        policy: nn.Module,
        reference: nn.Module,
        value_head: nn.Module,
        rollout: Rollout,
        rewards: Tensor,
        config: PolicyGradientConfig,
    ) -> Experience:
        """A rollout with its advantages and returns. rewards (B,) come from the reward function."""
        recomputed, values = self.look(policy, value_head, rollout)
        rollout = replace(rollout, log_probs=self.old_log_probs(rollout, recomputed))
        found = Experience(
            rollout,
            self.scores(rewards, rollout.ended, config.missing_eos_penalty),
            self.look(reference, value_head, rollout)[0],
            values,
            kl_coefficient=config.kl_coefficient,
        )
        of_tokens = self.token_rewards(found.scores, found.kl, found.mask, config.kl_coefficient)
        advantages, returns = self.compute_advantages(of_tokens, values, found.mask)
        return replace(found, advantages=advantages, returns=returns)


HEALTHY = Implementation()


# --- The loop ----------------------------------------------------------------------------------------


def run(
    implementation: Implementation,
    policy: nn.Module,
    reference: nn.Module,
    reward_function: Callable[[Rollout], Tensor],
    tokenizer,
    prompts: Sequence[str],
    config: PolicyGradientConfig,
    *,
    generator: torch.Generator,
    gold: Callable[[Rollout], Tensor] | None = None,
    callback: Callable[[dict], None] | None = None,
) -> list[dict[str, float]]:
    """Train `policy` in place. Returns one record per step of what the implementation sees.

    Stops early, with the records so far, if a number is no longer finite. gold: a second reward, only measured.
    """
    value_head = ValueHead(trunk_and_head(policy)[1].weight.shape[1])
    optimizer = make_optimizer([*policy.parameters(), *value_head.parameters()])
    order = shuffled_batches(len(prompts), config.batch_size, draw_seed(generator))
    warmup, history = max(1, round(config.warmup_fraction * config.steps)), []
    for step in range(config.steps):
        rollout = sample(
            policy,
            tokenizer,
            [prompts[i] for i in next(order)],
            max_new_tokens=config.max_new_tokens,
            temperature=config.temperature,
            generator=generator,
        )
        rewards = reward_function(rollout).float()
        experience = implementation.experience(policy, reference, value_head, rollout, rewards, config)
        record = {"step": step + 1, **_describe(experience, rewards)}
        if gold is not None:
            record["gold"] = float(gold(rollout).mean())
        rate = warmup_cosine(step, config.steps, config.learning_rate, warmup, config.final_fraction)
        updates = []
        for rows in minibatch_rows(len(rollout), EPOCHS, MINIBATCHES, generator):
            updates.append(_backward(implementation, policy, value_head, experience.select(rows)))
            updates[-1]["gradient_norm"] = apply_gradients(optimizer, rate, config.max_gradient_norm)
        record |= {name: sum(update[name] for update in updates) / len(updates) for name in updates[0]}
        record["first_ratio_error"] = updates[0]["ratio_error"]
        if not all(math.isfinite(value) for value in record.values()):
            break
        history.append(record)
        if callback:
            callback(record)
    return history


def _backward(
    implementation: Implementation, policy: nn.Module, value_head: nn.Module, batch: Experience
) -> dict[str, float]:
    """Compute the gradients of a minibatch's loss, and return its metrics."""
    log_probs, values = implementation.look(policy, value_head, batch.rollout)
    ratio = implementation.ratio(log_probs, batch.rollout.log_probs)
    policy_loss, value_loss = implementation.losses(ratio, values, batch)
    (policy_loss + VALUE_COEFFICIENT * value_loss).backward()
    ratio = ratio.detach().masked_fill(~batch.mask, 1.0)
    moved = ratio - 1.0  # (B, T)
    return {
        "policy_loss": float(policy_loss.detach()),
        "value_loss": float(value_loss.detach()),
        "clip_fraction": float(masked_mean(moved.abs() > CLIP, batch.mask)),
        "approx_kl": float(masked_mean(moved - ratio.log(), batch.mask)),
        "ratio_error": float(moved.abs().max()),
    }


def _describe(experience: Experience, rewards: Tensor) -> dict[str, float]:
    """The metrics of a rollout that a dashboard would show."""
    values, returns, mask = experience.values, experience.returns, experience.mask
    return {
        **describe_rollout(experience, rewards),
        "value": float(masked_mean(values, mask)),
        "return": float(masked_mean(returns, mask)),
        "explained_variance": float(explained_variance(values, returns, mask)),
    }
