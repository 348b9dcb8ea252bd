"""Reinforcement learning of a language model: sample, score, compute advantages, update, again.

One loop for all algorithms; what tells them apart is in `algorithms.py`. The reward function is any function
of a rollout, for example `RewardModel.score_rollout`. A frozen reference model, usually the policy's own
starting point, says what normal text is, and drifting away from it costs reward.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Unpack

import torch
from torch import Tensor, nn

from rlhf_lab.models.loading import trunk_and_head
from rlhf_lab.models.log_probs import completion_hidden, completion_log_probs, token_log_probs, unflatten
from rlhf_lab.models.sampling import Rollout, sample
from rlhf_lab.models.tokens import micro_batches_by_length
from rlhf_lab.models.value_head import ValueHead
from rlhf_lab.objectives.advantages import penalise_missing_eos
from rlhf_lab.objectives.kl import AdaptiveKL, kl_k3
from rlhf_lab.objectives.masked import masked_mean
from rlhf_lab.training.algorithms import PPO, Algorithm, Experience
from rlhf_lab.training.loop import RunOptions, TrainingLoop, TrainingResult
from rlhf_lab.training.optimisation import (
    apply_gradients,
    draw_seed,
    make_optimizer,
    random_generator,
    shuffled_batches,
    warmup_cosine,
)

RewardFunction = Callable[[Rollout], Tensor]  # (B,) rewards of a rollout of B completions


@dataclass(frozen=True)
class PolicyGradientConfig:
    """Settings of `train_policy` that all algorithms share."""

    steps: int = 50  # rollouts, each followed by updates
    batch_size: int = 128  # completions a step
    samples_per_prompt: int = 1  # completions of each prompt in a step; must divide batch_size
    max_new_tokens: int = 64  # longest completion, end token included
    temperature: float = 1.0  # of sampling, and of every log-probability; top-k and top-p would falsify them
    learning_rate: float = 3e-4  # at its highest; 1e-6 to 1e-5 for models of a hundred million parameters
    warmup_fraction: float = 0.05  # share of the steps over which the learning rate rises
    final_fraction: float = 0.1  # learning rate of the last step, as a share of the highest
    max_gradient_norm: float = 1.0  # longer gradients are shortened to this
    kl_coefficient: float = 0.05  # price, in reward, of a nat of divergence from the reference
    adaptive_kl: AdaptiveKL | None = None  # moves the coefficient towards a target divergence
    missing_eos_penalty: float = 1.0  # taken off the score of a completion that was cut short
    entropy_coefficient: float = 0.0  # bonus for a nat of entropy a token
    kl_limit: float = 60.0  # stop when completions are this far from the reference, in nats on average
    micro_batch_tokens: int = 1024  # tokens computed at once, padding included; an update's gradients are added up
    samples_shown: int = 3  # completions in each record of metrics
    checkpoint_every: int = 0  # steps between checkpoints; 0: only at the end


@dataclass
class PolicyResult(TrainingResult):
    """What `train_policy` returns besides the policy, which it trains in place."""

    value_head: ValueHead | None = None  # trained beside the policy
    kl_coefficient: float = 0.0  # the last one; differs from the configured one where it adapts


def train_policy(
    policy: nn.Module,
    reference: nn.Module | None,
    reward_function: RewardFunction,
    tokenizer,
    prompts: Sequence[str],
    algorithm: Algorithm = PPO,
    config: PolicyGradientConfig | None = None,
    *,
    value_head: ValueHead | None = None,
    evaluate_every: int = 0,
    generator: torch.Generator | None = None,
    **options: Unpack[RunOptions],
) -> PolicyResult:
    """Train `policy` in place to write completions that `reward_function` likes, staying near `reference`.

    reference: a frozen model, usually `frozen_copy(policy)` made before training. None saves its memory and a pass
    through it in every step, but is only for algorithms without a KL penalty (DAPO, for example), and nobody then
    sees how far the policy drifts: there is no kl in the records, and no kl_limit. generator decides the order
    of prompts, the samples and the minibatches. value_head: one to go on with, for algorithms that use one; None
    starts from zero.

    callback gets one record a step; all but losses and gradients describe the policy *before* the step's update:
    reward and reward_std (of the reward function), score (reward less the penalty for a missing end),
    kl (k1) and kl_k3 (nats a completion), kl_coefficient, entropy (nats a token, estimated from the samples),
    length (tokens), end_rate, first_ratio_error (largest |ratio - 1| before the first update: must be near 0),
    policy_loss, approx_kl (old against new policy, nats a token), largest_ratio_error, gradient_norm,
    learning_rate, tokens (sampled so far), samples (list of {prompt, completion, reward}), seconds (so far),
    step_seconds. Besides, where the algorithm has them: clip_fraction, value_loss, explained_variance, zero_std_groups
    (share of prompts whose completions all got the same score).

    Two guards stop a run that has gone wrong, with a sentence in `stopped`: a number that is not finite, and a
    divergence beyond config.kl_limit. The policy is then put back to the last state that was in order.
    Interrupting, checkpoint and resume: as in `train_language_model`.
    """
    config = config or PolicyGradientConfig()
    _check(policy, reference, prompts, algorithm, config)
    device = next(policy.parameters()).device
    generator = generator or random_generator(draw_seed(None))
    modules = {"policy": policy}
    if algorithm.advantage.needs_values:
        value_head = value_head or ValueHead(trunk_and_head(policy)[1].weight.shape[1])
        modules["value_head"] = value_head.to(device)
    optimizer = make_optimizer([p for module in modules.values() for p in module.parameters()])
    run = TrainingLoop(
        config.steps,
        modules,
        optimizer,
        state={"tokens": 0, "kl_coefficient": config.kl_coefficient, "order_seed": draw_seed(generator)},
        identity={
            "loop": "train_policy",
            "algorithm": algorithm,
            "config": config,
            "reward": reward_function,
            "prompts": prompts,
            "reference": reference,
        },
        generator=generator,
        evaluate_every=evaluate_every,
        checkpoint_every=config.checkpoint_every,
        **options,
    )
    prompts_a_step = config.batch_size // config.samples_per_prompt
    order = shuffled_batches(len(prompts), prompts_a_step, run.state["order_seed"], run.state["step"])
    warmup = max(1, round(config.warmup_fraction * config.steps))
    in_order = _snapshot(modules)

    with run:
        for step in run:
            # 1. Sample.
            batch = [prompts[i] for i in next(order) for _ in range(config.samples_per_prompt)]
            rollout = sample(
                policy,
                tokenizer,
                batch,
                max_new_tokens=config.max_new_tokens,
                temperature=config.temperature,
                generator=generator,
                keep_hidden=algorithm.advantage.needs_values,
            )
            # 2. Score.
            with torch.no_grad():
                rewards = _checked_rewards(reward_function(rollout), rollout)
                experience = Experience(
                    rollout,
                    penalise_missing_eos(rewards, rollout.ended, config.missing_eos_penalty),
                    _reference_log_probs(reference, rollout, config),
                    _values(modules.get("value_head"), rollout.hidden, rollout.completion_mask),
                    config.samples_per_prompt,
                    run.state["kl_coefficient"],
                )
                metrics = describe_rollout(experience, rewards)
            if trouble := _trouble(metrics, step, config):
                _restore(modules, in_order)
                run.stop(trouble)
                break
            in_order = _snapshot(modules)
            # 3. Compute advantages: rewards and KL penalty become advantages and returns.
            experience = algorithm.compute_advantages(experience)
            # 4. Update.
            learning_rate = warmup_cosine(step, config.steps, config.learning_rate, warmup, config.final_fraction)
            updates = []
            for rows in minibatch_rows(len(rollout), algorithm.epochs, algorithm.minibatches, generator):
                minibatch = experience.minibatch(rows.to(device), algorithm.surrogate.average)
                updates.append(_backward(policy, modules.get("value_head"), algorithm, minibatch, config))
                updates[-1]["gradient_norm"] = apply_gradients(optimizer, learning_rate, config.max_gradient_norm)
            if not all(math.isfinite(value) for update in updates for value in update.values()):
                _restore(modules, in_order)
                run.stop(
                    f"Stopped at step {step + 1}: a loss or gradient is not a finite number. The policy is as it was"
                    f" before this step. Try a third of the learning rate ({config.learning_rate:.2g})."
                )
                break

            metrics |= {name: sum(u[name] for u in updates) / len(updates) for name in updates[0]}
            metrics |= {
                "first_ratio_error": updates[0]["largest_ratio_error"],
                "largest_ratio_error": max(u["largest_ratio_error"] for u in updates),
                "kl_coefficient": run.state["kl_coefficient"],
                "learning_rate": learning_rate,
                "samples": _samples(rollout, rewards, config.samples_shown),
            }
            metrics |= algorithm.advantage.describe(experience)
            run.state["tokens"] += int(rollout.completion_mask.sum())
            if config.adaptive_kl:
                run.state["kl_coefficient"] = config.adaptive_kl.next(
                    run.state["kl_coefficient"], metrics["kl"], len(rollout)
                )
            run.report(**metrics, tokens=run.state["tokens"])
    result = run.result
    head, coefficient = modules.get("value_head"), run.state["kl_coefficient"]
    return PolicyResult(result.history, result.interrupted, result.stopped, head, coefficient)


def minibatch_rows(count: int, epochs: int, minibatches: int, generator: torch.Generator) -> list[Tensor]:
    """Rows of each update: every pass goes through all rows once, in a new order."""
    size = math.ceil(count / minibatches)
    passes = [torch.randperm(count, generator=generator, device=generator.device) for _ in range(epochs)]
    return [rows for order in passes for rows in order.split(size)]


def _reference_log_probs(reference: nn.Module | None, rollout: Rollout, config: PolicyGradientConfig) -> Tensor | None:
    if reference is None:
        return None
    return completion_log_probs(reference, rollout, micro_batch_tokens=2 * config.micro_batch_tokens)


def _values(value_head: ValueHead | None, hidden: Tensor, mask: Tensor) -> Tensor | None:
    return value_head(hidden) * mask if value_head else None


def _backward(
    policy: nn.Module,
    value_head: ValueHead | None,
    algorithm: Algorithm,
    minibatch: Experience,
    config: PolicyGradientConfig,
) -> dict[str, float]:
    """Add the gradients of a minibatch's loss, micro-batch by micro-batch, and return its metrics."""
    lengths = minibatch.rollout.prompt_mask.sum(1) + minibatch.rollout.lengths
    with_entropy = config.entropy_coefficient > 0
    totals: dict[str, float] = {}
    for micro_batch in micro_batches_by_length(lengths, config.micro_batch_tokens):
        part = minibatch.select(micro_batch)
        mask, ids = part.mask, part.rollout.completion_ids
        hidden = completion_hidden(policy, part.rollout)  # (n, d)
        log_probs, entropies = token_log_probs(
            trunk_and_head(policy)[1], hidden, ids[mask], config.temperature, with_entropy
        )
        values = unflatten(value_head(hidden), mask) if value_head else None
        loss, metrics = algorithm.loss(part, unflatten(log_probs, mask), values)
        if with_entropy:
            loss = loss - config.entropy_coefficient * entropies.sum() / minibatch.tokens
        loss.backward()
        for name, value in metrics.items():
            before = totals.get(name, 0.0)
            totals[name] = max(before, float(value)) if name.startswith("largest") else before + float(value)
    return totals


