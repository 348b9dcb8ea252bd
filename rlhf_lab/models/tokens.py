"""From text to token ids and back, and the two ways of padding.

A document is a prompt and a completion. The prompt never ends in a space and the completion starts with one, so
tokenising them separately gives the same ids as tokenising them together. A completion ends with the tokenizer's end
token (EOS), unless it was cut short.

Prompts to be continued are padded on the *left*, so that all next tokens are in one column. Complete sequences are
padded on the *right*, where a causal model never looks.
"""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from rlhf_lab.texts import fault_in


def encode_prompts(tokenizer, prompts: Sequence[str]) -> list[list[int]]:
    """Token ids of each prompt, without special tokens. ValueError if a prompt is empty or not a text."""
    check_prompts(tokenizer, prompts)
    return _encode(tokenizer, prompts)


def check_prompts(tokenizer, prompts: Sequence[str]) -> None:
    """Raise the errors of `encode_prompts`, without encoding anything."""
    _check_texts(tokenizer, prompts, "prompt")
    if len(prompts) == 0:
        raise ValueError("The list of prompts is empty. Pass at least one prompt.")
    for i, prompt in enumerate(prompts):
        if not prompt.strip():
            raise ValueError(
                f"Prompt {i} of {len(prompts)} is empty ({prompt!r}). A model needs at least one token to"
                " continue from: give it some text, for example 'Review of'."
            )


def encode_completions(tokenizer, completions: Sequence[str], ended: bool | Sequence[bool] = True) -> list[list[int]]:
    """Token ids of each completion, with an end token if `ended` (one bool for all, or one each).

    ValueError if a completion is not a text.
    """
    _check_texts(tokenizer, completions, "completion")
    if isinstance(ended, bool):
        ended = [ended] * len(completions)
    if len(ended) != len(completions):
        raise ValueError(f"`ended` has {len(ended)} entries for {len(completions)} completions: one each is needed.")
    rows = _encode(tokenizer, completions)
    return [[*row, tokenizer.eos_token_id] if end else row for row, end in zip(rows, ended, strict=True)]


def _check_texts(tokenizer, texts: Sequence[str], name: str) -> None:
    """TypeError for a single string. ValueError if this is not a list of texts, or the tokenizer has no end token."""
    if isinstance(texts, str):
        raise TypeError(f"Expected a list of {name}s and got one string, {texts!r:.80}. Pass [{name}].")
    if isinstance(texts, Mapping) or not hasattr(texts, "__getitem__"):
        raise ValueError(f"Expected a list of {name}s and got a {type(texts).__name__}.")
    for i, text in enumerate(texts):
        if fault := fault_in(text):
            raise ValueError(f"{name.capitalize()} {i} of {len(texts)} {fault}")
    if getattr(tokenizer, "eos_token_id", None) is None:
        raise ValueError(f"The tokenizer ({type(tokenizer).__name__}) has no end token (eos_token). Set one.")


def _encode(tokenizer, texts: Sequence[str], at_once: int = 1000) -> list[list[int]]:
    """Token ids of each text. Encodes a thousand at a time, because the tokenizer's own results are large."""
    rows = []
    for start in range(0, len(texts), at_once):
        rows += tokenizer(list(texts[start : start + at_once]), add_special_tokens=False)["input_ids"]
    return rows


def decode_completions(tokenizer, rows: Sequence[Sequence[int]]) -> list[str]:
    """Text of each row of token ids, without special tokens and with its spaces unchanged."""
    return tokenizer.batch_decode(rows, skip_special_tokens=True, clean_up_tokenization_spaces=False)


def micro_batches_by_length(lengths: Tensor, tokens: int) -> list[Tensor]:
    """Split rows of given lengths (B,) into micro-batches of at most `tokens` tokens, padding included, longest first.

    Each micro-batch is padded to its own longest row, and the gradients or results are combined. Rows of similar length
    need little padding, whereas a mixed batch in one piece would be half padding. A row longer than `tokens` gets its
    own micro-batch. Returns indices of rows.
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
    """Rows of different length as one (B, L) tensor padded on the right, and a bool mask, true on real tokens."""
    return _pad(rows, pad_id, left=False)


def pad_left(rows: Sequence[Sequence[int]], pad_id: int) -> tuple[Tensor, Tensor]:
    """Rows of different length as one (B, L) tensor padded on the left, and a bool mask, true on real tokens."""
    return _pad(rows, pad_id, left=True)


def _pad(rows: Sequence[Sequence[int]], pad_id: int, left: bool) -> tuple[Tensor, Tensor]:
    if pad_id is None:
        raise ValueError("The tokenizer has no padding token (pad_token). `load_language_model` gives it one.")
    longest = max(len(row) for row in rows)
    ids, mask = [], []
    for row in rows:
        missing = longest - len(row)
        padding, absent, present = [pad_id] * missing, [False] * missing, [True] * len(row)
        ids.append(padding + list(row) if left else list(row) + padding)
        mask.append(absent + present if left else present + absent)
    return torch.tensor(ids, dtype=torch.long), torch.tensor(mask, dtype=torch.bool)  # (B, L) each
