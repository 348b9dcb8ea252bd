"""Reinforcement learning of a language model: sample, score, compute advantages, update, repeat.

One loop serves all algorithms; `algorithms.py` defines how they differ. The reward function is any function of a
rollout, for example `RewardModel.score_rollout`. A frozen reference model, usually the policy's own starting point,
shows what normal text is. Drifting away from it costs reward.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Unpack

import torch
from torch import Tensor, nn

from rlhf_lab.models.loading import trunk_and_head
from rlhf_lab.models.log_probs import completion_hidden, completion_log_probs, token_log_probs, unflatten
from rlhf_lab.models.precision import BrokenModelError, computes_in, keep_in_float32, ready_to_learn
from rlhf_lab.models.sampling import Rollout, check_generator, sample
from rlhf_lab.models.tokens import micro_batches_by_length
from rlhf_lab.models.value_head import ValueHead
from rlhf_lab.objectives.advantages import penalise_missing_eos
from rlhf_lab.objectives.kl import AdaptiveKL, kl_k3
from rlhf_lab.objectives.masked import masked_mean
from rlhf_lab.objectives.policy import probability_ratio
from rlhf_lab.training.algorithms import PPO, Algorithm, Experience
from rlhf_lab.training.loop import RunOptions, TrainingLoop, TrainingResult
from rlhf_lab.training.optimisation import (
    apply_gradients,
    check_settings,
    draw_seed,
    make_optimizer,
    not_finite,
    random_generator,
    shuffled_batches,
    warmup_cosine,
)
from rlhf_lab.training.policy_guards import check_inputs, checked_rewards, trouble_of, warn_of_ratios

RewardFunction = Callable[[Rollout], Tensor]  # (B,) rewards of a rollout of B completions


@dataclass(frozen=True)
class PolicyGradientConfig:
    """Settings of `train_policy` that all algorithms share."""

    steps: int = 50  # rollouts, each followed by updates
    batch_size: int = 128  # completions per step
    samples_per_prompt: int = 1  # completions of each prompt in a step; must divide batch_size
    max_new_tokens: int = 64  # longest completion, end token included
    temperature: float = 1.0  # of sampling and all log-probabilities; no top-k or top-p, they would falsify these
    learning_rate: float = 3e-4  # at its highest; 1e-6 to 1e-5 for models of a hundred million parameters
    warmup_fraction: float = 0.05  # share of the steps over which the learning rate rises
    final_fraction: float = 0.1  # learning rate of the last step, as a share of the highest
    max_gradient_norm: float = 1.0  # longer gradients are shortened to this
    kl_coefficient: float = 0.05  # penalty, in reward, for each nat of divergence from the reference
    adaptive_kl: AdaptiveKL | None = None  # moves the coefficient towards a target divergence
    missing_eos_penalty: float = 1.0  # taken off the score of a completion that was cut short
    entropy_coefficient: float = 0.0  # bonus for each nat of entropy per token
    kl_limit: float = 60.0  # stop when completions are this far from the reference, in nats on average
    micro_batch_tokens: int = 1024  # tokens computed at once, padding included; an update's gradients are added up
    samples_shown: int = 3  # completions in each record of metrics
    checkpoint_every: int = 0  # steps between checkpoints; 0: only at the end


@dataclass
class PolicyResult(TrainingResult):
    """What `train_policy` returns besides the policy, which it trains in place."""

    value_head: ValueHead | None = None  # trained beside the policy
    kl_coefficient: float = 0.0  # the final one; differs from the configured one if it is adaptive


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

    reference: a frozen model, usually `frozen_copy(policy)` made before training. None saves its memory and a forward
    pass per step, but only works for algorithms without a KL penalty, such as DAPO. The drift is then not measured:
    the records have no kl, and kl_limit has no effect. generator decides the order of prompts, the samples and the
    minibatches. value_head: a trained one to continue with, if the algorithm uses one; None starts from zero.

    callback gets one record per step. All but losses and gradients describe the policy *before* the step's update:
    reward and reward_std (of the reward function), score (reward minus the penalty for a missing end),
    kl (k1) and kl_k3 (nats per completion), kl_coefficient, entropy (nats per token, estimated from the samples),
    length (tokens), end_rate, first_ratio_error (largest |ratio - 1| before the first update; must be near 0, else
    there is a warning that says what to do),
    policy_loss, approx_kl (old against new policy, nats per token), largest_ratio_error, gradient_norm,
    learning_rate, tokens (sampled so far), samples (list of {prompt, completion, reward}), seconds (so far),
    step_seconds. Some algorithms add clip_fraction, value_loss, explained_variance or zero_std_groups (share of
    prompts whose completions all got the same score).

    Two guards stop a run that has gone wrong, and give the reason in `stopped`. One watches for numbers that are not
    finite and rewards too large for float32, the other for a divergence beyond config.kl_limit. The policy then goes
    back to its last good state.
    A bfloat16 policy gets float32 weights but still computes in bfloat16, and so does a bfloat16 reference. The
    samples' log-probabilities are then computed again as the updates do it, because the sampler rounds differently.
    Interrupting, checkpoint and resume: as in `train_language_model`. ValueError on inputs that cannot work.
    """
    config = config or PolicyGradientConfig()
    check_settings(config, PolicyGradientConfig)
    check_generator(generator)
    ready_to_learn(policy, "policy")
    check_inputs(policy, reference, reward_function, tokenizer, prompts, algorithm, config, value_head)
    if reference is not None and computes_in(reference) == computes_in(policy) == torch.bfloat16:
        keep_in_float32(reference)  # so that at the start it gives exactly the policy's numbers
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
    run.keep("where this run began")

    with run:
        for step in run:
            # 1. Sample.
            batch = [prompts[i] for i in next(order) for _ in range(config.samples_per_prompt)]
            try:
                rollout, ratio_error = _sample(policy, tokenizer, batch, config, generator, "value_head" in modules)
            except BrokenModelError:
                if not run.result.history:
                    raise
                run.stop(
                    f"Stopped at step {step + 1}: since the last update the policy's probabilities are not finite"
                    f" numbers. Try a third of the learning rate ({config.learning_rate:.2g})."
                )
                break
            # 2. Score.
            with torch.no_grad():
                rewards = checked_rewards(reward_function(rollout), rollout)
                experience = Experience(
                    rollout,
                    penalise_missing_eos(rewards, rollout.ended, config.missing_eos_penalty),
                    _reference_log_probs(reference, rollout, config),
                    _values(modules.get("value_head"), rollout.hidden, rollout.completion_mask),
                    config.samples_per_prompt,
                    run.state["kl_coefficient"],
                )
                metrics = describe_rollout(experience, rewards)
            if trouble := trouble_of(rewards, metrics, config):
                run.stop(f"Stopped at step {step + 1}: {trouble}")
                break
            run.keep("the last that was in order")
            # 3. Compute advantages: rewards and KL penalty become advantages and returns.
            experience = algorithm.compute_advantages(experience)
            if not bool(experience.advantages.isfinite().all()):
                run.stop(
                    f"Stopped at step {step + 1}: the algorithm's advantages are not finite numbers, though the rewards"
                    f" are. Look at how {type(algorithm.advantage).__name__} makes them."
                )
                break
            # 4. Update.
            learning_rate = warmup_cosine(step, config.steps, config.learning_rate, warmup, config.final_fraction)
            updates = []
            for rows in minibatch_rows(len(rollout), algorithm.epochs, algorithm.minibatches, generator):
                minibatch = experience.minibatch(rows.to(device), algorithm.surrogate.average)
                updates.append(_backward(policy, modules.get("value_head"), algorithm, minibatch, config))
                updates[-1]["gradient_norm"] = apply_gradients(optimizer, learning_rate, config.max_gradient_norm)
            wrong = [i for i, u in enumerate(updates) if not all(map(math.isfinite, u.values()))]
            if wrong:
                loss, norm = (updates[wrong[0]][name] for name in ("policy_loss", "gradient_norm"))
                run.stop(not_finite(step, loss, norm, config.learning_rate, updated=step + wrong[0] > 0))
                break

            metrics |= {name: sum(u[name] for u in updates) / len(updates) for name in updates[0]}
            metrics |= {
                "first_ratio_error": max(ratio_error, updates[0]["largest_ratio_error"]),
                "largest_ratio_error": max(u["largest_ratio_error"] for u in updates),
                "kl_coefficient": run.state["kl_coefficient"],
                "learning_rate": learning_rate,
                "samples": _samples(rollout, rewards, config.samples_shown),
            }
            metrics |= algorithm.advantage.describe(experience)
            warn_of_ratios(metrics["first_ratio_error"], run.result.history)
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
    """The rows of each update. Every pass goes through all rows once, in a new order."""
    size = math.ceil(count / minibatches)
    passes = [torch.randperm(count, generator=generator, device=generator.device) for _ in range(epochs)]
    return [rows for order in passes for rows in order.split(size)]


