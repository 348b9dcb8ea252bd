"""Sample completions from a language model, and keep everything that learning needs to know about them.

`sample` continues a batch of prompts of different length and returns a `Rollout`: tokens, texts, and the
log-probability of every sampled token *at the time it was sampled*. `log_probs.py` computes the same numbers in
another way, and the two must agree.

Four things make it fast. A prompt with many completions is read once. Memory for keys and values of past tokens is
reserved once, so they are not copied into a longer tensor at every token. Tokens are drawn by inverting the cumulative
distribution, with one random number per row instead of one per token of the vocabulary. Ended rows leave the batch.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from numbers import Integral, Real

import torch
from torch import Tensor, nn
from transformers.cache_utils import Cache, DynamicLayer

from rlhf_lab.models.loading import check_vocabulary, context_length, trunk_and_head
from rlhf_lab.models.precision import BrokenModelError, check_weights, computes_in, in_its_precision, logits_of
from rlhf_lab.models.tokens import decode_completions, encode_completions, encode_prompts, pad_left, pad_right

# Logits in float32 have errors of about 1e-5. Dividing by a smaller temperature blows these up to whole nats.
SMALLEST_TEMPERATURE = 1e-5


@dataclass(frozen=True)
class Rollout:
    """A batch of B completions and what is known about them. Tensors are on the model's device."""

    prompts: list[str]  # B prompts
    texts: list[str]  # B completions as text, without special tokens
    prompt_ids: Tensor  # (B, P) int64, padded on the left
    prompt_mask: Tensor  # (B, P) bool, true on real tokens
    completion_ids: Tensor  # (B, T) int64, padded on the right; an ended completion includes its end token
    completion_mask: Tensor  # (B, T) bool, true on real tokens, the end token among them
    log_probs: Tensor  # (B, T) float32, log-probability of each token when it was sampled; 0 on padding
    ended: Tensor  # (B,) bool, whether the completion has its end token (false: it was cut short)
    temperature: float = 1.0  # the temperature that log_probs belong to
    hidden: Tensor | None = None  # (B, T, d) the states that predicted each token; only if asked for

    @classmethod
    def from_texts(
        cls, tokenizer, prompts: Sequence[str], completions: Sequence[str], ended=True, device=None
    ) -> "Rollout":
        """Make a rollout from given texts, to score or compare them. They were not sampled, so `log_probs` are zeros.

        ended: whether an end token follows the completion; one bool for all, or one each.
        """
        if len(prompts) != len(completions):
            raise ValueError(f"{len(prompts)} prompts but {len(completions)} completions: one each is needed.")
        prompt_ids, prompt_mask = pad_left(encode_prompts(tokenizer, prompts), tokenizer.pad_token_id)
        rows = encode_completions(tokenizer, completions, ended)
        for i, row in enumerate(rows):
            if not row:
                raise ValueError(f"Completion {i} is empty and has no end token, so nothing is left to score.")
        ids, mask = pad_right(rows, tokenizer.pad_token_id)
        ended = torch.tensor([ended] * len(rows) if isinstance(ended, bool) else list(ended))
        rollout = cls(
            list(prompts), list(completions), prompt_ids, prompt_mask, ids, mask, torch.zeros(ids.shape), ended
        )
        return rollout.to(device)

    def __len__(self) -> int:
        return len(self.prompts)

    @property
    def lengths(self) -> Tensor:
        """Tokens in each completion (B,), the end token included."""
        return self.completion_mask.sum(1)

    def to(self, device) -> "Rollout":
        """The same rollout on another device."""
        moved = {f.name: getattr(self, f.name) for f in fields(self)}
        return replace(self, **{k: v.to(device) for k, v in moved.items() if isinstance(v, Tensor)})

    def select(self, rows: Tensor) -> "Rollout":
        """The rollout of the given rows (indices), cut to the longest prompt and completion among them."""
        picked = rows.tolist()
        width = int(self.prompt_mask[rows].sum(1).max())
        length = int(self.completion_mask[rows].sum(1).max())
        left = self.prompt_ids.shape[1] - width
        return replace(
            self,
            prompts=[self.prompts[i] for i in picked],
            texts=[self.texts[i] for i in picked],
            prompt_ids=self.prompt_ids[rows, left:],
            prompt_mask=self.prompt_mask[rows, left:],
            completion_ids=self.completion_ids[rows, :length],
            completion_mask=self.completion_mask[rows, :length],
            log_probs=self.log_probs[rows, :length],
            ended=self.ended[rows],
            hidden=None if self.hidden is None else self.hidden[rows, :length],
        )

    def sequences(self) -> tuple[Tensor, Tensor, Tensor]:
        """Prompt and completion in one row, padded on the right only: ids (B, L), prompt lengths, total lengths."""
        prompt_lengths = self.prompt_mask.sum(1)  # (B,)
        lengths = prompt_lengths + self.lengths  # (B,)
        both = torch.cat([self.prompt_ids, self.completion_ids], 1)  # (B, P + T)
        start = self.prompt_ids.shape[1] - prompt_lengths  # (B,) padding on the left
        columns = start[:, None] + torch.arange(int(lengths.max()), device=both.device)  # (B, L)
        return both.gather(1, columns.clamp(max=both.shape[1] - 1)), prompt_lengths, lengths


