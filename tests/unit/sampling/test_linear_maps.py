"""Linear maps with weights laid out once: the same products, and the layer itself wherever that is not sure."""

import pytest
import torch
from torch import nn
from transformers.activations import GELUTanh, NewGELUActivation
from transformers.pytorch_utils import Conv1D

from rlhf_lab import linear_maps
from rlhf_lab.linear_maps import SMALLEST_PRODUCT, laid_out

here = pytest.mark.skipif(not linear_maps._works(), reason="this PyTorch has no oneDNN")
WIDE = {"linear": lambda: nn.Linear(128, 200), "no bias": lambda: nn.Linear(128, 200, bias=False)}
WIDE["conv1d"] = lambda: Conv1D(200, 128)


@here
@pytest.mark.parametrize("kind", WIDE)
@pytest.mark.parametrize("rows", [1, 7, 64, 100])
@torch.no_grad()
def test_the_same_products_for_any_number_of_rows(kind, rows):
    layer, x = WIDE[kind](), torch.randn(rows, 128)
    quick = laid_out(layer, 64)
    assert quick is not layer
    assert torch.allclose(quick(x), layer(x), atol=1e-5)


@here
@pytest.mark.parametrize("activation", [GELUTanh(), NewGELUActivation(), nn.ReLU()], ids=lambda a: type(a).__name__)
@pytest.mark.parametrize("width", [8, 128])  # too small to be laid out, and wide enough
@torch.no_grad()
def test_activations_follow(activation, width):
    layer, x = Conv1D(200, width), 3 * torch.randn(64, width)
    x[0] = 1e3  # far from zero, too
    assert torch.allclose(laid_out(layer, 64, activation)(x), activation(layer(x)), atol=1e-5)


@here
@torch.no_grad()
def test_changed_weights_want_a_new_one():
    layer, x = nn.Linear(128, 200), torch.randn(64, 128)
    before = laid_out(layer, 64)(x)
    layer.weight.mul_(2)
    assert torch.allclose(laid_out(layer, 64)(x), layer(x), atol=1e-5)
    assert not torch.allclose(before, layer(x), atol=1e-2)


class Doubled(nn.Linear):
    def forward(self, x):
        return 2 * super().forward(x)


def hooked(add):
    layer = nn.Linear(128, 200)
    getattr(layer, add)(lambda *_: None)
    return layer


@pytest.mark.parametrize(
    "layer, rows",
    [
        (nn.Linear(128, 200), SMALLEST_PRODUCT // (128 * 200)),  # one row too few
        (nn.Linear(128, 200).bfloat16(), 64),
        (nn.Linear(128, 200).double(), 64),
        (nn.Linear(128, 200, device="meta"), 64),  # another device
        (Doubled(128, 200), 64),
        (nn.utils.parametrizations.weight_norm(nn.Linear(128, 200)), 64),
        (nn.Sequential(nn.Linear(128, 200)), 64),  # an adapter has no weight of its own
        (hooked("register_forward_hook"), 64),
        (hooked("register_forward_pre_hook"), 64),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, nn.Module) else str(value),
)
def test_what_does_not_fit_is_called_itself(layer, rows):
    assert laid_out(layer, rows) is layer


def _wrong(weight, bias, rows, *activation):
    return lambda x: torch.zeros(len(x), len(weight))


def _no_activation(weight, bias, rows, *activation):
    return lambda x: nn.functional.linear(x, weight, bias)


def _missing(weight, bias, rows, *activation):
    return torch.ops.mkldnn.no_such_operation(weight)


def _other_arguments(weight, bias, rows, *activation):
    return torch.ops.mkldnn._reorder_linear_weight(weight, rows, "one", "two", "three")


@pytest.mark.parametrize("product", [_wrong, _no_activation, _missing, _other_arguments])
def test_without_the_right_operations_the_layer_itself(monkeypatch, product):
    monkeypatch.setattr(linear_maps, "_product", product)
    linear_maps._works.cache_clear()
    layer = nn.Linear(128, 200)
    try:
        assert laid_out(layer, 64) is layer
    finally:
        linear_maps._works.cache_clear()
