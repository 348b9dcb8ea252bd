"""`check`, the last line of every exercise's cell, and `hint`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

from rlhf_lab.exercises import attempts
from rlhf_lab.exercises.catalogue import UnknownExerciseError, find
from rlhf_lab.exercises.comparing import agrees, difference, shown
from rlhf_lab.exercises.execution import Outcome, is_stub, run_guarded, run_reference, side_effect
from rlhf_lab.exercises.framework import Case, Exercise, Mistake, Verdict
from rlhf_lab.exercises.pages import wrapped

PRINTED_LINES = 12  # of what a learner's function prints while it is checked


def check(function: Callable, name: str | None = None) -> Callable:
    """Check a function, print the verdict, and return the function that the notebook continues with.

    The exercise is found by the function's name, or by `name`. Returns the function itself if it is correct, otherwise
    the package's own. Whatever is wrong with the function is printed, never raised.
    """
    name = name or getattr(function, "__name__", None)
    try:
        exercise = find(str(name))
    except UnknownExerciseError as error:
        print(f"{error} Keep the stub's name, or say which exercise it is: check(function, name=...).")
        return function
    if not callable(function):
        print(f"{exercise.name}: check takes the function itself. Write check({exercise.name}), without calling it.")
        return exercise.reference
    verdict = judge(exercise, function)
    if verdict.printed:
        print(_shortened(verdict.printed))
    print(verdict.text)
    if verdict.state == "not attempted":
        return exercise.reference
    correct = verdict.state == "correct"
    trouble = attempts.record("solved" if correct else "attempted", exercise.name, mistake=verdict.mistake)
    if trouble:
        print(trouble)
    return function if correct else exercise.reference


def hint(exercise: str | Callable, number: int | None = None) -> None:
    """Print the next hint, and record that it was used.

    The same hints are folded in the notebook; opening a fold is not recorded.

    exercise: its name or function. number: 1 or 2, to choose the hint.
    """
    try:
        found = find(exercise if isinstance(exercise, str) else str(getattr(exercise, "__name__", exercise)))
    except UnknownExerciseError as error:
        print(error)
        return
    given = _GIVEN.get(found.name, 0)
    number = number if number is not None else given + 1
    if number not in (1, 2):
        print(f"{found.name}: those were both hints. The solution is folded below the cell; there is no shame in it.")
        return
    _GIVEN[found.name] = max(given, number)
    print(wrapped(f"Hint {number} of 2. {found.hints[number - 1]}"))
    trouble = attempts.record("hinted", found.name, number=number)
    if trouble:
        print(trouble)


_GIVEN: dict[str, int] = {}  # how many hints were shown since the kernel started


def judge(exercise: Exercise, function: Callable) -> Verdict:
    """The verdict on a function. Prints and records nothing."""
    name, by, parameters = exercise.name, exercise.gradients, exercise.parameters
    not_attempted = Verdict("not attempted", f"{name}: not attempted yet. The notebook goes on with the package's own.")
    if is_stub(function):
        return not_attempted
    cases, expected = solved_cases(exercise)
    yours, printed = run_guarded(function, cases, parameters, by)
    first = yours[0]
    if first.value is ... or (first.failure and first.failure.kind == "NotImplementedError"):
        return not_attempted
    words = [difference(mine, theirs, exercise.unordered) for mine, theirs in zip(yours, expected, strict=False)]
    wrong = next((i for i, word in enumerate(words) if word), None)
    if wrong is None:
        effect = next((mine.effect for mine in yours if mine.effect), "") or side_effect(function, cases, parameters)
        if effect:
            text = f"{name}: not yet. What it returns is right, but {effect}\n{_ending(name)}"
            return Verdict("wrong", text, printed=printed)
        text = f"{name}: correct, in all of {len(cases)} cases. The notebook goes on with yours."
        return Verdict("correct", text, printed=printed)

    found = _recognise(exercise, yours) if len(yours) == len(cases) else None
    ending = _ending(name)
    if found is not None:
        mistake, i = found.mistake, found.case
        lines = [f"{name}: not yet. {mistake.name}", f"  {mistake.explanation}"]
        lines += [] if found.is_all else ["  (Something else is wrong as well. Mend this first, and check again.)"]
        lines += ["  The smallest case that shows it,"]
        text = "\n".join([*lines, *_case_lines(exercise, cases[i], yours[i], expected[i]), ending])
        return Verdict("known mistake", text, mistake.key, printed)
    lines = [f"{name}: not yet. In case {wrong + 1} of {len(cases)}, {words[wrong]}", "  The case is"]
    text = "\n".join([*lines, *_case_lines(exercise, cases[wrong], yours[wrong], expected[wrong]), ending])
    return Verdict("wrong", text, printed=printed)


def _ending(name: str) -> str:
    return (
        "  The notebook goes on with the package's own until then. For a hint, run in a new cell:\n"
        f'    from rlhf_lab.exercises import hint; hint("{name}")'
    )


@cache
def solved_cases(exercise: Exercise) -> tuple[list[Case], list[Outcome]]:
    """The cases of a check and the reference's outcomes, computed once."""
    cases = exercise.all_cases()
    return cases, run_reference(exercise.reference, cases, exercise.parameters, exercise.gradients)


