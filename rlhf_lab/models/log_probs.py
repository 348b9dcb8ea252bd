"""Log-probabilities of given tokens: of a rollout under another model, or again under the model that sampled it.

Whole sequences go through the model at once, padded on the right, with gradients. `sampling.py` computes the same
numbers token by token, and the two must agree. Logits (one number for each token of the vocabulary) are by far the
largest tensor, so they are only computed for completion tokens.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from rlhf_lab.models.loading import hidden_states, trunk_and_head
from rlhf_lab.models.precision import logits_of
from rlhf_lab.models.sampling import Rollout, check_temperature
from rlhf_lab.models.tokens import micro_batches_by_length

LOGITS_AT_ONCE = 2**25  # largest number of logits (tokens times vocabulary) in one piece: 128 MiB in float32


def completion_hidden(model: nn.Module, rollout: Rollout) -> Tensor:
    """The hidden states (N, d) that predict the N real completion tokens, row by row.

    The token at position t is predicted from the state at t - 1, which has not seen it yet.
    """
    trunk, _ = trunk_and_head(model)
    ids, prompt_lengths, _ = rollout.sequences()
    hidden = hidden_states(trunk, ids)  # (B, L, d)
    row, column = rollout.completion_mask.nonzero(as_tuple=True)  # (N,) each
    return hidden[row, prompt_lengths[row] + column - 1]


def token_log_probs(
    head: nn.Module, hidden: Tensor, tokens: Tensor, temperature: float = 1.0, entropy: bool = False
) -> tuple[Tensor, Tensor | None]:
    """Log-probabilities (N,) of tokens (N,) after hidden states (N, d), and entropies (N,) if asked for.

    Results are float32 for any dtype of the model. Logits are computed in pieces. With gradients and more than one
    piece, they are not kept but computed again in the backward pass.
    """

    def piece(hidden: Tensor, tokens: Tensor) -> tuple[Tensor, Tensor | None]:
        logits = logits_of(head, hidden)  # (n, V)
        if temperature != 1.0:
            logits = logits / temperature
        if not entropy:
            return -F.cross_entropy(logits, tokens, reduction="none"), None
        log_p = torch.log_softmax(logits, -1)
        return log_p.gather(1, tokens[:, None]).squeeze(1), -(log_p.exp() * log_p).sum(-1)

    size = max(1, LOGITS_AT_ONCE // head.weight.shape[0])
    if len(tokens) <= size:
        return piece(hidden, tokens)
    pieces = [
        checkpoint(piece, h, t, use_reentrant=False) if torch.is_grad_enabled() else piece(h, t)
        for h, t in zip(hidden.split(size), tokens.split(size), strict=True)
    ]
    log_probs, entropies = zip(*pieces, strict=True)
    return torch.cat(log_probs), torch.cat(entropies) if entropy else None


def unflatten(values: Tensor, mask: Tensor) -> Tensor:
    """Put values (N,) at the true positions of mask (B, T), row by row. Zero elsewhere."""
    return torch.zeros(mask.shape, dtype=values.dtype, device=values.device).masked_scatter(mask, values)


def completion_log_probs(
    model: nn.Module,
    rollout: Rollout,
    temperature: float | None = None,
    *,
    entropy: bool = False,
    micro_batch_tokens: int | None = None,
) -> Tensor | tuple[Tensor, Tensor]:
    """Log-probabilities (B, T) of a rollout's tokens under `model`; with entropy=True also entropies (B, T).

    Has gradients unless called under `torch.no_grad()`. temperature: None takes the rollout's own. It must be the
    sampling temperature, or the ratio to the stored log-probabilities does not start at 1. micro_batch_tokens: how
    many tokens to compute at once, padding included, sorted by length; None computes all at once (about 2000 is faster
    on a CPU without gradients). Zero on padding, and padding does not influence the result.
    """
    temperature = rollout.temperature if temperature is None else temperature
    check_temperature(temperature)
    if micro_batch_tokens is not None:
        return _in_pieces(model, rollout, temperature, entropy, micro_batch_tokens)
    _, head = trunk_and_head(model)
    mask = rollout.completion_mask
    hidden = completion_hidden(model, rollout)
    log_probs, entropies = token_log_probs(head, hidden, rollout.completion_ids[mask], temperature, entropy)
    log_probs = unflatten(log_probs, mask)
    return (log_probs, unflatten(entropies, mask)) if entropy else log_probs


def _in_pieces(model: nn.Module, rollout: Rollout, temperature: float, entropy: bool, micro_batch_tokens: int):
    shape = rollout.completion_mask.shape
    results = [torch.zeros(shape, device=rollout.log_probs.device) for _ in range(1 + entropy)]
    for rows in micro_batches_by_length(rollout.prompt_mask.sum(1) + rollout.lengths, micro_batch_tokens):
        part = completion_log_probs(model, rollout.select(rows), temperature, entropy=entropy)
        for result, values in zip(results, part if entropy else (part,), strict=True):
            result[rows, : values.shape[1]] = values
    return tuple(results) if entropy else results[0]
