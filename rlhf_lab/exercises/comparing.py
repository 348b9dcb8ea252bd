"""Is it the same? Compares two outcomes of one case as a patient teacher would.

Shapes, truth values and whole numbers must be equal; other numbers may differ by rounding. The coarser dtype of the two
sets the tolerance: an answer in float64 is as right as one in float32.
"""

import math
from collections.abc import Sequence
from numbers import Number
from typing import Any

import torch
from torch import Tensor, nn

from rlhf_lab.exercises.execution import Outcome

# dtype -> tolerance, relative to the entry and, much smaller, to the largest entry
_TOLERANCES = {torch.float64: (1e-7, 1e-9), torch.float32: (2e-4, 1e-6), torch.float16: (1e-2, 1e-2)}
_COARSE = (3e-2, 2e-2)  # bfloat16


def difference(yours: Outcome, expected: Outcome, unordered: bool = False) -> str:
    """What is different, as a sentence that can follow "In case 3, "; "" if the two agree."""
    if yours.failure or expected.failure:
        same = yours.failure and expected.failure and yours.failure.kind == expected.failure.kind
        return "" if same else yours.failure.sentence if yours.failure else "it should have raised an error."
    mine, theirs = yours.value, expected.value
    if unordered and isinstance(mine, list | tuple) and isinstance(theirs, list | tuple):
        mine, theirs = _sorted(mine), _sorted(theirs)
    return (
        _value_difference(mine, theirs) or _gradient_difference(yours, expected) or _weight_difference(yours, expected)
    )


def agrees(yours: Outcome, expected: Outcome, unordered: bool = False) -> bool:
    return not difference(yours, expected, unordered)


def _sorted(values: Sequence) -> list:
    return sorted((tuple(v) if isinstance(v, list) else v for v in values), key=repr)


def _value_difference(yours: Any, expected: Any) -> str:
    if yours is None:
        return "your function returns nothing (None). Is the `return` missing?"
    if yours is ...:
        return "your function returns `...`: on this input it gets to a line that is still to be written."
    if isinstance(expected, Tensor):
        if not isinstance(yours, Tensor):
            return _not_a_tensor(yours)
        return _tensor_difference(yours, expected)
    if isinstance(expected, tuple | list):
        if not isinstance(yours, tuple | list):
            return f"your function returns {_a(yours)}, expected a {type(expected).__name__} of {len(expected)}."
        if len(yours) != len(expected):
            return f"your function returns {len(yours)} things, expected {len(expected)}."
        for mine, theirs in zip(yours, expected, strict=True):
            if words := _value_difference(mine, theirs):
                return words
        return ""
    if isinstance(expected, Number) and not isinstance(expected, bool):
        return _number_difference(yours, float(expected))
    return "" if yours == expected else "the value is different."


def _number_difference(yours: Any, expected: float) -> str:
    try:
        number = float(yours)
    except (TypeError, ValueError, RuntimeError):
        return f"your function returns {_a(yours)}, expected one number."
    return _tensor_difference(torch.tensor(number, dtype=torch.float64), torch.tensor(expected, dtype=torch.float32))


def _not_a_tensor(yours: Any) -> str:
    if isinstance(yours, tuple | list):
        return f"your function returns {_a(yours)}, expected one tensor. Several results, or a list for torch.stack?"
    if isinstance(yours, Number):
        return f"your function returns {_a(yours)}, expected a tensor. Leave out .item(), which cuts the gradient."
    return f"your function returns {_a(yours)}, expected a tensor. Stay with torch from beginning to end."


def _a(value: Any) -> str:
    if isinstance(value, Tensor):
        return f"a tensor of shape {tuple(value.shape)}"
    kind = type(value)
    name = kind.__name__ if kind.__module__ == "builtins" else f"{kind.__module__.split('.')[0]} {kind.__name__}"
    return f"{'an' if name[0] in 'aeiou' else 'a'} {name}"


