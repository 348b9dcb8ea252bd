"""Run a learner's function safely: on copies of the inputs, and within a time limit.

The function runs in its own thread. When time is up, an exception is raised inside that thread. This ends any loop
written in Python, on every platform and inside Jupyter. If a thread still does not end, it is left behind, and the
verdict comes anyway.
"""

import contextlib
import copy
import ctypes
import dis
import io
import linecache
import re
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any

import torch
from torch import Tensor, nn

from rlhf_lab.exercises.framework import Case

SECONDS = 1.4  # for all cases of an exercise together; right answers need a few hundredths of a second
_SLOW = (
    f"your function has not finished after {SECONDS:g} seconds, on inputs that take a thousandth of that."
    " Is there a loop that never ends?"
)
_NOTHING = {"RESUME", "NOP", "LOAD_CONST", "RETURN_VALUE", "RETURN_CONST", "POP_TOP", "CACHE", "RESUME_CHECK"}


@dataclass(frozen=True)
class Failure:
    """Why there is no result."""

    kind: str  # name of the exception's type
    sentence: str  # for the learner


@dataclass(frozen=True)
class Outcome:
    """The result of a function on a case: value, gradients, weights and side effect, or why it failed."""

    value: Any = None
    gradients: dict[str, Tensor | None] = field(default_factory=dict)  # None: the result does not depend on it
    weights: dict[str, Tensor] = field(default_factory=dict)  # each input model's weights after the call, as a vector
    effect: str = ""  # a side effect that would disturb later cells, as a sentence for the learner
    failure: Failure | None = None


class _TimeIsUp(BaseException):
    """Raised inside the learner's thread. Not an Exception, so that `except Exception` does not stop it."""


def is_stub(function: Callable) -> bool:
    """Whether a function's body has only a docstring, `pass`, `...`, or `return` of None or `...`."""
    code = getattr(function, "__code__", None)
    if code is None:
        return False
    instructions = list(dis.get_instructions(code))
    constants = [i.argval for i in instructions if i.opname in ("LOAD_CONST", "RETURN_CONST")]
    return {i.opname for i in instructions} <= _NOTHING and (constants[-1] is None or constants[-1] is ...)


def run_reference(function: Callable, cases: Sequence[Case], parameters: Sequence[str], by: Sequence[str] = ()):
    """Outcomes of one of our own functions, run without a guard."""
    return [_outcome(function, case, parameters, by) for case in cases]


def run_guarded(
    function: Callable,
    cases: Sequence[Case],
    parameters: Sequence[str],
    by: Sequence[str] = (),
) -> tuple[list[Outcome], str]:
    """Outcomes of a learner's function, and what it printed.

    by: parameters by which the result is differentiated. If time runs out, the case that was running is the last one.
    """
    outcomes: list[Outcome] = []

    def work() -> None:
        for case in cases:
            outcomes.append(_outcome(function, case, parameters, by))

    finished, printed = _guarded(work)
    done = list(outcomes)
    if not finished:
        done.append(Outcome(failure=Failure("TimeIsUp", _SLOW)))
    return done, printed


def side_effect(function: Callable, cases: Sequence[Case], parameters: Sequence[str]) -> str:
    """A sentence on what shows only when a learner's function is called again on the same inputs, or ""."""
    found: list[str] = []

    def work() -> None:
        found.extend(words for case in cases if (words := _left_behind(function, case, parameters)))

    finished, _ = _guarded(work)
    return found[0] if found else "" if finished else _SLOW


def _guarded(work: Callable[[], None]) -> tuple[bool, str]:
    """Run a learner's code in a thread for SECONDS at most: whether it finished, and what it printed."""

    def until_time_is_up() -> None:
        with contextlib.suppress(_TimeIsUp):
            work()

    printed = io.StringIO()
    thread = threading.Thread(target=until_time_is_up, daemon=True, name="exercise")
    with contextlib.redirect_stdout(printed):
        thread.start()
        try:
            thread.join(SECONDS)
        finally:
            finished = not thread.is_alive()
            _end(thread)
    return finished, printed.getvalue()


def _end(thread: threading.Thread) -> None:
    """Raise in the thread until it ends, several times if needed, because its code may catch everything."""
    for _ in range(5):
        if not thread.is_alive():
            return
        ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread.ident or 0), ctypes.py_object(_TimeIsUp))
        thread.join(0.05)
        time.sleep(0)