def _sample(
    policy: nn.Module,
    tokenizer,
    prompts: Sequence[str],
    config: PolicyGradientConfig,
    generator: torch.Generator,
    keep_hidden: bool,
) -> tuple[Rollout, float]:
    """A rollout with log-probabilities as the updates compute them, and their largest |ratio - 1| to the sampler's.
    In float32 both agree up to the last digits, so the sampler's are kept and the error given is 0."""
    rollout = sample(
        policy,
        tokenizer,
        prompts,
        max_new_tokens=config.max_new_tokens,
        temperature=config.temperature,
        generator=generator,
        keep_hidden=keep_hidden,
    )
    if computes_in(policy) != torch.bfloat16:
        return rollout, 0.0
    with torch.no_grad():
        log_probs = completion_log_probs(policy, rollout, micro_batch_tokens=config.micro_batch_tokens)
    error = (probability_ratio(log_probs, rollout.log_probs) - 1.0).abs().max()
    return replace(rollout, log_probs=log_probs), float(error)


def _reference_log_probs(reference: nn.Module | None, rollout: Rollout, config: PolicyGradientConfig) -> Tensor | None:
    if reference is None:
        return None
    log_probs = completion_log_probs(reference, rollout, micro_batch_tokens=2 * config.micro_batch_tokens)
    if not bool(log_probs.isfinite().all()):
        raise BrokenModelError("The reference's log-probabilities are not finite numbers: load it again.")
    return log_probs


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


# --- Records -----------------------------------------------------------------------------------------


def describe_rollout(experience: Experience, rewards: Tensor) -> dict[str, float]:
    """Metrics of the policy that sampled this rollout."""
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


def _samples(rollout: Rollout, rewards: Tensor, count: int) -> list[dict]:
    return [
        {"prompt": rollout.prompts[i], "completion": rollout.texts[i], "reward": float(rewards[i])}
        for i in range(min(count, len(rollout)))
    ]