# --- Drawing tokens ----------------------------------------------------------------------------------


class _ReservedLayer(DynamicLayer):
    """Keys and values of one layer in memory reserved for `capacity` tokens; new ones are written in place."""

    def __init__(self, capacity: int):
        super().__init__()
        self.capacity, self.length = capacity, 0

    def update(self, key_states: Tensor, value_states: Tensor, *args, **kwargs) -> tuple[Tensor, Tensor]:
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
            batch, heads, _, width = key_states.shape
            self.all_keys = key_states.new_zeros(batch, heads, self.capacity, width)
            self.all_values = value_states.new_zeros(batch, heads, self.capacity, value_states.shape[-1])
        end = self.length + key_states.shape[2]
        self.all_keys[:, :, self.length : end] = key_states
        self.all_values[:, :, self.length : end] = value_states
        self.length = end
        self.keys, self.values = self.all_keys[:, :, :end], self.all_values[:, :, :end]
        return self.keys, self.values

    def take_rows(self, rows: Tensor) -> None:
        """Keep only these rows of the batch, in place if there are no more than before. Rows may be repeated."""
        self.all_keys, self.all_values = (self._taken(storage, rows) for storage in (self.all_keys, self.all_values))

    def _taken(self, storage: Tensor, rows: Tensor) -> Tensor:
        fits = len(rows) <= len(storage)
        taken = storage[: len(rows)] if fits else storage.new_empty(len(rows), *storage.shape[1:])
        taken[:, :, : self.length] = storage[rows, :, : self.length]
        return taken


def truncate_logits(logits: Tensor, top_k: int = 0, top_p: float = 1.0) -> Tensor:
    """Logits (B, V) with -inf outside the k likeliest tokens, and outside the smallest set of probability top_p.

    top_k = 0 and top_p = 1 keep everything. The likeliest token is always kept. top_p is applied after top_k, to the
    renormalised rest (Holtzman et al. 2019).
    """
    if 0 < top_k < logits.shape[-1]:
        threshold = logits.topk(top_k, dim=-1).values[:, -1:]
        logits = logits.masked_fill(logits < threshold, -torch.inf)
    if top_p < 1.0:
        ordered, index = logits.sort(dim=-1, descending=True)
        before = ordered.softmax(-1).cumsum(-1) - ordered.softmax(-1)  # probability of all likelier tokens
        ordered = ordered.masked_fill((before >= top_p) & (before > 0), -torch.inf)
        logits = torch.empty_like(logits).scatter_(1, index, ordered)
    return logits


def draw(probabilities: Tensor, uniform: Tensor) -> Tensor:
    """Tokens (B,) drawn from probabilities (B, V) with one uniform number in [0, 1) a row: inverse CDF.

    The token is the first whose cumulative probability exceeds the uniform number. A token of probability
    zero is never drawn.
    """
    cumulative = probabilities.cumsum(-1)  # (B, V)
    total = cumulative[:, -1]
    # Rounding must not carry the product up to the total, past the last token of positive probability.
    target = torch.minimum(uniform * total, torch.nextafter(total, torch.zeros_like(total)))
    found = torch.searchsorted(cumulative, target[:, None], right=True).squeeze(1)
    return found.clamp(max=probabilities.shape[1] - 1)  # only needed for NaN, which `sample` reports


def _choose(logits: Tensor, uniform: Tensor, temperature: float, top_k: int, top_p: float) -> tuple[Tensor, Tensor]:
    """Tokens (b,) drawn from logits (b, V), and their log-probabilities (b,) in the whole distribution.

    One softmax serves both. A drawn token is never so unlikely that p underflows, so we can take the log of p.
    """
    if temperature not in (0, 1):
        logits = logits / temperature
    p = logits.softmax(-1)
    if temperature == 0:
        token = logits.argmax(-1)
    elif top_k or top_p < 1:
        token = draw(truncate_logits(logits, top_k, top_p).softmax(-1), uniform)
    else:
        token = draw(p, uniform)
    return token, p.gather(1, token[:, None]).squeeze(1).log()


