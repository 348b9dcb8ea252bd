"""Means, variances and whitening over real tokens only.

`mask` is true on real entries. Numbers under padding never influence a result.
"""

import torch
from torch import Tensor


def at_least_float32(x: Tensor) -> Tensor:
    """The same numbers as float32, or as float64 if they already are."""
    return x if x.dtype == torch.float64 else x.float()


def masked_mean(x: Tensor, mask: Tensor) -> Tensor:
    """Mean over all real entries, a scalar. Raises ValueError if none is real."""
    x, mask = at_least_float32(x), mask.bool()
    if not bool(mask.any()):
        raise ValueError("Cannot average: the mask has no true entry. Is every completion empty?")
    return x.masked_fill(~mask, 0.0).sum() / mask.sum()


def masked_variance(x: Tensor, mask: Tensor) -> Tensor:
    """Variance over all real entries (divided by their number), a scalar."""
    return masked_mean((at_least_float32(x) - masked_mean(x, mask)) ** 2, mask)


def whiten(x: Tensor, mask: Tensor, shift_mean: bool = True, epsilon: float = 1e-8) -> Tensor:
    """Scale real entries to variance 1, and shift them to mean 0 unless shift_mean is False; zero on padding.

    Whiten rewards without shifting: the sign of a reward says whether an outcome is good or bad. epsilon is added to
    the variance.
    """
    x = at_least_float32(x)
    mean = masked_mean(x, mask)
    result = (x - mean) * torch.rsqrt(masked_variance(x, mask) + epsilon)
    return (result if shift_mean else result + mean).masked_fill(~mask.bool(), 0.0)
