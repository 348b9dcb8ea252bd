"""Train a language model, or fine-tune it on demonstrations (SFT). Both use the same loop, with different masks.

A document is any object with a `prompt` and a `completion`. Pre-training learns to predict all its tokens. SFT learns
only the completion and its end token, because the user will write the prompt.
"""

import math
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Unpack

import torch
from torch import Tensor, nn

from rlhf_lab.models.loading import check_vocabulary, context_length, hidden_states, trunk_and_head
from rlhf_lab.models.log_probs import token_log_probs
from rlhf_lab.models.precision import ready_to_learn
from rlhf_lab.models.tokens import encode_completions, encode_prompts, micro_batches_by_length, pad_right
from rlhf_lab.training.loop import RunOptions, TrainingLoop, TrainingResult
from rlhf_lab.training.muon import make_muon
from rlhf_lab.training.optimisation import (
    apply_gradients,
    check_settings,
    draw_seed,
    make_optimizer,
    not_finite,
    shuffled_batches,
    warmup_cosine,
)


@dataclass(frozen=True)
class LanguageModelConfig:
    """Settings of `train_language_model`; the defaults train a tiny model from scratch."""

    epochs: float = 1.0  # passes over the documents; ignored if steps is given
    steps: int | None = None  # optimiser steps; None: as many as the epochs need
    batch_size: int = 64  # documents per step
    micro_batch_tokens: int = 1024  # tokens computed at once, padding included; a batch's gradients are added up
    completion_only_loss: bool = False  # True: learn the completion and its end token only (SFT)
    learning_rate: float = 3e-3  # at its highest; fine-tuning needs about a tenth of this
    warmup_fraction: float = 0.05  # share of the steps over which the learning rate rises
    final_fraction: float = 0.05  # learning rate of the last step, as a share of the highest
    muon: bool = False  # True: Muon instead of AdamW for the matrices; from scratch, it needs half the steps
    weight_decay: float = 0.1  # pulls matrices towards zero, but not biases or layer norms
    max_gradient_norm: float = 1.0  # longer gradients are shortened to this
    evaluate_every: int = 0  # steps between calls of `evaluate`; 0: only after the last step
    checkpoint_every: int = 0  # steps between checkpoints; 0: only at the end


@dataclass(frozen=True)
class _Row:
    """A document in tokens: prompt, completion, end token."""

    ids: Sequence[int]
    first_learned: int  # index of the first token that the loss counts


def train_language_model(
    model: nn.Module,
    tokenizer,
    documents: Sequence,
    config: LanguageModelConfig | None = None,
    *,
    generator: torch.Generator | None = None,
    **options: Unpack[RunOptions],
) -> TrainingResult:
    """Train `model` in place on documents (objects with .prompt and .completion).

    callback gets one record per step: step (from 1), total, loss (nats per token), learning_rate, gradient_norm,
    tokens (real ones so far), seconds (so far), step_seconds, and the results of `evaluate` whenever it is due.
    generator decides the order of the documents. options: callback, evaluate, checkpoint and resume, see `RunOptions`.

    If interrupted, it returns after the current step: `interrupted` is True, and the model keeps what it learned.
    If a loss or gradient is not finite, it stops, goes back to the weights with the lowest loss, and says so in
    `stopped`. A model in bfloat16 gets float32 weights, see `models/precision.py`.
    ValueError if there are no documents, one is empty or too long for the model, a setting makes no sense, or the
    model cannot learn.
    """
    config = config or LanguageModelConfig()
    check_settings(config, LanguageModelConfig)
    ready_to_learn(model)
    rows = _tokenise(model, tokenizer, documents, config.completion_only_loss)
    total = config.steps or max(1, math.ceil(config.epochs * len(rows) / config.batch_size))
    warmup = max(1, round(config.warmup_fraction * total))
    if config.muon:
        optimizer = make_muon(model, config.weight_decay)
    else:
        optimizer = make_optimizer(model.parameters(), config.weight_decay)
    run = TrainingLoop(
        total,
        {"model": model},
        optimizer,
        state={"tokens": 0, "order_seed": draw_seed(generator)},
        identity={"loop": "train_language_model", "config": config, "documents": rows},
        evaluate_every=config.evaluate_every,
        checkpoint_every=config.checkpoint_every,
        **options,
    )
    batches = shuffled_batches(len(rows), config.batch_size, run.state["order_seed"], run.state["step"])

    with run:
        for step in run:
            batch = [rows[i] for i in next(batches)]
            learning_rate = warmup_cosine(step, total, config.learning_rate, warmup, config.final_fraction)
            loss = backward_language_model_loss(model, batch, tokenizer.pad_token_id, config.micro_batch_tokens)
            run.keep_if_best(loss)
            norm = apply_gradients(optimizer, learning_rate, config.max_gradient_norm)
            if not math.isfinite(loss + norm):
                run.stop(not_finite(step, loss, norm, learning_rate, updated=step > 0))
                break
            run.state["tokens"] += sum(len(row.ids) for row in batch)
            run.report(
                loss=loss,
                learning_rate=learning_rate,
                gradient_norm=norm,
                tokens=run.state["tokens"],
            )
    return run.result


