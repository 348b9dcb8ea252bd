"""What an exercise is made of. The package docstring says how one is written."""

import inspect
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

DRAWN = 3  # random cases in a check; one more is the first of them in float64


@dataclass(frozen=True)
class Case:
    """One set of inputs, in the order of the function's parameters."""

    title: str  # in a few words, for the learner
    inputs: tuple[Any, ...]


@dataclass(frozen=True)
class Mistake:
    """A known wrong answer: a function with the mistake in it."""

    name: str  # a sentence to the learner: what the code does
    explanation: str  # why that is wrong, in a sentence or two
    function: Callable

    @property
    def key(self) -> str:
        """The function's name: short, for tests and for the record of progress."""
        return self.function.__name__


@dataclass(frozen=True)
class Verdict:
    """What a check found."""

    state: str  # one of "not attempted", "correct", "known mistake", "wrong"
    text: str  # what the learner reads
    mistake: str = ""  # key of the mistake that was recognised
    printed: str = ""  # what the learner's function printed


@dataclass(frozen=True)
class Exercise:
    """A function to write. All that is known about it; see the package docstring."""

    reference: Callable  # the solution that the learner sees
    title: str
    question: str  # Markdown: what to write, and why
    difficulty: int  # 1 to 5
    minutes: int  # for somebody who has read the notebook up to here
    hints: tuple[str, str]  # Markdown, of growing help
    cases: Callable[[], Iterable[Case]]  # made by hand, smallest first
    draw: Callable[[torch.Generator], tuple]  # random valid inputs
    mistakes: tuple[Mistake, ...]
    gradients: tuple[str, ...] = ()  # parameters by which the result is differentiated and compared
    unordered: bool = False  # the result is a list whose order does not matter
    steps: tuple[str, ...] = ()  # comments in the stub of a loop: what is to be done, in order

    def __post_init__(self):
        if not 1 <= self.difficulty <= 5:
            raise ValueError(f"{self.name}: difficulty is 1 to 5, got {self.difficulty}.")
        if unknown := set(self.gradients) - set(self.parameters):
            raise ValueError(f"{self.name} has no parameter {sorted(unknown)}; it takes {', '.join(self.parameters)}.")

    @property
    def name(self) -> str:
        return self.reference.__name__

    @property
    def parameters(self) -> tuple[str, ...]:
        return tuple(inspect.signature(self.reference).parameters)

    @property
    def solution(self) -> str:
        """The source of the reference, as the learner sees it."""
        return inspect.getsource(self.reference).rstrip("\n")

    def all_cases(self) -> list[Case]:
        """The cases of a check: those made by hand, then drawn ones, the same every time."""
        drawn = [Case(f"random inputs {i + 1}", self.draw(_seeded(i))) for i in range(DRAWN)]
        if any(isinstance(value, nn.Module) for value in drawn[0].inputs):
            return [*self.cases(), *drawn]
        doubles = Case("random inputs in float64", tuple(_double(value) for value in drawn[0].inputs))
        return [*self.cases(), *drawn, doubles]


def mistake(name: str, explanation: str) -> Callable[[Callable], Mistake]:
    """Decorator: makes a Mistake of a wrong function."""
    return lambda function: Mistake(name, explanation, function)


def _seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def _double(value: Any) -> Any:
    return value.double() if isinstance(value, Tensor) and value.is_floating_point() else value