@dataclass(frozen=True)
class _Found:
    """A known mistake that was recognised."""

    mistake: Mistake
    case: int  # the first one that shows it
    is_all: bool  # whether it explains everything that is wrong


def _recognise(exercise: Exercise, yours: list[Outcome]) -> _Found | None:
    """The known mistake that these outcomes show, if any.

    A mistake that explains all cases comes first. If there is none, the answer may contain two mistakes, and we take
    the one that explains most cases: the first wrong one, at least half of all wrong ones, and nearly all it affects.
    """
    cases, expected = solved_cases(exercise)
    wrong = [i for i, mine in enumerate(yours) if not agrees(mine, expected[i], exercise.unordered)]
    best, most = None, 0
    for mistake in exercise.mistakes:
        theirs = run_reference(mistake.function, cases, exercise.parameters, exercise.gradients)
        shows = [i for i, other in enumerate(theirs) if not agrees(other, expected[i], exercise.unordered)]
        same = [_alike(*three, exercise.unordered) for three in zip(yours, theirs, expected, strict=True)]
        explained = [i for i in shows if same[i] and yours[i].failure is None]
        if not explained:
            continue
        if all(same):
            return _Found(mistake, explained[0], True)
        is_clear = wrong[0] in explained and 2 * len(explained) >= len(wrong)
        if is_clear and len(explained) >= 0.8 * len(shows) and len(explained) > most:
            best, most = _Found(mistake, explained[0], False), len(explained)
    return best


def _alike(yours: Outcome, mistaken: Outcome, expected: Outcome, unordered: bool) -> bool:
    """Whether a mistake explains an outcome. Gradients only count if the mistake does not change the value."""
    if yours.failure or mistaken.failure or mistaken.weights:
        return agrees(yours, mistaken, unordered)
    yours_value, mistaken_value = Outcome(yours.value), Outcome(mistaken.value)
    if not agrees(mistaken_value, Outcome(expected.value), unordered):
        return agrees(yours_value, mistaken_value, unordered)
    return agrees(yours, mistaken, unordered)


def _case_lines(exercise: Exercise, case: Case, yours: Outcome, expected: Outcome) -> list[str]:
    """A case as lines of text: its inputs, yours, expected."""
    lines = [f"    {case.title}:"]
    lines += [f"      {n} = {shown(v)}" for n, v in zip(exercise.parameters, case.inputs, strict=True)]
    lines += [f"    yours:    {'(no result)' if yours.failure else shown(yours.value)}"]
    lines += [f"    expected: {shown(expected.value)}"]
    values = Outcome(yours.value), Outcome(expected.value)
    if not yours.failure and agrees(*values, exercise.unordered):
        for name, gradient in expected.gradients.items():
            mine = yours.gradients.get(name)
            lines.append(f"    gradient of {name}, yours:    {_gradient(mine)}")
            lines.append(f"    gradient of {name}, expected: {_gradient(gradient)}")
        for name, theirs in expected.weights.items():
            lines.append(f"    weights of {name} afterwards, yours:    {shown(yours.weights[name])}")
            lines.append(f"    weights of {name} afterwards, expected: {shown(theirs)}")
    return lines


def _gradient(value: Any) -> str:
    return "none" if value is None else shown(value)


def _shortened(printed: str) -> str:
    lines = printed.rstrip("\n").split("\n")
    more = [f"… and {len(lines) - PRINTED_LINES} more lines"] if len(lines) > PRINTED_LINES else []
    return "\n".join(["(your function printed)", *lines[:PRINTED_LINES], *more])
