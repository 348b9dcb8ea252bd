"""Train a reward model on feedback of any kind (Christiano et al. 2017, Stiennon et al. 2020).

There is one loop. Pairs, rankings, scores and labels each have their own objective (`reward_objectives.py`) and their
own examples (`reward_examples.py`). All texts of an example are scored together. If you have only a few ratings,
`reward_head.py` fits just the head, in seconds.
"""

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Unpack

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from rlhf_lab.models.precision import ready_to_learn
from rlhf_lab.models.reward_model import RewardModel
from rlhf_lab.models.tokens import micro_batches_by_length, pad_right
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
from rlhf_lab.training.reward_examples import answer_of, self_preferences, tokenise, weight_of
from rlhf_lab.training.reward_objectives import Objective, Pairs

PAIRS = Pairs()


@dataclass(frozen=True)
class RewardModelConfig:
    """Settings of `train_reward_model`."""

    epochs: float = 1.0  # passes over the examples; with few examples, more passes soon memorise them
    batch_size: int = 32  # examples per step
    micro_batch_tokens: int = 1024  # tokens computed at once, padding included; a batch's gradients are added up
    learning_rate: float = 3e-4  # at its highest; 1e-5 for models of a hundred million parameters
    warmup_fraction: float = 0.1  # share of the steps over which the learning rate rises
    final_fraction: float = 0.1  # learning rate of the last step, as a share of the highest
    weight_decay: float = 0.01  # pulls matrices towards zero
    average_last: float = 0.0  # average the weights over this share of the steps, counted from the end
    bootstrap: bool = False  # each output learns from its own resample, which makes an ensemble
    max_gradient_norm: float = 1.0  # longer gradients are shortened to this
    evaluate_every: int = 0  # steps between calls of `evaluate`; 0: only after the last step
    checkpoint_every: int = 0  # steps between checkpoints; 0: only at the end


def train_reward_model(
    reward_model: RewardModel,
    tokenizer,
    examples: Sequence[Any],
    config: RewardModelConfig | None = None,
    *,
    objective: Objective = PAIRS,
    generator: torch.Generator | None = None,
    **options: Unpack[RunOptions],
) -> TrainingResult:
    """Train `reward_model` in place on examples of the objective's kind; for `Pairs`, preference pairs.

    callback gets one record per step: step (from 1), total, loss, the objective's metrics, learning_rate,
    gradient_norm, examples (so far), seconds (so far), step_seconds, and the results of `evaluate` whenever it is due.
    The metrics are of this step's examples before its update; in the first pass the model has never seen them. For
    pairs, accuracy is the share whose chosen completion got the higher reward (a tie counts half), and difference is
    the mean chosen minus rejected reward.
    With config.average_last, the final weights are the mean over the last steps (Izmailov et al. 2018). With noisy
    answers and a high learning rate, single steps wander around an optimum that their mean hits better. `evaluate`
    sees the current weights, not the mean.
    Call `reward_model.normalise` afterwards. Interrupting, checkpoint and resume: as in `train_language_model`.
    ValueError if there are no examples, the objective cannot learn from them, or a text is too long for the model.
    """
    config = config or RewardModelConfig()
    check_settings(config, RewardModelConfig)
    ready_to_learn(reward_model, "reward model")
    rows = prepare(reward_model, tokenizer, examples, objective)
    total = max(1, math.ceil(config.epochs * len(rows) / config.batch_size))
    batch_size = min(config.batch_size, len(rows))
    warmup = max(1, round(config.warmup_fraction * total))
    optimizer = make_optimizer(reward_model.parameters(), config.weight_decay)
    modules = {"reward_model": reward_model}
    if isinstance(objective, nn.Module):
        modules["objective"] = objective.to(reward_model.head.weight.device)
        optimizer.add_param_group({"params": list(objective.parameters()), "weight_decay": 0.0})
    average = AveragedModel(reward_model) if config.average_last else None
    if average is not None:
        modules["average"] = average  # so that a checkpoint has it
    run = TrainingLoop(
        total,
        modules,
        optimizer,
        state={"order_seed": draw_seed(generator), "bootstrap_seed": draw_seed(generator)},
        identity={
            "loop": "train_reward_model",
            "objective": repr(objective) if isinstance(objective, nn.Module) else objective,
            "config": config,
            "examples": [(row, answer_of(example)) for row, example in zip(rows, examples, strict=True)],
        },
        evaluate_every=config.evaluate_every,
        checkpoint_every=config.checkpoint_every,
        **options,
    )
    bootstrap_seed = run.state["bootstrap_seed"] if config.bootstrap else None
    weights = example_weights(examples, len(reward_model.names), bootstrap_seed)
    weights = weights / weights.mean()
    batches = shuffled_batches(len(rows), batch_size, run.state["order_seed"], run.state["step"])

    with run:
        for step in run:
            batch = next(batches)
            chosen = [examples[i] for i in batch]
            learning_rate = warmup_cosine(step, total, config.learning_rate, warmup, config.final_fraction)
            loss, scores = backward_loss(
                reward_model, [rows[i] for i in batch], chosen, objective, weights[batch], config.micro_batch_tokens
            )
            metrics = objective.metrics(scores, chosen)
            run.keep_if_best(loss)
            norm = apply_gradients(optimizer, learning_rate, config.max_gradient_norm)
            if not math.isfinite(loss + norm):
                run.stop(not_finite(step, loss, norm, learning_rate, updated=step > 0))
                break
            if average is not None and step >= (1 - config.average_last) * total:
                average.update_parameters(reward_model)
            run.report(
                loss=loss,
                **metrics,
                learning_rate=learning_rate,
                gradient_norm=norm,
                examples=(step + 1) * batch_size,
            )
    if average is not None and int(average.n_averaged) and not run.result.stopped:
        reward_model.load_state_dict(average.module.state_dict())
    return run.result