# --- Checks, guards and records ----------------------------------------------------------------------


def _check(
    policy: nn.Module,
    reference: nn.Module | None,
    prompts: Sequence[str],
    algorithm: Algorithm,
    config: PolicyGradientConfig,
) -> None:
    if len(prompts) == 0:
        raise ValueError("There are no prompts to write completions for. Pass at least one.")
    if config.batch_size % config.samples_per_prompt:
        raise ValueError(
            f"batch_size={config.batch_size} is not a multiple of samples_per_prompt={config.samples_per_prompt}."
        )
    if config.temperature <= 0:
        raise ValueError("A policy gradient needs sampling: choose a temperature above 0, for example 1.0.")
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


def _checked_rewards(rewards: Tensor, rollout: Rollout) -> Tensor:
    """Rewards as float32 on the rollout's device; ValueError unless there is one for each completion."""
    rewards = torch.as_tensor(rewards).detach().float().to(rollout.log_probs.device)
    if rewards.shape != (len(rollout),):
        raise ValueError(
            f"The reward function returned a tensor of shape {tuple(rewards.shape)} for {len(rollout)} completions;"
            f" it must return one number each, shape ({len(rollout)},)."
        )
    return rewards


def describe_rollout(experience: Experience, rewards: Tensor) -> dict[str, float]:
    """What the policy that sampled this rollout is like."""
    rollout, mask = experience.rollout, experience.mask
    drift = {}
    if experience.reference_log_probs is not None:
        k3 = kl_k3(rollout.log_probs, experience.reference_log_probs)
        drift = {"kl": float(experience.kl.sum(1).mean()), "kl_k3": float(k3.sum(1).mean())}
    return {
        "reward": float(rewards.mean()),
        "reward_std": float(rewards.std(correction=0)),
        "score": float(experience.scores.mean()),
        **drift,
        "entropy": -float(masked_mean(rollout.log_probs, mask)),
        "length": float(rollout.lengths.float().mean()),
        "end_rate": float(rollout.ended.float().mean()),
    }


