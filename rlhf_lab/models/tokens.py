"""From text to token ids and back, and the two ways of padding.

A document is a prompt and a completion. The prompt never ends in a space and the completion starts with
one, so that the two can be tokenised apart and put together without a difference. A completion ends with
the tokenizer's end token (EOS), unless it was cut short.

Padding goes on the *left* of prompts that are about to be continued, so that all next tokens are in one
column, and on the *right* of complete sequences, where a causal model never looks at it.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from rlhf_lab.texts import fault_in


def encode_prompts(tokenizer, prompts: Sequence[str]) -> list[list[int]]:
    """Token ids of each prompt, without special tokens. Raises ValueError on an empty prompt and on what is no text."""
    _check_texts(prompts, "prompt")
    if len(prompts) == 0:
        raise ValueError("The list of prompts is empty. Pass at least one prompt.")
    for i, prompt in enumerate(prompts):
        if not prompt.strip():
            raise ValueError(
                f"Prompt {i} of {len(prompts)} is empty ({prompt!r}). A model needs at least one token to"
                " continue from: give it some text, for example 'Review of'."
            )
    return _encode(tokenizer, prompts)


def encode_completions(tokenizer, completions: Sequence[str], ended: bool | Sequence[bool] = True) -> list[list[int]]:
    """Token ids of each completion, with the end token where `ended` says so (default: everywhere).

    Raises ValueError on what is no text.
    """
    _check_texts(completions, "completion")
    if isinstance(ended, bool):
        ended = [ended] * len(completions)
    rows = _encode(tokenizer, completions)
    return [[*row, tokenizer.eos_token_id] if end else row for row, end in zip(rows, ended, strict=True)]


def _check_texts(texts: Sequence[str], name: str) -> None:
    if isinstance(texts, str):
        raise TypeError(f"Expected a list of {name}s and got one string, {texts!r:.80}. Pass [{name}].")
    for i, text in enumerate(texts):
        if fault := fault_in(text):
            raise ValueError(f"{name.capitalize()} {i} of {len(texts)} {fault}")


def _encode(tokenizer, texts: Sequence[str], at_once: int = 1000) -> list[list[int]]:
    """Token ids of each text, a thousand texts at a time: the tokenizer's own records are large."""
    rows = []
    for start in range(0, len(texts), at_once):
        rows += tokenizer(list(texts[start : start + at_once]), add_special_tokens=False)["input_ids"]
    return rows


def decode_completions(tokenizer, rows: Sequence[Sequence[int]]) -> list[str]:
    """Text of each row of token ids, without special tokens and with its spaces as they were."""
    return tokenizer.batch_decode(rows, skip_special_tokens=True, clean_up_tokenization_spaces=False)


def micro_batches_by_length(lengths: Tensor, tokens: int) -> list[Tensor]:
    """Rows of given lengths (B,) in micro-batches of at most `tokens` tokens, padding included, longest rows first.

    A batch is computed micro-batch by micro-batch, each padded to its own longest row, and the gradients or results
    are put together. Rows of about one length together need little padding; a mixed batch in one piece would be half
    padding. A row longer than `tokens` is a micro-batch of its own. Returns indices of rows.
    """
    order = lengths.argsort(descending=True, stable=True)
    micro_batches, start = [], 0
    for end, longest in enumerate(lengths[order].tolist()):
        if end == start:
            rows_that_fit = max(1, tokens // longest)
        elif end - start == rows_that_fit:
            micro_batches.append(order[start:end])
            start, rows_that_fit = end, max(1, tokens // longest)
    return [*micro_batches, order[start:]]


def pad_right(rows: Sequence[Sequence[int]], pad_id: int) -> tuple[Tensor, Tensor]:
    """Rows of different length as one (B, L) tensor padded on the right, and the bool mask of what is real."""
    return _pad(rows, pad_id, left=False)


def pad_left(rows: Sequence[Sequence[int]], pad_id: int) -> tuple[Tensor, Tensor]:
    """Rows of different length as one (B, L) tensor padded on the left, and the bool mask of what is real."""
    return _pad(rows, pad_id, left=True)


def _pad(rows: Sequence[Sequence[int]], pad_id: int, left: bool) -> tuple[Tensor, Tensor]:
    longest = max(len(row) for row in rows)
    ids, mask = [], []
    for row in rows:
        missing = longest - len(row)
        padding, absent, present = [pad_id] * missing, [False] * missing, [True] * len(row)
        ids.append(padding + list(row) if left else list(row) + padding)
        mask.append(absent + present if left else present + absent)
    return torch.tensor(ids, dtype=torch.long), torch.tensor(mask, dtype=torch.bool)  # (B, L) each