def _outcome(function: Callable, case: Case, parameters: Sequence[str], by: Sequence[str]) -> Outcome:
    leaves, inputs, memo = {}, {}, {}
    for name, value in zip(parameters, case.inputs, strict=True):
        if isinstance(value, Tensor):
            value = value.clone()
            if name in by:
                leaves[name] = value.requires_grad_(True)
                value = value * 1  # not a leaf, so that overwriting it gets our message instead of autograd's error
        else:
            value = _copied(value, memo)  # one memo: the copied optimizer belongs to the copied model
        inputs[name] = value
    try:
        value = function(*inputs.values())
        gradients = _gradients(value, leaves)
        effect = _changed(case, inputs) or _held(value, leaves)
    except _TimeIsUp:
        raise
    except BaseException as error:
        return Outcome(failure=Failure(type(error).__name__, explain(error, function, parameters)))
    weights = {
        name: torch.cat([p.detach().flatten() for p in model.parameters()])
        for name, model in inputs.items()
        if isinstance(model, nn.Module)
    }
    return Outcome(_detached(value), gradients, weights, effect)


def _copied(value: Any, memo: dict[int, Any]) -> Any:
    """A deep copy. For a model, it includes the gradients that its parameters may have."""
    new = copy.deepcopy(value, memo)
    if isinstance(value, nn.Module):
        for mine, theirs in zip(new.parameters(), value.parameters(), strict=True):
            mine.grad = None if theirs.grad is None else theirs.grad.clone()
    return new


def _changed(case: Case, inputs: dict[str, Any]) -> str:
    """A sentence on how a call changed its inputs, or "". Training a model's weights is allowed."""
    for (name, after), before in zip(inputs.items(), case.inputs, strict=True):
        if isinstance(before, nn.Module):
            if after.training != before.training:
                return (
                    f"it leaves {name} in {'train' if after.training else 'eval'}() mode, which it was not in before."
                )
            pairs = zip(after.parameters(), before.parameters(), strict=True)
            if any(mine.requires_grad != theirs.requires_grad for mine, theirs in pairs):
                return f"it switches requires_grad of the weights of {name}, and leaves it so."
        elif isinstance(before, Tensor):
            same = torch.equal(after.detach().nan_to_num(), before.nan_to_num())
            if after.dtype != before.dtype or after.shape != before.shape or not same:
                return f"it overwrites its input {name}, which later cells go on with. Work on a copy: {name}.clone()."
            if after.requires_grad and after.is_leaf:
                return f"it switches requires_grad on in its input {name}. Do it on a copy: {name}.detach().clone()."
        elif isinstance(before, list) and after != before:
            return f"it changes the list {name}, which later cells go on with. Make a new one."
    return ""


def _held(value: Any, leaves: dict[str, Tensor]) -> str:
    results = value if isinstance(value, tuple | list) else [value]
    if not leaves and any(isinstance(v, Tensor) and v.requires_grad for v in results):
        return "what it returns still hangs on to a graph of gradients. Return it with .detach()."
    return ""


def _left_behind(function: Callable, case: Case, parameters: Sequence[str]) -> str:
    """Side effects that only show if a function is called twice on the same tensors, with requires_grad switched on."""
    if not all(isinstance(v, Tensor | int | float | str | bool | list | tuple | None) for v in case.inputs):
        return ""  # a training step may differ the second time
    memo: dict[int, Any] = {}
    inputs = [v.clone() if isinstance(v, Tensor) else copy.deepcopy(v, memo) for v in case.inputs]
    floats = {n: v for n, v in zip(parameters, inputs, strict=True) if isinstance(v, Tensor) and v.is_floating_point()}
    for value in floats.values():
        value.requires_grad_(True)
    results = []
    for _ in range(2):
        try:
            results.append(_detached(function(*inputs)))
        except Exception:
            return ""  # .numpy() and .item() are fine if the exercise needs no gradient
    if name := next((n for n, v in floats.items() if v.grad is not None), ""):
        return (
            f"it leaves a gradient in {name}.grad, and the next backward() adds to it. Use torch.autograd.grad, or"
            " call backward() on a copy."
        )
    if repr(results[0]) != repr(results[1]):
        return "called a second time with the same inputs, it gives something else."
    return ""


