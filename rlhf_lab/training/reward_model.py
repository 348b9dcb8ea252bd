"""Training a reward model on preference pairs (Bradley-Terry; Christiano et al. 2017, Stiennon et al. 2020).

A pair is anything with a `prompt`, the `chosen` completion and the `rejected` one. Both are taken as ended.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from rlhf_lab.losses import bradley_terry_loss
from rlhf_lab.models import RewardModel, context_length
from rlhf_lab.tokens import encode_completions, encode_prompts, pad_right, pieces_by_length
from rlhf_lab.training.optimisation import (
    apply_gradients,
    draw_seed,
    make_optimizer,
    not_finite,
    shuffled_batches,
    warmup_cosine,
)
from rlhf_lab.training.running import Run, TrainingResult


@dataclass(frozen=True)
class RewardModelConfig:
    """Settings of `train_reward_model`."""

    epochs: float = 1.0  # passes over the pairs; more than one soon learns few pairs by heart
    batch_size: int = 32  # pairs a step
    piece_tokens: int = 1024  # tokens computed at once, padding included; a batch's gradients are added up
    learning_rate: float = 3e-4  # at its highest; 1e-5 for models of a hundred million parameters
    warmup_fraction: float = 0.1  # share of the steps over which the learning rate rises
    final_fraction: float = 0.1  # learning rate of the last step, as a share of the highest
    weight_decay: float = 0.01  # pulls matrices towards zero
    margin: float = 0.0  # by how much the chosen reward should exceed the other, at least
    max_gradient_norm: float = 1.0  # longer gradients are shortened to this
    evaluate_every: int = 0  # steps between calls of `evaluate`; 0: only after the last step
    checkpoint_every: int = 0  # steps between checkpoints; 0: only at the end


def train_reward_model(
    reward_model: RewardModel,
    tokenizer,
    pairs: Sequence,
    config: RewardModelConfig | None = None,
    *,
    callback: Callable[[dict], None] | None = None,
    evaluate: Callable[[], dict] | None = None,
    generator: torch.Generator | None = None,
    checkpoint: str | Path | None = None,
    resume: bool = False,
) -> TrainingResult:
    """Train `reward_model` in place on pairs (objects with .prompt, .chosen and .rejected).

    callback gets one record a step: step (from 1), total, loss, accuracy (share of this step's pairs whose
    chosen completion got the higher reward, a tie counting half, before the step's update: in the first pass
    these pairs are new to the model), difference (mean of chosen less rejected reward), learning_rate,
    gradient_norm, pairs (so far), seconds (so far), step_seconds, and what `evaluate` returned when it was its turn.
    Call `reward_model.normalise` afterwards. Interrupting, checkpoint and resume: as in `train_language_model`.
    Raises ValueError on no pairs, or a text that is empty or longer than the model reads.
    """
    config = config or RewardModelConfig()
    rows = _tokenise(reward_model, tokenizer, pairs)
    total = max(1, math.ceil(config.epochs * len(rows) / config.batch_size))
    batch_size = min(config.batch_size, len(rows))
    warmup = max(1, round(config.warmup_fraction * total))
    optimizer = make_optimizer(reward_model.parameters(), config.weight_decay)
    run = Run(
        total,
        {"reward_model": reward_model},
        optimizer,
        state={"order_seed": draw_seed(generator)},
        callback=callback,
        evaluate=evaluate,
        evaluate_every=config.evaluate_every,
        checkpoint=checkpoint,
        checkpoint_every=config.checkpoint_every,
        resume=resume,
    )
    batches = shuffled_batches(len(rows), batch_size, run.state["order_seed"], run.state["step"])

    with run:
        for step in run:
            batch = [rows[i] for i in next(batches)]
            learning_rate = warmup_cosine(step, total, config.learning_rate, warmup, config.final_fraction)
            loss, difference = backward_bradley_terry(
                reward_model, batch, tokenizer.pad_token_id, config.piece_tokens, config.margin
            )
            norm = apply_gradients(optimizer, learning_rate, config.max_gradient_norm)
            if not math.isfinite(loss + norm):
                run.stop(not_finite(step, loss, norm, learning_rate))
                break
            run.report(
                loss=loss,
                accuracy=accuracy(difference),
                difference=float(difference.mean()),
                learning_rate=learning_rate,
                gradient_norm=norm,
                pairs=(step + 1) * batch_size,
            )
    return run.result


def backward_bradley_terry(
    reward_model: RewardModel, batch: list, pad_id: int, piece_tokens: int, margin: float = 0.0
) -> tuple[float, Tensor]:
    """Bradley-Terry loss of a batch of tokenised pairs, and chosen less rejected rewards (n,); adds gradients."""
    lengths = torch.tensor([max(len(chosen), len(rejected)) for chosen, rejected in batch])
    total, differences = 0.0, torch.zeros(len(batch))
    for piece in pieces_by_length(2 * lengths, piece_tokens):
        pairs = [batch[i] for i in piece.tolist()]
        ids, mask = pad_right([chosen for chosen, _ in pairs] + [rejected for _, rejected in pairs], pad_id)
        device = reward_model.head.weight.device
        chosen, rejected = reward_model(ids.to(device), mask.to(device)).chunk(2)  # (n,) each
        loss = bradley_terry_loss(chosen, rejected, margin) * (len(pairs) / len(batch))
        if torch.is_grad_enabled():
            loss.backward()
        total += float(loss.detach())
        differences[piece] = (chosen - rejected).detach().cpu()
    return total, differences


def accuracy(difference: Tensor) -> float:
    """Share of pairs (n,) whose chosen completion got the higher reward; a tie counts half."""
    return float(((difference > 0).float() + 0.5 * (difference == 0).float()).mean())


@torch.no_grad()
def evaluate_pairs(reward_model: RewardModel, tokenizer, pairs: Sequence) -> dict:
    """Held-out loss and accuracy of a reward model on pairs that it was not trained on."""
    rows = _tokenise(reward_model, tokenizer, pairs)
    loss, difference = backward_bradley_terry(reward_model, rows, tokenizer.pad_token_id, piece_tokens=2048)
    return {"held_out_loss": loss, "held_out_accuracy": accuracy(difference)}


def _tokenise(reward_model: RewardModel, tokenizer, pairs: Sequence) -> list[tuple[list[int], list[int]]]:
    if len(pairs) == 0:
        raise ValueError("There are no preference pairs to learn from. Rate some first: a dozen show the idea.")
    prompts = encode_prompts(tokenizer, [pair.prompt for pair in pairs])
    chosen = encode_completions(tokenizer, [pair.chosen for pair in pairs])
    rejected = encode_completions(tokenizer, [pair.rejected for pair in pairs])
    limit, rows = context_length(reward_model.trunk), []
    for i, (prompt, *completions) in enumerate(zip(prompts, chosen, rejected, strict=True)):
        longest = len(prompt) + max(map(len, completions))
        if longest > limit:
            raise ValueError(
                f"Pair {i} has a text of {longest} tokens, but the model reads at most {limit}. Shorten or drop it;"
                f" its prompt begins {pairs[i].prompt[:40]!r}."
            )
        rows.append(tuple(prompt + completion for completion in completions))
    return rows
