"""The house: which way its arrows point, and what an import may bring along."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[3] / "rlhf_lab"
HEAVY = {"torch", "transformers", "tokenizers", "IPython", "ipywidgets", "anywidget", "matplotlib", "jupyterlab"}

# What each part may import of the house. Arrows point down: what is missing here is forbidden.
LOWEST = {"paths", "databases"}
ALLOWED = {
    "paths": set(),
    "databases": set(),
    "world": LOWEST,
    "feedback": LOWEST,
    "tokens": LOWEST,
    "advantages": set(),
    "losses": {"advantages"},
    "reward_losses": {"advantages"},
    "models": LOWEST | {"tokens"},
    "reward_models": {"tokens", "models", "advantages"},
    "linear_maps": set(),
    "gpt2_decoding": {"linear_maps"},
    "sampling": LOWEST | {"tokens", "models", "linear_maps", "gpt2_decoding"},
    "log_probs": {"tokens", "models", "sampling"},
    "few_ratings": {"feedback"},
    "aspects": {"few_ratings", "sampling"},
    "judges": {"world", "sampling", "log_probs"},
    "recording": LOWEST | {"world", "feedback", "models", "sampling"},
    "evaluation": {"feedback", "sampling", "models", "world"},
    "training": LOWEST
    | {"world", "feedback", "tokens", "models", "reward_models", "sampling", "log_probs"}
    | {"losses", "reward_losses", "advantages", "evaluation"},
    "enumerable": {"sampling", "training"},
    "best_of_n": {"feedback", "sampling"},
    "whole_loop": {"world", "feedback", "few_ratings", "aspects", "models", "sampling", "training"},
    "shared_task": LOWEST
    | {"world", "feedback", "models", "reward_models", "sampling", "log_probs", "advantages", "evaluation", "training"},
    "bug_hunt": {"models", "sampling", "log_probs", "losses", "advantages", "training"},
    "plots": {"feedback", "evaluation"},
    "exercises": LOWEST,
    "widgets": LOWEST | {"feedback", "exercises"},
}


def imports(path: Path) -> set[str]:
    """Full names of all modules that a file imports, wherever in the file."""
    found, package = set(), path.relative_to(PACKAGE.parent).parent.parts
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(package[: len(package) - node.level + 1]) if node.level else ""
            found.add(".".join(part for part in (base, node.module) if part))
    return found


def part_of(module: str) -> str | None:
    """ "rlhf_lab.world.tastes" -> "world"; None for what is not ours."""
    names = module.split(".")
    return names[1] if names[0] == "rlhf_lab" and len(names) > 1 else None


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda p: str(p.relative_to(PACKAGE)))
def test_arrows_point_down(path):
    here = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    if here == "__init__":
        return
    assert here in ALLOWED, f"a new part of the house, {here}: say in this test what it may import"
    used = {part_of(module) for module in imports(path)} - {None, here}
    assert used <= ALLOWED[here], f"{here} must not import {sorted(used - ALLOWED[here])}"


@pytest.mark.parametrize("part", ["world", "feedback", "few_ratings"])
def test_the_lower_floors_need_neither_torch_nor_jupyter(part):
    code = f"import rlhf_lab.{part}, sys; print([m for m in {sorted(HEAVY)} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_importing_the_package_is_quick_and_brings_nothing():
    code = (
        "import sys, time; started = time.perf_counter(); before = set(sys.modules); import rlhf_lab;"
        "print(time.perf_counter() - started, len({m.split('.')[0] for m in set(sys.modules) - before}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    seconds, modules = done.stdout.split()
    assert float(seconds) < 0.5 and int(modules) == 1


def test_nothing_is_unpickled_and_no_remote_code_is_run():
    for path in PACKAGE.rglob("*.py"):
        assert not imports(path) & {"pickle", "marshal", "shelve", "dill", "joblib"}, path
        for call in (n for n in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(n, ast.Call)):
            name = ast.unparse(call.func)
            assert name not in ("torch.load", "eval", "exec", "numpy.load", "np.load"), f"{path}: {name}"
            trusting = [k for k in call.keywords if k.arg == "trust_remote_code" and ast.unparse(k.value) != "False"]
            assert not trusting, f"{path}: {name}"
