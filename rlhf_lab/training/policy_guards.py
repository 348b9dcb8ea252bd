"""Checks of the policy-gradient loop: when it refuses, stops or warns, with messages that say what to do."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Sequence
from numbers import Real
from typing import Any

import torch
from torch import Tensor, nn

from rlhf_lab.models.loading import trunk_and_head
from rlhf_lab.models.precision import check_model, check_weights
from rlhf_lab.models.sampling import Rollout, check_temperature
from rlhf_lab.models.tokens import check_prompts
from rlhf_lab.models.value_head import ValueHead
from rlhf_lab.training.algorithms import Algorithm

# Half of PPO's clip. Among some thousand first ratios, the worst error is 1e-5 in float32 and 0.02 to 0.07 in bfloat16.
LARGEST_FIRST_RATIO_ERROR = 0.1
LARGEST_REWARD = 1e12  # losses square rewards and add them up, and float32 ends at 3e38


def check_inputs(
    policy: nn.Module,
    reference: nn.Module | None,
    reward_function: Callable[[Rollout], Tensor],
    tokenizer,
    prompts: Sequence[str],
    algorithm: Algorithm,
    config: Any,  # the loop's PolicyGradientConfig
    value_head: ValueHead | None,
) -> None:
    """ValueError for arguments of `train_policy` that cannot work."""
    if not isinstance(algorithm, Algorithm):
        raise ValueError(f"algorithm is {algorithm!r}; it must be an Algorithm, such as PPO of training/algorithms.py.")
    if not callable(reward_function):
        raise ValueError(f"The reward function is a {type(reward_function).__name__}; pass a function of a rollout.")
    check_prompts(tokenizer, prompts)
    if config.batch_size % config.samples_per_prompt:
        raise ValueError(
            f"batch_size={config.batch_size} is not a multiple of samples_per_prompt={config.samples_per_prompt}."
        )
    check_temperature(config.temperature, " A policy gradient needs sampling.")
    if reference is policy:
        raise ValueError(
            "policy and reference are one and the same model, so the divergence would always be 0. Pass"
            " frozen_copy(policy) as the reference."
        )
    if reference is None and (algorithm.kl_in or config.adaptive_kl):
        raise ValueError(
            "This algorithm measures the divergence from a reference model, but reference is None. Pass"
            " frozen_copy(policy), or choose an algorithm with kl_in=None and leave adaptive_kl out."
        )
    vocabulary, width = trunk_and_head(policy)[1].weight.shape
    if reference is not None:
        check_model(reference)
        check_weights(reference, "reference")
        other = len(trunk_and_head(reference)[1].weight)
        if other != vocabulary:
            raise ValueError(
                f"The policy has a vocabulary of {vocabulary} tokens and the reference one of {other}, so they cannot"
                " be compared token by token. Pass frozen_copy(policy) of before the training."
            )
    if value_head is not None and value_head.linear.in_features != width:
        raise ValueError(
            f"The value head reads states of {value_head.linear.in_features} numbers, but the policy's have {width}:"
            " it belongs to another policy. Leave it out to start a new one."
        )


def checked_rewards(rewards: Any, rollout: Rollout) -> Tensor:
    """The rewards as float32 on the rollout's device. ValueError unless there is one number per completion."""
    wanted = f"it must return one number for each of {len(rollout)} completions, for example a tensor ({len(rollout)},)"
    if isinstance(rewards, (list, tuple)):
        for i, reward in enumerate(rewards):
            if not isinstance(reward, (Real, Tensor)):
                raise ValueError(f"The reward function returned {reward!r} for completion {i}; {wanted}.")
    try:
        found = torch.as_tensor(rewards).detach()
    except (TypeError, ValueError, RuntimeError):
        raise ValueError(f"The reward function returned a {type(rewards).__name__}; {wanted}.") from None
    if found.shape != (len(rollout),):
        raise ValueError(f"The reward function returned a tensor of shape {tuple(found.shape)}; {wanted}.")
    if found.layout != torch.strided or found.is_meta or found.is_complex():
        kind = "meta" if found.is_meta else "complex" if found.is_complex() else "sparse"
        raise ValueError(f"The reward function returned a {kind} tensor; {wanted}, real, dense and with values.")
    return found.float().to(rollout.log_probs.device)


def trouble_of(rewards: Tensor, metrics: dict, config: Any) -> str:
    """A sentence if this rollout shows that the run has gone wrong, else ""."""
    wrong = int((~rewards.isfinite()).sum())
    if wrong:
        return f"the reward function returned numbers that are not finite for {wrong} of {len(rewards)} completions."
    largest = float(rewards.abs().max())
    if largest > LARGEST_REWARD:
        return (
            f"the reward function returned a reward of size {largest:.2g}, too large to compute with. Scale rewards so"
            " that they differ by about 1, for example with `RewardModel.normalise`."
        )
    kl = metrics.get("kl", 0.0)
    if not math.isfinite(kl) or kl > config.kl_limit:
        return (
            f"completions have drifted {kl:.1f} nats from the reference, more than kl_limit={config.kl_limit:g}. Lower"
            f" the learning rate ({config.learning_rate:.2g}) or raise kl_coefficient ({config.kl_coefficient:g})."
        )
    return ""


def warn_of_ratios(error: float, history: list[dict]) -> None:
    """Warn, once per run, if the policy gives its samples other probabilities in the update than in sampling."""
    if error > LARGEST_FIRST_RATIO_ERROR >= max((record["first_ratio_error"] for record in history), default=0.0):
        warnings.warn(
            f"Before the first update a ratio of the policy's probabilities to those in sampling is off by {error:.2g};"
            " it should be 1. The policy learns from numbers that are not its own. If it computes in 16 bits, load it"
            " without dtype; if not, look for something in the model that differs from call to call.",
            stacklevel=3,  # the caller of train_policy
        )
