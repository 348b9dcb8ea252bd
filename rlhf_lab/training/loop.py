"""What all training loops share while they run: records, clean stops, checkpoints, and the memory allocator."""

import ctypes
import math
import signal
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypedDict

import torch
from torch import Tensor, nn

from rlhf_lab.models.precision import computes_in
from rlhf_lab.training.checkpoint import describe, load_checkpoint, make_folder, save_checkpoint


@dataclass
class TrainingResult:
    """What a run reports: one record of metrics per step, and how it ended."""

    history: list[dict] = field(default_factory=list)  # the records that the callback got, in order
    interrupted: bool = False  # stopped by the user; the model keeps what it had learned
    stopped: str = ""  # a sentence that says why a guard stopped the run; empty if none did

    @property
    def last(self) -> dict:
        """The last record; empty if no step finished."""
        return self.history[-1] if self.history else {}


class RunOptions(TypedDict, total=False):
    """Options that every loop takes besides its own settings, and passes on to `TrainingLoop`."""

    callback: Callable[[dict], None] | None  # gets the record of each step, for a progress bar or a live chart
    evaluate: Callable[[], dict] | None  # its numbers are added to a step's record, when due and at the end
    checkpoint: str | Path | None  # a folder to save to
    resume: bool  # continue from the checkpoint, as if never interrupted; another run's checkpoint is refused