def evaluate_reward_model(
    reward_model: RewardModel, tokenizer, examples: Sequence[Any], objective: Objective = PAIRS
) -> dict[str, float]:
    """Loss and metrics on examples that the model was not trained on. Each name begins with "held_out_"."""
    rows = prepare(reward_model, tokenizer, examples, objective, learning=False)
    with torch.no_grad():
        weights = example_weights(examples, len(reward_model.names))
        weights = weights / weights.mean()
        loss, scores = backward_loss(reward_model, rows, examples, objective, weights, micro_batch_tokens=2048)
    return {f"held_out_{name}": value for name, value in ({"loss": loss} | objective.metrics(scores, examples)).items()}


def prepare(
    reward_model: RewardModel, tokenizer, examples: Sequence[Any], objective: Objective, learning: bool = True
) -> list[list[list[int]]]:
    """Check that the model can judge the examples (and learn from them), then give the token ids of their texts."""
    rows = tokenise(reward_model, tokenizer, examples)
    objective.check(examples, reward_model.names, learning)
    alike = self_preferences(examples, rows)
    if learning and len(alike) == len(examples):
        raise ValueError(f"All {len(examples)} examples prefer a text to itself: nothing says which texts are better.")
    if alike:
        warnings.warn(
            f"{len(alike)} of {len(examples)} examples prefer a text to itself, the first of them example {alike[0]}."
            " They say nothing of what is better. Leave them out, and look at where they come from.",
            stacklevel=3,
        )
    return rows


def example_weights(examples: Sequence[Any], outputs: int, bootstrap_seed: int | None = None) -> Tensor:
    """How much each example counts for each output, (N, K) float64.

    With a seed, each output draws its own resample of N examples with replacement and counts each example as often as
    it was drawn (bagging, Breiman 1996). Where the examples leave room for doubt, the outputs then differ.
    """
    weights = torch.tensor([weight_of(example) for example in examples], dtype=torch.float64)[:, None]
    if not bool(((weights >= 0) & weights.isfinite()).all()) or not bool(weights.sum() > 0):
        raise ValueError("The weights of examples are finite, none below zero and not all zero.")
    if bootstrap_seed is None:
        return weights.expand(-1, outputs)
    drawn = torch.randint(len(examples), (len(examples), outputs), generator=random_generator(bootstrap_seed))
    return weights * torch.zeros(len(examples), outputs, dtype=torch.float64).scatter_add_(
        0, drawn, torch.ones_like(drawn, dtype=torch.float64)
    )


def backward_loss(
    reward_model: RewardModel,
    rows: Sequence[Sequence[Sequence[int]]],
    examples: Sequence[Any],
    objective: Objective,
    weights: Tensor,
    micro_batch_tokens: int,
) -> tuple[float, Tensor]:
    """Loss of a batch of n tokenised examples, and the scores of their texts (n, M, K). Adds gradients.

    weights: (n, K). The loss is the mean over examples and outputs, each multiplied by its weight.
    """
    counts = [len(texts) for texts in rows]
    sizes = torch.tensor([len(texts) * max(map(len, texts)) for texts in rows])
    device = reward_model.head.weight.device
    weights = (weights / weights.numel()).to(reward_model.head.weight.dtype).to(device)  # MPS has no float64
    total, found = 0.0, torch.zeros(len(rows), max(counts), len(reward_model.names), device=device)
    for micro_batch in micro_batches_by_length(sizes, micro_batch_tokens):
        chosen = micro_batch.tolist()
        ids, mask = pad_right([text for i in chosen for text in rows[i]], 0)
        flat = reward_model(ids.to(device), mask.to(device)).view(len(ids), -1)  # (texts of it, K)
        scores = by_example(flat, [counts[i] for i in chosen])
        losses = objective.losses(scores, [examples[i] for i in chosen])  # (n of the micro-batch, K)
        loss = (losses * weights[micro_batch.to(device)].to(losses.dtype)).sum()
        if torch.is_grad_enabled():
            loss.backward()
        total += float(loss.detach())
        found[micro_batch.to(device), : scores.shape[1]] = scores.detach().float()
    return total, found


def by_example(flat: Tensor, counts: Sequence[int]) -> Tensor:
    """Scores (T, K) of all texts, regrouped by example to (n, M, K), padded with zeros. counts: texts per example."""
    return nn.utils.rnn.pad_sequence(flat.split(list(counts)), batch_first=True)