@torch.no_grad()
@in_its_precision
def sample(
    model: nn.Module,
    tokenizer,
    prompts: Sequence[str],
    *,
    max_new_tokens: int = 64,
    temperature: float = 1.0,
    top_k: int = 0,
    top_p: float = 1.0,
    generator: torch.Generator | None = None,
    keep_hidden: bool = False,
) -> Rollout:
    """Continue each prompt by at most `max_new_tokens` tokens, until the tokenizer's end token.

    temperature divides the logits; 0 takes the likeliest token (greedy, with log-probabilities at temperature 1).
    top_k and top_p restrict what may be drawn, see `truncate_logits`.
    generator decides the draws, on the CPU or the model's device. A CPU generator gives the same random numbers on
    every device. All (B, max_new_tokens) of them are drawn at once, so when one row ends does not affect the others.

    The stored log-probabilities are those of the *whole* distribution at this temperature, because that is
    what `completion_log_probs` can recompute and what a policy gradient differentiates. With top_k or top_p
    the tokens come from a narrower distribution: fine for reading samples, wrong for policy gradients.

    keep_hidden also keeps the hidden state that each token was drawn from (zero on padding), so that a value head
    needs no second pass through the model.

    Returns a Rollout of len(prompts) rows, T = tokens in the longest completion. The model is put in eval mode.
    ValueError on an empty list or prompt, a prompt too long for the model, or settings out of range.
    BrokenModelError, a ValueError, if the model's probabilities are not finite.
    """
    _check_settings(max_new_tokens, temperature, top_k, top_p)
    check_generator(generator)
    rows = encode_prompts(tokenizer, prompts)
    _check_context(model, rows, max_new_tokens)
    check_vocabulary(model, max(map(max, rows)))
    device = next(model.parameters()).device
    model.eval()
    trunk, head = trunk_and_head(model)

    ids, mask = pad_left(rows, tokenizer.pad_token_id)
    ids, mask = ids.to(device), mask.to(device)
    (B, P), T, end_id = ids.shape, max_new_tokens, tokenizer.eos_token_id
    where_drawn = device if generator is None else generator.device
    uniform = torch.rand(B, T, generator=generator, device=where_drawn).to(device)

    completion = torch.full((B, T), tokenizer.pad_token_id, device=device)
    log_probs = torch.zeros(B, T, device=device)
    ended_at = torch.full((B,), T, device=device)  # tokens up to and including the end token
    hidden = torch.zeros(B, T, head.weight.shape[1], dtype=model.dtype, device=device) if keep_hidden else None
    alive = torch.arange(B, device=device)  # rows still in the batch
    ended = torch.zeros(B, dtype=torch.bool, device=device)  # of the rows in the batch

    cache = Cache(layers=[_ReservedLayer(P + T) for _ in range(model.config.num_hidden_layers)])
    # What is added to attention scores: 0 for real tokens, a very negative number for padding. (B, 1, 1, P + T)
    lowest = torch.finfo(computes_in(model)).min
    bias = torch.zeros(B, 1, 1, P + T, dtype=computes_in(model), device=device)
    bias[:, 0, 0, :P].masked_fill_(~mask, lowest)
    causal = torch.full((P, P), lowest, dtype=bias.dtype, device=device).triu(1)
    check_every = 1 if device.type == "cpu" else 16  # reading `ended` makes the CPU wait for the GPU

    def read(ids: Tensor, attention: Tensor, positions: Tensor) -> Tensor:
        """Read more tokens (b, L). Gives the hidden states (b, d) after the last of them."""
        inputs = {"input_ids": ids, "attention_mask": attention, "position_ids": positions}
        return trunk(**inputs, past_key_values=cache, use_cache=True).last_hidden_state[:, -1].to(model.dtype)

    # The prompts: each distinct one is read once, for all rows that continue it.
    first, which = (torch.tensor(places, device=device) for places in _distinct(rows))
    positions = (mask[first].cumsum(1) - 1).clamp(min=0)  # they count real tokens only
    state = read(ids[first], torch.minimum(bias[first, ..., :P], causal), positions)[which]  # (B, d)
    if len(first) < B:
        for layer in cache.layers:
            layer.take_rows(which)
    positions = mask.sum(1)  # (b,) of the next token

    for t in range(T):
        token, log_p = _choose(logits_of(head, state), uniform[alive, t], temperature, top_k, top_p)  # (b,) each
        completion[alive, t] = token.masked_fill(ended, tokenizer.pad_token_id)
        log_probs[alive, t] = log_p.masked_fill(ended, 0.0)
        if keep_hidden:
            hidden[alive, t] = state.masked_fill(ended[:, None], 0.0)
        ends_now = (token == end_id) & ~ended
        ended_at[alive] = ended_at[alive].masked_fill(ends_now, t + 1)
        ended = ended | ends_now

        if (t + 1) % check_every == 0:
            going = int((~ended).sum())
            if going == 0:
                break
            if going < 0.8 * len(ended):  # enough have ended to make copying the others worthwhile
                keep = (~ended).nonzero().squeeze(1)
                for layer in cache.layers:
                    layer.take_rows(keep)
                alive, token, positions, bias, ended = (x[keep] for x in (alive, token, positions, bias, ended))
        if t + 1 < T:
            state = read(token[:, None], bias[..., : P + t + 1], positions[:, None])
            positions = positions + 1

    _check_finite(model, log_probs)
    completion_mask = torch.arange(T, device=device) < ended_at[:, None]
    has_ended = (completion == end_id).logical_and(completion_mask).any(1)
    longest = int(ended_at.max())
    completion, completion_mask = completion[:, :longest], completion_mask[:, :longest]
    texts = decode_completions(
        tokenizer, [row[:n] for row, n in zip(completion.tolist(), ended_at.tolist(), strict=True)]
    )
    return Rollout(
        prompts=list(prompts),
        texts=texts,
        prompt_ids=ids,
        prompt_mask=mask,
        completion_ids=completion,
        completion_mask=completion_mask,
        log_probs=log_probs[:, :longest],
        ended=has_ended,
        temperature=temperature or 1.0,
        hidden=hidden[:, :longest] if keep_hidden else None,
    )