class TrainingLoop:
    """The bookkeeping around a training loop, so that the loop itself shows what is learned and how.

        with TrainingLoop(total, {"model": model}, optimizer, callback=callback) as run:
            for step in run:
                ...  # one step
                run.report(loss=loss)

    It numbers and times the steps, keeps the records, and evaluates, saves and calls back when due. Ctrl-C or
    Jupyter's stop button ends the loop *after* the current step, because stopping in the middle could leave half of
    the weights updated. A second interrupt ends it at once.

    state: numbers that a checkpoint keeps besides weights, moments and the generator. identity: the parts of the run,
    by name, that must be the same when it resumes: settings, data, reward (see `describe`).
    """

    def __init__(
        self,
        total: int,
        modules: dict[str, nn.Module],
        optimizer: torch.optim.Optimizer,
        *,
        state: dict | None = None,
        identity: dict | None = None,
        generator: torch.Generator | None = None,
        callback: Callable[[dict], None] | None = None,
        evaluate: Callable[[], dict] | None = None,
        evaluate_every: int = 0,
        checkpoint: str | Path | None = None,
        checkpoint_every: int = 0,
        resume: bool = False,
    ):
        if resume and checkpoint is None:
            raise ValueError("resume=True needs to know from where: pass checkpoint=folder.")
        for name, function in (("callback", callback), ("evaluate", evaluate)):
            if not (function is None or callable(function)):
                raise ValueError(f"{name} is a {type(function).__name__}; it must be a function, or None.")
        self.total, self.modules, self.optimizer, self.generator = total, modules, optimizer, generator
        self.callback, self.evaluate, self.evaluate_every = callback, evaluate, evaluate_every
        self.checkpoint, self.checkpoint_every = checkpoint, checkpoint_every
        self.result = TrainingResult()
        self.state = {"step": 0, "seconds": 0.0} | (state or {})
        if checkpoint is not None:
            same = {**(identity or {}), "steps": total, "optimiser": type(optimizer).__name__}
            learned = {f"{name}.{key}": p for name, module in modules.items() for key, p in module.named_parameters()}
            same |= {
                "trained": [key for key, p in learned.items() if p.requires_grad],
                "dtype": ", ".join(sorted({str(computes_in(module)) for module in modules.values()})),
                "remembers": ", ".join(self.state),
            }
            self.identity = {key: describe(part) for key, part in same.items()}
        if resume:
            self._go_on()
        elif checkpoint is not None:
            make_folder(checkpoint)  # fail now if it can't be written, not after the training
        self._stop_requested, self._in_step, self._previous_handler = False, False, None
        self._kept: list[Tensor] = []  # the weights that `stop` puts back; none before the first good loss
        self._kept_from = "at the start"
        self._average_loss, self._lowest_loss = None, math.inf
        keep_freed_memory()
        for module in modules.values():
            module.eval()  # no dropout, in training too: see load_language_model

    def __iter__(self) -> Iterator[int]:
        """Numbers of the steps still to do, from 0 on."""
        while self.state["step"] < self.total and not self._stop_requested and not self.result.stopped:
            self._in_step, self._started = True, time.perf_counter()
            yield self.state["step"]

    def keep(self, why: str) -> None:
        """Remember the current weights for `stop`. why: what is good about them, in words."""
        step = self.state["step"]
        self._kept_from = f"after step {step}, {why}" if step else "at the start"
        self._kept = self._kept or [weight.detach().clone() for weight in self._weights()]
        for kept, weight in zip(self._kept, self._weights(), strict=True):
            kept.copy_(weight.detach())

    def keep_if_best(self, loss: float) -> None:
        """`keep` the current weights if the loss, averaged over about the last ten steps, is the lowest so far."""
        self._average_loss = loss if self._average_loss is None else 0.9 * self._average_loss + 0.1 * loss
        if self._average_loss <= self._lowest_loss:
            self._lowest_loss = self._average_loss
            self.keep("where the loss was lowest")

    def stop(self, reason: str) -> None:
        """End the run because something is wrong, and restore the kept weights. reason: a sentence for the learner.
        The last checkpoint is not overwritten, because the optimiser's moments do not belong to those weights."""
        for kept, weight in zip(self._kept, self._weights(), strict=False):
            weight.detach().copy_(kept)
        self.result.stopped = f"{reason} The weights are put back to where they were {self._kept_from}."

    def _weights(self) -> list[nn.Parameter]:
        return [weight for group in self.optimizer.param_groups for weight in group["params"]]

    def report(self, **metrics) -> None:
        """Finish a step: record its metrics, with step (from 1), total and seconds (so far)."""
        seconds = time.perf_counter() - self._started
        self.state["step"] += 1
        self.state["seconds"] += seconds
        step, self._in_step = self.state["step"], False
        record = {"step": step, "total": self.total, **metrics}
        record |= {"seconds": self.state["seconds"], "step_seconds": seconds}
        at_end = step == self.total
        if self.evaluate and (at_end or is_due(step, self.evaluate_every)):
            found = self.evaluate()
            if not isinstance(found, dict):
                raise ValueError(
                    f"evaluate returned a {type(found).__name__}; it must return a dict of numbers by name."
                )
            record |= found
        self.result.history.append(record)
        if not at_end and is_due(step, self.checkpoint_every):
            self._save()
        if self.callback:
            self.callback(record)

    def __enter__(self) -> "TrainingLoop":
        if threading.current_thread() is threading.main_thread():  # others get no signals
            self._previous_handler = signal.signal(signal.SIGINT, self._on_interrupt)
        return self

    def __exit__(self, error, *_) -> bool:
        if self._previous_handler is not None:
            signal.signal(signal.SIGINT, self._previous_handler)
        interrupted = error is not None and issubclass(error, KeyboardInterrupt)
        self.result.interrupted = (interrupted or self._stop_requested) and self.state["step"] < self.total
        if error is not None:
            self.optimizer.zero_grad(set_to_none=True)
        if (error is None and not self.result.stopped) or (interrupted and not self._in_step):
            self._save()
        return interrupted  # swallows a KeyboardInterrupt, passes on other errors

    def _on_interrupt(self, signum, frame) -> None:
        if self._stop_requested:
            raise KeyboardInterrupt
        self._stop_requested = True

    def _go_on(self) -> None:
        """Resume the run in the checkpoint."""
        self.state = load_checkpoint(self.checkpoint, self.modules, self.optimizer, self.generator, self.identity)
        if self.state["step"] >= self.total:
            warnings.warn(
                f"The run in {self.checkpoint} is finished: all {self.total} steps are done, and nothing is left to do."
                " The model has the weights of its end.",
                stacklevel=4,
            )

    def _save(self) -> None:
        if self.checkpoint is not None:
            save_checkpoint(self.checkpoint, self.modules, self.optimizer, self.state, self.generator, self.identity)


def is_due(step: int, every: int) -> bool:
    """Whether something that happens every `every` steps (0: never) is due at this one."""
    return every > 0 and step % every == 0


_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # from glibc's malloc.h


def keep_freed_memory() -> None:
    """Tell Linux's C library to keep freed memory for the next step. Does nothing on other systems.

    By default glibc returns every large block to the kernel, which must clear the pages before it gives them out
    again. On a CPU that wastes a quarter of each training step.
    """
    if not sys.platform.startswith("linux"):
        return
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):  # another C library
        return
    mallopt(_M_MMAP_THRESHOLD, 2**30)
    mallopt(_M_TRIM_THRESHOLD, 2**31 - 1)