def _gradients(value: Any, leaves: dict[str, Tensor]) -> dict[str, Tensor | None]:
    """Gradients of a weighted sum of the result. Each entry has a different weight, so that no two can be confused."""
    results = [v for v in (value if isinstance(value, tuple | list) else [value]) if isinstance(v, Tensor)]
    results = [v for v in results if v.is_floating_point() and v.requires_grad]
    if not leaves or not results:
        return dict.fromkeys(leaves)
    total = sum((v * torch.linspace(1, 2, v.numel(), dtype=v.dtype).view(v.shape)).sum() for v in results)
    return dict(zip(leaves, torch.autograd.grad(total, list(leaves.values()), allow_unused=True), strict=True))


def _detached(value: Any) -> Any:
    if isinstance(value, Tensor):
        return value.detach().clone()
    if isinstance(value, tuple | list):
        return type(value)(_detached(v) for v in value) if type(value) in (tuple, list) else value
    return value


# --- Exceptions in words -----------------------------------------------------------------------------

# Pattern in "Type: message" -> what it often means. The first match is used.
_OFTEN = (
    (r"NameError: name '(torch|F|math|np)'", "Is the import missing? Run the cell's first lines."),
    (r"NameError", "A name is misspelt, or used before it has a value."),
    (r"same device|is on cpu|cuda", "Tensors on different devices: make new ones with device=x.device."),
    (
        r"must match (the size|except)|shape mismatch|mat1 and mat2|are not broadcastable|cannot be multiplied",
        "The shapes do not fit. Print x.shape of both; [:, None] adds a dimension, and slices must be of one length.",
    ),
    (
        r"IndexError.*(bool|mask)|mask .* does not match|indexed tensor",
        "The mask and what it is applied to differ in shape: was one of them shifted and the other not?",
    ),
    (r"Dimension out of range", "There is no such dimension: dim counts from 0, and -1 is the last."),
    (r"out of bounds|out of range", "An index is too large: positions run from 0 to L - 1. A shift by one?"),
    (
        r"used as indices must be|expected (dtype|scalar type)|same dtype|to be of type|Long|wrong type",
        "The types do not fit: indices must be whole numbers (.long()), masks bool (.bool()).",
    ),
    (
        r"modified by an inplace operation",
        "The gradient still needs what was overwritten: x = x - y makes a new tensor, x -= y changes the old one.",
    ),
    (r"graph a second time", "What is computed once, before a loop, must carry no gradient: torch.no_grad()."),
    (r"can't convert np|numpy\(\) on|requires grad", "Stay with tensors: .numpy() and .item() cut the gradient."),
    (r"Boolean value of Tensor", "`if` needs a single truth value. To choose per entry, use torch.where or a mask."),
    (r"operands? .*'?ellipsis'?|ellipsis", "There is still a `...` to replace."),
    (
        r"not supported .*bool|with a bool tensor|Subtraction",
        "Arithmetic with a mask: make it numbers first, mask.float(), or use ~mask.",
    ),
    (r"NoneType", "Something is None: a helper without `return`?"),
    (
        r"AttributeError",
        "There is no such method on this kind of object: a list or a number where you expect a tensor?",
    ),
    (r"RecursionError", "Your function calls itself without end."),
)


def explain(error: BaseException, function: Callable, parameters: Sequence[str]) -> str:
    """A sentence about an exception in a learner's function: what, in which line, and what it often means."""
    message = " ".join(str(error).split())
    kind = type(error).__name__
    place = _line_of(error.__traceback__, function)
    if not place and kind == "TypeError" and "argument" in message:
        return f"your function cannot be called with ({', '.join(parameters)}). Keep the parameters of the stub."
    message = message if len(message) <= 200 else message[:200] + " …"
    sentence = f"your function stops with {kind}{place}" + (f": {message}" if message else "")
    sentence += "" if sentence.endswith((".", "?", "!", "…")) else "."
    often = next((words for pattern, words in _OFTEN if re.search(pattern, f"{kind}: {message}", re.IGNORECASE)), "")
    return f"{sentence} {often}".rstrip()


def _line_of(traceback: TracebackType | None, function: Callable) -> str:
    """ " in line 3, `...`" of the cell that defines the function; "" if the error is not in that cell."""
    code = getattr(function, "__code__", None)
    found = None
    while traceback is not None and code is not None:
        if traceback.tb_frame.f_code.co_filename == code.co_filename:
            found = traceback.tb_lineno
        traceback = traceback.tb_next
    if found is None:
        return ""
    text = linecache.getline(code.co_filename, found).strip()
    return f" in line {found}" + (f", `{text}`" if text else "")