def _distinct(rows: list[list[int]]) -> tuple[list[int], list[int]]:
    """The index where each distinct row first occurs, and for every row the number of its distinct row."""
    number, first, which = {}, [], []
    for place, row in enumerate(map(tuple, rows)):
        if row not in number:
            number[row] = len(first)
            first.append(place)
        which.append(number[row])
    return first, which


def _check_settings(max_new_tokens: int, temperature: float, top_k: int, top_p: float) -> None:
    if not isinstance(max_new_tokens, Integral) or max_new_tokens < 1:
        raise ValueError(f"max_new_tokens is {max_new_tokens!r}; it must be a whole number of at least 1.")
    if temperature != 0:
        check_temperature(temperature, " For greedy sampling use 0.")
    if not isinstance(top_k, Integral) or top_k < 0 or not isinstance(top_p, Real) or not 0 < top_p <= 1:
        raise ValueError(f"top_k={top_k!r}, top_p={top_p!r}: top_k is a whole number, 0 for off; top_p in (0, 1].")


def check_temperature(temperature: float, besides: str = "") -> None:
    """ValueError if logits cannot be divided by this temperature. besides: more text for the message."""
    if not isinstance(temperature, Real) or not SMALLEST_TEMPERATURE <= temperature < float("inf"):
        raise ValueError(
            f"temperature is {temperature!r}; it must be a finite number of at least {SMALLEST_TEMPERATURE:g}, for"
            f" example 1.0.{besides}"
        )


def check_generator(generator: torch.Generator | None) -> None:
    """ValueError if this is not a generator. The usual mistake is to pass a seed."""
    if not (generator is None or isinstance(generator, torch.Generator)):
        raise ValueError(
            f"generator is {generator!r}, not a torch.Generator. Of a seed make one: torch.Generator().manual_seed(0)."
        )


def _check_finite(model: nn.Module, log_probs: Tensor) -> None:
    """BrokenModelError if a log-probability (B, T) of a sampled token is not finite."""
    wrong = ~log_probs.isfinite().all(1)
    if bool(wrong.any()):
        check_weights(model)
        raise BrokenModelError(
            f"The model's probabilities of the next token are not finite numbers, first for prompt"
            f" {int(wrong.int().argmax())}: its weights are far too large. Load it again from before it broke; if it"
            " broke in training, lower the learning rate."
        )


def _check_context(model: nn.Module, rows: list[list[int]], max_new_tokens: int) -> None:
    limit = context_length(model)
    longest = max(range(len(rows)), key=lambda i: len(rows[i]))
    if len(rows[longest]) + max_new_tokens > limit:
        room = limit - max_new_tokens
        advice = f"Shorten it to {room} tokens, or pass" if room > 0 else "Pass"
        raise ValueError(
            f"Prompt {longest} has {len(rows[longest])} tokens and max_new_tokens is {max_new_tokens}, but the"
            f" model reads at most {limit} tokens. {advice} a smaller max_new_tokens."
        )
