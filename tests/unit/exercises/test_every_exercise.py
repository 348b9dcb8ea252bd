"""What must hold for every exercise of the catalogue: right answers pass, known mistakes are named, others rejected."""

import ast
import importlib.util
import inspect
import sys
import time
from pathlib import Path

import pytest
import torch

from rlhf_lab.exercises import find, judge, names
from rlhf_lab.exercises.checking import solved_cases
from rlhf_lab.exercises.comparing import agrees
from rlhf_lab.exercises.execution import run_guarded, run_reference
from rlhf_lab.exercises.framework import Case

sys.path.insert(0, str(Path(__file__).parent))
from filling import solved
from mutation import mutants

ANSWERS = Path(__file__).parent / "answers"
OTHER_SEEDS = range(100, 130)  # not those of the check


def answers(name, kind):
    """The answers of a kind, "right", "wrong" or "spoils", to an exercise: {rest of the function's name: function}."""
    path = ANSWERS / f"{name}.py"
    spec = importlib.util.spec_from_file_location(f"answers_{name}", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return {key.removeprefix(f"{kind}_"): value for key, value in vars(module).items() if key.startswith(f"{kind}_")}


def each(kind):
    """(exercise, key, function) of all answers."""
    return [
        pytest.param(name, key, function, id=f"{name}-{key}")
        for name in names()
        for key, function in answers(name, kind).items()
    ]


def drawn_cases(exercise):
    seeds = (torch.Generator().manual_seed(seed) for seed in OTHER_SEEDS)
    return [Case("drawn", exercise.draw(generator)) for generator in seeds]


def accepts(exercise, function):
    """The bare verdict: the cases are run one by one, until one differs."""
    parameters, by = exercise.parameters, exercise.gradients
    pairs = zip(*solved_cases(exercise), strict=True)
    return all(
        agrees(run_guarded(function, [case], parameters, by)[0][0], expected, exercise.unordered)
        for case, expected in pairs
    )


@pytest.fixture(params=names())
def exercise(request):
    return find(request.param)


def test_it_is_complete(exercise):
    assert len(exercise.mistakes) >= 5 and len({m.key for m in exercise.mistakes}) == len(exercise.mistakes)
    assert len(answers(exercise.name, "wrong")) >= 5 and len(answers(exercise.name, "right")) >= 3
    assert exercise.reference.__doc__ and len(exercise.hints) == 2 and len(list(exercise.cases())) >= 3
    sentences = [words for m in exercise.mistakes for words in (m.name, m.explanation)]
    assert all(words.rstrip(")").endswith((".", "?")) for words in sentences)


def test_its_file_needs_little(exercise):
    """Of ours, what the package docstring says; else torch, math and the standard library."""
    tree = ast.parse(Path(inspect.getsourcefile(exercise.reference)).read_text(encoding="utf-8"))
    modules = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    modules |= {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    ours = {module for module in modules if module.startswith("rlhf_lab")}
    assert ours <= {"rlhf_lab.exercises.framework", "rlhf_lab.exercises.drawing"}
    assert {module.split(".")[0] for module in modules - ours} <= {"torch", *sys.stdlib_module_names}


def test_the_solution_needs_nothing_of_ours(exercise):
    namespace = {}
    source = solved(exercise).replace("from rlhf_lab.exercises import check, hint", "check = lambda function: function")
    exec(compile(source, "<solution>", "exec"), namespace)
    assert judge(exercise, namespace[exercise.name]).state == "correct"


def test_the_reference_is_correct_and_quickly_so(exercise):
    solved_cases(exercise)
    started = time.perf_counter()
    assert judge(exercise, exercise.reference).state == "correct"
    assert time.perf_counter() - started < 1


def test_cases_are_the_same_every_time_and_left_as_they_were(exercise):
    first, _ = solved_cases(exercise)
    for a, b in zip(first, exercise.all_cases(), strict=True):
        for x, y in zip(a.inputs, b.inputs, strict=True):
            if isinstance(x, torch.nn.Module):
                x, y = (torch.nn.utils.parameters_to_vector(model.parameters()) for model in (x, y))
            if isinstance(x, torch.Tensor):
                assert torch.equal(x.nan_to_num(), y.nan_to_num()), a.title
            else:
                assert isinstance(x, torch.optim.Optimizer) or x == y, a.title


@pytest.mark.slow
def test_mistakes_show_in_a_small_case_and_are_told_apart(exercise):
    cases, expected = solved_cases(exercise)
    by_hand = len(list(exercise.cases()))
    for mistake in exercise.mistakes:
        verdict = judge(exercise, mistake.function)
        assert (verdict.state, verdict.mistake) == ("known mistake", mistake.key), verdict.text
        theirs = run_reference(mistake.function, cases, exercise.parameters, exercise.gradients)
        shows = [not agrees(a, b, exercise.unordered) for a, b in zip(theirs, expected, strict=True)]
        assert any(shows[:by_hand]), f"{mistake.key} shows only in random inputs"
        size = sum(x.numel() for x in cases[shows.index(True)].inputs if isinstance(x, torch.Tensor))
        assert size <= 48, f"{mistake.key} shows first in a case of {size} numbers"


@pytest.mark.parametrize(("name", "key", "function"), each("right"))
def test_right_answers_are_accepted(name, key, function):
    verdict = judge(find(name), function)
    assert verdict.state == "correct", verdict.text


@pytest.mark.parametrize(("name", "key", "function"), each("spoils"))
def test_right_answers_that_spoil_something_for_later_cells_are_not_accepted(name, key, function):
    verdict = judge(find(name), function)
    assert verdict.state == "wrong" and "What it returns is right, but it" in verdict.text, verdict.text


@pytest.mark.slow
@pytest.mark.parametrize(("name", "key", "function"), each("wrong"))
def test_wrong_answers_are_recognised_by_name(name, key, function):
    verdict = judge(find(name), function)
    assert (verdict.state, verdict.mistake) == ("known mistake", key.split("__")[0]), verdict.text
    (mistake,) = (m for m in find(name).mistakes if m.key == verdict.mistake)
    assert mistake.name in verdict.text and "yours:" in verdict.text and "expected:" in verdict.text


@pytest.mark.slow
def test_every_small_change_of_the_solution_is_rejected(exercise):
    """At least 95 of 100 of those that change the result on valid inputs; a right answer in disguise is no mistake."""
    drawn = drawn_cases(exercise)
    parameters, by = exercise.parameters, exercise.gradients
    expected = run_reference(exercise.reference, drawn, parameters, by)
    rejected, survived = 0, []
    for words, mutant in mutants(exercise.reference):
        if not accepts(exercise, mutant):
            rejected += 1
            continue
        theirs, _ = run_guarded(mutant, drawn, parameters, by)
        if any(not agrees(a, b, exercise.unordered) for a, b in zip(theirs, expected, strict=True)):
            survived.append(words)
    assert rejected >= 5
    assert rejected >= 0.95 * (rejected + len(survived)), survived