def _tensor_difference(yours: Tensor, expected: Tensor) -> str:
    if yours.shape != expected.shape:
        return f"the shape is {tuple(yours.shape)}, expected {tuple(expected.shape)}."
    if expected.dtype == torch.bool and yours.dtype != torch.bool:
        return f"the dtype is {_dtype(yours)}, expected bool: as an index or after ~, numbers do something else."
    if expected.dtype != torch.bool and yours.dtype == torch.bool:
        return f"the dtype is bool, expected {_dtype(expected)}."
    if not expected.is_floating_point():
        if yours.is_floating_point():
            return f"the dtype is {_dtype(yours)}, expected whole numbers ({_dtype(expected)})."
        return "" if torch.equal(yours.long(), expected.long()) else _first(yours != expected)
    if yours.is_complex():
        return "the result is complex, expected real numbers."
    relative, absolute = max(_tolerance(yours), _tolerance(expected))
    mine, theirs = yours.double(), expected.double()
    finite = theirs[theirs.isfinite()].abs()
    scale = max(1.0, float(finite.max())) if finite.numel() else 1.0
    close = torch.isclose(mine, theirs, rtol=relative, atol=absolute * scale, equal_nan=True)
    if bool(close.all()):
        return ""
    if bool((mine.isnan() & ~theirs.isnan()).any()):
        return (
            "there is a NaN (not a number): 0/0, inf - inf, the logarithm of a negative number? Or a product with a"
            " mask: 0 * inf and 0 * NaN are NaN, while masked_fill and x[mask] leave out what is there."
        )
    if bool((mine.isinf() & ~theirs.isinf()).any()):
        return "there is an infinite number: a division by zero, the logarithm of zero, a large exponential?"
    return _first(~close)


def _first(wrong: Tensor) -> str:
    """Which entries differ, if the tensor has more than one."""
    if wrong.ndim == 0:
        return "the value is different."
    place = tuple(wrong.nonzero()[0].tolist())
    return f"{int(wrong.sum())} of {wrong.numel()} entries are different, the first at {list(place)}."


def _tolerance(x: Tensor) -> tuple[float, float]:
    return _TOLERANCES.get(x.dtype, _COARSE) if x.is_floating_point() else _TOLERANCES[torch.float64]


def _dtype(x: Tensor) -> str:
    return str(x.dtype).removeprefix("torch.")


def _gradient_difference(yours: Outcome, expected: Outcome) -> str:
    for name, theirs in expected.gradients.items():
        mine = yours.gradients.get(name)
        if mine is not None and bool(mine.isnan().any()):
            return (
                f"the value is right, but its gradient with respect to {name} holds a NaN: training would lose all"
                " weights to it. Somewhere on the way is an infinite number, often an exponential, times zero."
            )
        if theirs is None or not bool(theirs.any()):
            if mine is not None and not bool(mine.any()):
                continue  # no gradient counts as a gradient of zeros
            if mine is None:
                continue
            return f"the value is right, but there is a gradient with respect to {name}, where none belongs."
        if mine is None:
            return (
                f"the value is right, but no gradient reaches {name}: nothing could be learned from it."
                " .item(), .detach(), .data, torch.tensor(...) and no_grad cut it off."
            )
        if words := _tensor_difference(mine, theirs):
            return f"the value is right, but the gradient with respect to {name} is not: {words}"
    return ""


def _weight_difference(yours: Outcome, expected: Outcome) -> str:
    for name, theirs in expected.weights.items():
        if words := _tensor_difference(yours.weights[name], theirs):
            return f"what it returns is right, but the weights of {name} are not, afterwards: {words}"
    return ""


# --- Values in readable form -------------------------------------------------------------------------


def shown(value: Any, limit: int = 160) -> str:
    """A value on one short line, with numbers rounded to four digits and large tensors shortened."""
    if isinstance(value, nn.Module):
        return f"a model with {sum(p.numel() for p in value.parameters())} weights"
    if isinstance(value, torch.Generator):
        return f"a generator, seed {value.initial_seed()}"
    if isinstance(value, torch.optim.Optimizer):
        return f"{type(value).__name__}, learning rate {value.param_groups[0]['lr']:g}"
    if isinstance(value, Tensor):
        text = _nested(value.tolist()) if value.numel() <= 64 else ""
        if not text or len(text) > limit:
            head = _nested(value.flatten()[:6].tolist())[:-1]
            return f"shape {tuple(value.shape)}, beginning {head}, …]"
        return text
    text = _nested(value)
    return text if len(text) <= limit else text[:limit] + " …"


def _nested(value: Any) -> str:
    if isinstance(value, bool):
        return str(value)
    if isinstance(value, float):
        return f"{value + 0.0:.4g}" if math.isfinite(value) else str(value)
    if isinstance(value, list):
        return "[" + ", ".join(map(_nested, value)) + "]"
    if isinstance(value, tuple):
        return "(" + ", ".join(map(shown, value)) + ("," if len(value) == 1 else "") + ")"
    if isinstance(value, Tensor):
        return shown(value)
    return repr(value)
