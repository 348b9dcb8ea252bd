"""Random inputs for cases: small, of varied size, from a generator that is passed in."""

import torch
from torch import Tensor

GARBAGE = 1e4  # what may stand under the padding: loud, so that it is noticed where it is counted


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
