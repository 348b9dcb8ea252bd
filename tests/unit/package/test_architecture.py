"""The house: which way its arrows point, and what an import may bring along."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PACKAGE, LESSONS = ROOT / "rlhf_lab", ROOT / "notebooks" / "lessons"
HEAVY = {"torch", "transformers", "tokenizers", "IPython", "ipywidgets", "anywidget", "matplotlib", "jupyterlab"}

# The floors, from the lowest up. A room may import rooms of lower floors; within a floor only what is named beside it.
FLOORS = (
    {"paths": set(), "databases": set(), "texts": set(), "objectives": set()},
    {"world": set(), "feedback": set(), "exercises": set(), "models": set()},
    {"evaluation": set(), "training": set(), "widgets": set(), "plots": {"evaluation"}},
    {"lessons": set()},
)
NEVER = {
    "world": {"objectives"},
    "feedback": {"objectives", "world"},
    "exercises": {"objectives"},
    "training": {"widgets", "plots", "world"},
    "widgets": {"models", "objectives", "world"},
    "lessons": {"widgets", "plots"},
}


def allowed(room: str) -> set[str]:
    """What a room may import of the house: all lower floors, and its named neighbours, less what it must never."""
    lower: set[str] = set()
    for floor in FLOORS:
        if room in floor:
            return (lower | floor[room]) - NEVER.get(room, set())
        lower |= set(floor)
    raise AssertionError(f"a new room of the house, {room}: say in this test on which floor it is")


def home_of(path: Path) -> Path:
    """The path of a file from where its top package is."""
    return path.relative_to(LESSONS.parent if path.is_relative_to(LESSONS) else PACKAGE.parent)


def imports(path: Path) -> set[str]:
    """Full names of all modules that a file imports, wherever in the file."""
    found, package = set(), home_of(path).parent.parts
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
    if names[0] == "lessons":
        return "lessons"
    return names[1] if names[0] == "rlhf_lab" and len(names) > 1 else None


FILES = [*sorted(PACKAGE.rglob("*.py")), *sorted(LESSONS.rglob("*.py"))]


def module_of(path: Path) -> str:
    """rlhf_lab/world/tastes.py -> "rlhf_lab.world.tastes"; a package's __init__ is the package."""
    parts = home_of(path).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(home_of(p)))
def test_arrows_point_down(path):
    here = part_of(module_of(path))
    if here is None:
        return  # the package's own __init__
    used = {part_of(module) for module in imports(path)} - {None, here}
    assert used <= allowed(here), f"{here} must not import {sorted(used - allowed(here))}"


def test_no_file_imports_itself_by_a_detour():
    """No circle of imports between files, inside a room or across rooms; an import inside a function counts, too."""
    modules = {module_of(path): path for path in FILES}
    arrows = {}
    for name, path in modules.items():
        found, tree = set(), ast.parse(path.read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
                node.body = []
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom):
                package = name if path.name == "__init__.py" else name.rpartition(".")[0]
                base = package.rsplit(".", node.level - 1)[0] if node.level else ""
                base = ".".join(part for part in (base, node.module) if part)
                found |= {f"{base}.{alias.name}" for alias in node.names if f"{base}.{alias.name}" in modules}
                if base in modules and any(f"{base}.{alias.name}" not in modules for alias in node.names):
                    found.add(base)
        arrows[name] = found - {name}
    done: set[str] = set()

    def visit(name: str, way: tuple[str, ...]) -> None:
        assert name not in way, " -> ".join([*way[way.index(name) :], name])
        if name not in done:
            for other in sorted(arrows[name]):
                visit(other, (*way, name))
            done.add(name)

    for name in arrows:
        visit(name, ())


@pytest.mark.parametrize("part", ["rlhf_lab.world", "rlhf_lab.feedback", "lessons.bayesian_preferences"])
def test_the_lower_floors_need_neither_torch_nor_jupyter(part):
    code = f"import {part}, sys; print([m for m in {sorted(HEAVY)} if m in sys.modules])"
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
    for path in FILES:
        assert not imports(path) & {"pickle", "marshal", "shelve", "dill", "joblib"}, path
        for call in (n for n in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(n, ast.Call)):
            name = ast.unparse(call.func)
            assert name not in ("torch.load", "eval", "exec", "numpy.load", "np.load"), f"{path}: {name}"
            trusting = [k for k in call.keywords if k.arg == "trust_remote_code" and ast.unparse(k.value) != "False"]
            assert not trusting, f"{path}: {name}"