def backward_language_model_loss(model: nn.Module, batch: list[_Row], pad_id: int, micro_batch_tokens: int) -> float:
    """Mean cross-entropy of a batch over the tokens to learn, in nats per token. Adds its gradient to the model's.

    Equal to `objectives.language_model.language_model_loss`, but computes logits only for the tokens to learn.
    """
    trunk, head = trunk_and_head(model)
    device = next(model.parameters()).device
    learned = sum(len(row.ids) - row.first_learned for row in batch)
    total = 0.0
    for micro_batch in micro_batches_by_length(torch.tensor([len(row.ids) for row in batch]), micro_batch_tokens):
        ids, targets = _to_tensors([batch[i] for i in micro_batch.tolist()], pad_id)
        ids, targets = ids.to(device), targets.to(device)  # (b, L) each
        before = targets[:, 1:].nonzero(as_tuple=True)  # position t predicts token t + 1
        hidden = hidden_states(trunk, ids)[before]  # (n, d)
        log_probs, _ = token_log_probs(head, hidden, ids[:, 1:][before])
        loss = -log_probs.sum() / learned
        if torch.is_grad_enabled():
            loss.backward()
        total += float(loss.detach())
    return total


@torch.no_grad()
def held_out_loss(model: nn.Module, tokenizer, documents: Sequence, completion_only_loss: bool = False) -> float:
    """Mean cross-entropy, in nats per token, on documents the model was not trained on. e^loss is the perplexity."""
    rows = _tokenise(model, tokenizer, documents, completion_only_loss)
    return backward_language_model_loss(model.eval(), rows, tokenizer.pad_token_id, micro_batch_tokens=2048)


def _tokenise(model: nn.Module, tokenizer, documents: Sequence, completion_only_loss: bool) -> list[_Row]:
    if len(documents) == 0:
        raise ValueError("There are no documents to learn from. Pass at least one with a prompt and a completion.")
    for i, document in enumerate(documents):
        if not (hasattr(document, "prompt") and hasattr(document, "completion")):
            raise ValueError(
                f"Document {i} is a {type(document).__name__}; it needs a .prompt and a .completion, as"
                " `feedback.examples.CompletionExample` has."
            )
    prompts = encode_prompts(tokenizer, [document.prompt for document in documents])
    completions = encode_completions(tokenizer, [document.completion for document in documents])
    rows, limit = [], context_length(model)
    check_vocabulary(model, max(max(row, default=0) for row in (*prompts, *completions)))
    for i, (prompt, completion) in enumerate(zip(prompts, completions, strict=True)):
        if len(prompt) + len(completion) > limit:
            raise ValueError(
                f"Document {i} has {len(prompt) + len(completion)} tokens with its end token, but the model reads"
                f" at most {limit}. Shorten or drop it; it begins {documents[i].prompt[:40]!r}."
            )
        # An array takes a tenth of a list's memory.
        rows.append(_Row(array("i", prompt + completion), len(prompt) if completion_only_loss else 1))
    return rows


def _to_tensors(rows: list[_Row], pad_id: int) -> tuple[Tensor, Tensor]:
    """Padded ids (b, L), and a mask (b, L) that is true on the tokens to learn."""
    ids, mask = pad_right([row.ids for row in rows], pad_id)
    first = torch.tensor([row.first_learned for row in rows])
    return ids, mask & (torch.arange(ids.shape[1]) >= first[:, None])