def _trouble(metrics: dict, step: int, config: PolicyGradientConfig) -> str:
    """A sentence if a rollout shows that the run has gone wrong; empty if not."""
    if not math.isfinite(metrics["reward"]):
        return f"Stopped at step {step + 1}: the reward function returned a number that is not finite."
    kl = metrics.get("kl", 0.0)
    if not math.isfinite(kl) or kl > config.kl_limit:
        return (
            f"Stopped at step {step + 1}: completions have drifted {kl:.1f} nats from the reference, more"
            f" than kl_limit={config.kl_limit:g}. The policy is put back to where it was one step before. Lower the"
            f" learning rate ({config.learning_rate:.2g}) or raise kl_coefficient ({config.kl_coefficient:g})."
        )
    return ""


def _samples(rollout: Rollout, rewards: Tensor, count: int) -> list[dict]:
    return [
        {"prompt": rollout.prompts[i], "completion": rollout.texts[i], "reward": float(rewards[i])}
        for i in range(min(count, len(rollout)))
    ]


def _snapshot(modules: dict[str, nn.Module]) -> list[Tensor]:
    return [p.detach().clone() for module in modules.values() for p in module.parameters()]


@torch.no_grad()
def _restore(modules: dict[str, nn.Module], snapshot: list[Tensor]) -> None:
    parameters = [p for module in modules.values() for p in module.parameters()]
    for parameter, saved in zip(parameters, snapshot, strict=True):
        parameter.copy_(saved)
