"""Changes a function's source in all small ways one can think of, to see whether a check notices.

Operators, comparisons, signs, constants, axes, bounds of slices, swapped arguments, a call or an index left out, a
mask that is true everywhere, an input shifted by one. One change a mutant.
"""

import ast
import copy
import inspect
import textwrap
from collections.abc import Callable, Iterator

_BINARY = {
    ast.Add: (ast.Sub, ast.Mult),
    ast.Sub: (ast.Add,),
    ast.Mult: (ast.Div, ast.Add),
    ast.Div: (ast.Mult,),
    ast.Pow: (ast.Mult,),
    ast.BitAnd: (ast.BitOr,),
    ast.BitOr: (ast.BitAnd,),
    ast.FloorDiv: (ast.Mult,),
    ast.MatMult: (ast.Mult,),
    ast.Mod: (ast.Mult,),
}
_COMPARE = {
    ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
}


def _replacements(node: ast.AST, tensors: set[str]) -> Iterator[ast.AST]:
    """What one node may be changed into. tensors: names of the parameters that are tensors."""
    if isinstance(node, ast.BinOp):
        for other in _BINARY.get(type(node.op), ()):
            yield ast.BinOp(node.left, other(), node.right)
        yield from (node.left, node.right)
        if isinstance(node.op, ast.Sub | ast.Div):
            yield ast.BinOp(node.right, node.op, node.left)
    elif isinstance(node, ast.Compare) and len(node.ops) == 1:
        for other in _COMPARE.get(type(node.ops[0]), ()):
            yield ast.Compare(node.left, [other()], node.comparators)
    elif isinstance(node, ast.UnaryOp):
        yield node.operand
    elif isinstance(node, ast.Constant) and isinstance(node.value, int | float) and not isinstance(node.value, bool):
        if isinstance(node.value, int):
            yield from (ast.Constant(node.value + 1), ast.UnaryOp(ast.USub(), ast.Constant(node.value + 1)))
            if node.value:
                yield ast.Constant(node.value - 1)
        else:
            yield from (ast.Constant(node.value * 2 + 0.5), ast.UnaryOp(ast.USub(), ast.Constant(node.value + 0.25)))
    elif isinstance(node, ast.Constant) and isinstance(node.value, bool):
        yield ast.Constant(not node.value)
    elif isinstance(node, ast.Call):
        if isinstance(node.func, ast.Attribute) and not _is_module(node.func.value):
            yield node.func.value  # x.exp() -> x, x.masked_fill(~mask, 0) -> x
        elif node.args:
            yield node.args[0]  # f(x, ...) -> x
        if len(node.args) > 1:
            yield ast.Call(node.func, [node.args[1], node.args[0], *node.args[2:]], node.keywords)
        for i in range(len(node.keywords)):
            yield ast.Call(node.func, node.args, node.keywords[:i] + node.keywords[i + 1 :])
    elif isinstance(node, ast.Slice):
        for part in ("lower", "upper"):
            if (bound := getattr(node, part)) is not None:
                yield ast.Slice(**{"lower": node.lower, "upper": node.upper, "step": node.step, part: None})
                shifted = ast.BinOp(bound, ast.Add(), ast.Constant(1))
                yield ast.Slice(**{"lower": node.lower, "upper": node.upper, "step": node.step, part: shifted})
    elif isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Name | ast.Slice | ast.Tuple):
        yield node.value  # losses[mask] -> losses
    elif isinstance(node, ast.Return) and node.value is not None:
        yield ast.Return(ast.UnaryOp(ast.USub(), node.value))
    elif isinstance(node, ast.IfExp):
        yield from (node.body, node.orelse)
    elif isinstance(node, ast.Name) and node.id in tensors:
        yield ast.parse(f"{node.id}.roll(1, -1)", mode="eval").body  # shifted by one
        if "mask" in node.id:
            yield ast.parse(f"torch.ones_like({node.id})", mode="eval").body  # as if all were real


def _is_module(node: ast.AST) -> bool:
    return ast.unparse(node) in ("torch", "math", "F", "torch.nn.functional", "itertools")


def mutants(function: Callable) -> Iterator[tuple[str, Callable]]:
    """(what it is now, the changed function) for every small change of a function's body that still compiles."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    original, seen = ast.unparse(tree), set()
    for place in range(len(list(ast.walk(tree)))):
        for number in range(1000):
            changed = _changed(tree, place, number)
            if changed is None:
                break
            source = ast.unparse(ast.fix_missing_locations(changed))
            if source == original or source in seen:
                continue
            seen.add(source)
            namespace = dict(function.__globals__)
            try:
                exec(compile(source, "<mutant>", "exec"), namespace)
            except SyntaxError:
                continue
            yield _line_that_differs(original, source), namespace[function.__name__]


def _changed(tree: ast.Module, place: int, number: int) -> ast.Module | None:
    """The tree with the node at `place` replaced in its `number`-th way; None where there are fewer ways."""
    tree = copy.deepcopy(tree)
    body = {id(n) for statement in tree.body[0].body for n in ast.walk(statement)}
    node = list(ast.walk(tree))[place]
    if id(node) not in body:
        return None
    arguments = tree.body[0].args.args
    tensors = {a.arg for a in arguments if a.annotation is not None and ast.unparse(a.annotation) == "Tensor"}
    is_read = isinstance(getattr(node, "ctx", None), ast.Load)
    ways = list(_replacements(node, tensors if is_read else set()))
    if number >= len(ways):
        return None
    parent, field, index = next(
        (p, f, i)
        for p in ast.walk(tree)
        for f, value in ast.iter_fields(p)
        for i, child in (enumerate(value) if isinstance(value, list) else [(None, value)])
        if child is node
    )
    if index is None:
        setattr(parent, field, ways[number])
    else:
        getattr(parent, field)[index] = ways[number]
    return tree


def _line_that_differs(before: str, after: str) -> str:
    pairs = zip(before.split("\n"), after.split("\n"), strict=False)
    return next((b.strip() for a, b in pairs if a != b), after)
