"""Random inputs for cases: small, of varied size, from a generator that is passed in. And two models to train."""

from types import SimpleNamespace

import torch
from torch import Tensor, nn

GARBAGE = 1e4  # what may be under the padding: loud, so that it is noticed where it is counted


def size(generator: torch.Generator, low: int, high: int) -> int:
    """A whole number from low to high, both included."""
    return int(torch.randint(low, high + 1, (), generator=generator))


def normal(generator: torch.Generator, *shape: int, scale: float = 1.0) -> Tensor:
    """Normally distributed numbers with this standard deviation."""
    return torch.randn(*shape, generator=generator) * scale


def whole(generator: torch.Generator, low: int, high: int, *shape: int) -> Tensor:
    """Whole numbers from low to high, both included."""
    return torch.randint(low, high + 1, shape, generator=generator)


def right_padded(generator: torch.Generator, rows: int, width: int) -> Tensor:
    """A mask (rows, width), true on the first so many of each row: at least one, and all of them in one row."""
    lengths = whole(generator, 1, width, rows)
    lengths[size(generator, 0, rows - 1)] = width
    return torch.arange(width) < lengths[:, None]


def holes(generator: torch.Generator, rows: int, width: int) -> Tensor:
    """A mask (rows, width) that is true here and there; somewhere at least."""
    mask = torch.rand(rows, width, generator=generator) < 0.6
    mask[size(generator, 0, rows - 1), size(generator, 0, width - 1)] = True
    return mask


def with_garbage(values: Tensor, mask: Tensor, garbage: float = GARBAGE) -> Tensor:
    """The values, with garbage where the mask is false."""
    return torch.where(mask, values, torch.full_like(values, garbage))


class TinyLanguageModel(nn.Module):
    """A causal language model of a few dozen weights that is called as transformers' models are.

    Each token's logits come from the mean of the embeddings of the real tokens so far.
    """

    def __init__(self, generator: torch.Generator, vocabulary: int = 6, width: int = 3):
        super().__init__()
        self.embedding = nn.Parameter(normal(generator, vocabulary, width))
        self.head = nn.Parameter(normal(generator, width, vocabulary))

    def forward(self, input_ids: Tensor, attention_mask: Tensor | None = None) -> SimpleNamespace:
        """input_ids, attention_mask: (B, L). The result has `logits`, (B, L, vocabulary)."""
        return SimpleNamespace(logits=_means(self.embedding, input_ids, attention_mask) @ self.head)


class TinyRewardModel(nn.Module):
    """A reward model of a few dozen weights, called as the package's: ids and mask, (B, L), to rewards, (B,)."""

    def __init__(self, generator: torch.Generator, vocabulary: int = 6, width: int = 3):
        super().__init__()
        self.embedding = nn.Parameter(normal(generator, vocabulary, width))
        self.head = nn.Parameter(normal(generator, width))

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        column = torch.arange(ids.shape[1])
        last = column.masked_fill(~mask.bool(), -1).max(1).values  # of the real tokens
        return _means(self.embedding, ids, mask)[torch.arange(len(ids)), last] @ self.head


def _means(embedding: Tensor, ids: Tensor, mask: Tensor | None) -> Tensor:
    real = torch.ones_like(ids) if mask is None else mask
    real = real.to(embedding.dtype)[..., None]  # (B, L, 1)
    return (embedding[ids] * real).cumsum(1) / real.cumsum(1).clamp(min=1)
