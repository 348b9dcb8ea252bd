"""Mixed precision: weights in 32 bits, computing in 16, so that a model can learn and its numbers agree.

A bfloat16 number has less than three digits. A weight of 0.1 can only move in steps of 0.0005, so Adam's step at a
learning rate of 1e-5 is rounded away. We therefore convert a bfloat16 model to float32 before it learns. From then on
it computes in bfloat16 by autocast everywhere: in sampling, log-probabilities and updates. The trunk's output and the
logits stay in float32, because bfloat16 would round a logit of -100 by a quarter of a nat.
"""

import functools
import warnings
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor, nn


class BrokenModelError(ValueError):
    """A model that produces numbers that are not finite."""


def computes_in(model: nn.Module) -> torch.dtype:
    """The dtype in which a model, or a part of one, multiplies matrices."""
    return getattr(model, "compute_dtype", None) or next(model.parameters()).dtype


def autocast(model: nn.Module) -> AbstractContextManager:
    """A context in which a model with float32 weights computes in 16 bits, if it is meant to."""
    weight = next(model.parameters())
    dtype = computes_in(model)
    return nullcontext() if dtype == weight.dtype else torch.autocast(weight.device.type, dtype)


def in_its_precision(function: Callable) -> Callable:
    """Decorator: run a function in the `autocast` of its first argument, a model."""

    @functools.wraps(function)
    def run(model: nn.Module, *args, **kwargs):
        check_model(model)
        with autocast(model):
            return function(model, *args, **kwargs)

    return run


def logits_of(head: nn.Module, hidden: Tensor) -> Tensor:
    """Logits (..., V) of hidden states (..., d), computed in the dtype of the head's weights, returned in float32."""
    with torch.autocast(hidden.device.type, enabled=False):
        return head(hidden.to(head.weight.dtype)).float()


def ready_to_learn(model: nn.Module, name: str = "model") -> None:
    """Convert the weights of a bfloat16 model to float32, with a warning.

    ValueError, with what to do, if the model could not learn: all weights are frozen, one is not finite, or one is in
    float16, where small gradients become zero unless the loss is scaled.
    """
    check_model(model)
    weights = list(model.parameters())
    if not any(weight.requires_grad for weight in weights):
        raise ValueError(
            f"The {name} is frozen: none of its weights may change (requires_grad is False), so it cannot learn. Pass"
            " trainable_copy(model)."
        )
    check_weights(model, name)
    if any(weight.dtype == torch.float16 for weight in weights):
        raise ValueError(
            f"The {name} is in float16, in which small gradients become zero. Load it with dtype=torch.bfloat16 to"
            " compute in 16 bits, or without dtype for float32."
        )
    if any(weight.dtype == torch.bfloat16 for weight in weights):
        keep_in_float32(model)
        warnings.warn(
            f"The {name} came in bfloat16, in which small steps of learning are rounded away. Its weights are in"
            " float32 from now on, which takes twice the memory, and it goes on computing in bfloat16.",
            stacklevel=3,
        )


def keep_in_float32(model: nn.Module) -> None:
    """Convert a model's weights to float32, in place, but let it compute in bfloat16."""
    model.float()
    for part in model.modules():  # a part may be called by itself, and copied
        part.compute_dtype = torch.bfloat16


def check_model(model: object) -> None:
    """ValueError if this is not a model, for example the pair that `load_language_model` returns, or is on the device
    `meta`, where weights have no values."""
    if not isinstance(model, nn.Module):
        raise ValueError(
            f"Expected a model and got a {type(model).__name__}. load_language_model returns two things:"
            " model, tokenizer = load_language_model(...)."
        )
    if next(model.parameters()).is_meta:
        raise ValueError(f"The {type(model).__name__} has no weights yet (it is on the device `meta`). Load it first.")


def check_weights(model: nn.Module, name: str = "model") -> None:
    """BrokenModelError if a weight is not a finite number."""
    for key, weight in model.named_parameters():
        wrong = weight.numel() - int(weight.isfinite().sum())
        if wrong:
            raise BrokenModelError(
                f"The {name} is broken: {wrong} of the {weight.numel()} weights of {key} are not finite numbers. Load"
                " it again from before it broke."
            )
