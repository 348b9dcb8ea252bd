"""What every loop shares while it runs: its result, stopping it cleanly, and the allocator's settings."""

import ctypes
import signal
import sys
import threading
from dataclasses import dataclass, field


@dataclass
class TrainingResult:
    """What a run reports: one record of metrics a step, and how it ended."""

    history: list[dict] = field(default_factory=list)  # the records that the callback got, in order
    interrupted: bool = False  # stopped by the user; the model keeps what it had learned
    stopped: str = ""  # why a guard stopped the run, a sentence; empty if none did

    @property
    def last(self) -> dict:
        """The last record; empty if no step was finished."""
        return self.history[-1] if self.history else {}


class StopBetweenSteps:
    """`with StopBetweenSteps() as stop:` lets Ctrl-C, or Jupyter's stop button, end a loop after the current step.

    An interrupt in the middle of a step could leave half of the weights updated. So the first one only sets
    `stop.requested`, which the loop looks at between steps; a second one raises KeyboardInterrupt at once.
    Outside the main thread, where Python delivers no signals, it does nothing.
    """

    def __init__(self):
        self.requested = False
        self._previous = None

    def __enter__(self) -> "StopBetweenSteps":
        if threading.current_thread() is threading.main_thread():
            self._previous = signal.signal(signal.SIGINT, self._handle)
        return self

    def __exit__(self, *_) -> None:
        if self._previous is not None:
            signal.signal(signal.SIGINT, self._previous)

    def _handle(self, signum, frame) -> None:
        if self.requested:
            raise KeyboardInterrupt
        self.requested = True


_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # from glibc's malloc.h


def keep_freed_memory() -> None:
    """Tell Linux's C library to keep freed memory for the next step instead of handing it back.

    By default glibc returns every large block to the kernel, which must then clear its pages when the next
    step asks for them again: a quarter of a training step on a CPU, for nothing. Elsewhere a no-op.
    """
    if not sys.platform.startswith("linux"):
        return
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):  # another C library
        return
    mallopt(_M_MMAP_THRESHOLD, 2**30)
    mallopt(_M_TRIM_THRESHOLD, 2**31 - 1)
