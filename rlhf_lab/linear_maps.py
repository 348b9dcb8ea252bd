"""The model's linear maps while it samples: on a CPU, weights are laid out once for many products.

PyTorch gives products in float32 to MKL. oneDNN, which is part of PyTorch too, is quicker when the same weights meet a
few rows again and again, most of all once they are in its own layout (by how much: `tests/benchmarks`). The two
operations that do it are those of `torch.compile`. They have no public name, so they are tried out first, and where
they do not give the right product, or do not fit, the layer itself is called.
"""

from collections.abc import Callable
from functools import cache

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers.activations import GELUTanh
from transformers.pytorch_utils import Conv1D

SMALLEST_PRODUCT = 2**20  # multiplications; for smaller ones, laying out the weights takes longer than it saves


def laid_out(layer: nn.Module, rows: int, activation: nn.Module | None = None) -> Callable[[Tensor], Tensor]:
    """`layer` as a function of (b, in), quickest for b = `rows`, to be used until its weights change. No gradients.

    activation: what to apply to the layer's output; GPT-2's own is then part of the product.

    The layer itself is called where that is quickest or the only way: on a GPU, for small products, in other than 32
    bits, with hooks, or where the layer is not of PyTorch's or GPT-2's own kind (an adapter around one, say).
    """
    weight = getattr(layer, "weight", None)
    fits = (
        type(layer) in (nn.Linear, Conv1D)
        and rows * weight.numel() >= SMALLEST_PRODUCT
        and weight.device.type == "cpu"
        and weight.dtype == torch.float32
        and not layer._forward_hooks
        and not layer._forward_pre_hooks
    )
    if not (fits and _works()):
        return _followed_by(activation, layer)
    weight = weight.T.contiguous() if type(layer) is Conv1D else weight
    if type(activation) is GELUTanh:
        return _product(weight.detach(), layer.bias, rows, "gelu", "tanh")
    return _followed_by(activation, _product(weight.detach(), layer.bias, rows))


def _followed_by(activation: nn.Module | None, product: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
    return product if activation is None else lambda x: activation(product(x))


def _product(weight: Tensor, bias: Tensor | None, rows: int, then="none", kind="") -> Callable[[Tensor], Tensor]:
    """The map by `weight` (out, in), as `F.linear`, in oneDNN's layout, and an activation of oneDNN's own."""
    kept = torch.ops.mkldnn._reorder_linear_weight(weight, rows)
    return lambda x: torch.ops.mkldnn._linear_pointwise(x, kept, bias, then, [], kind)


@cache
@torch.no_grad()
def _works() -> bool:
    """Whether this PyTorch has the two operations, and they give the product that they should."""
    x, weight, bias = torch.ones(4, 8), torch.arange(-12.0, 12.0).view(3, 8) / 8, torch.ones(3)
    right = F.linear(x, weight, bias)
    try:
        linear, gelu = _product(weight, bias, 4)(x), _product(weight, bias, 4, "gelu", "tanh")(x)
    except (AttributeError, RuntimeError, TypeError):
        return False
    return torch.allclose(linear, right) and torch.allclose(gelu, F.gelu(right, approximate="tanh"), atol=1e-5)
