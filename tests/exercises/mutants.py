"""Broken copies of a solution, made automatically: one small change each.

A term is dropped, an axis swapped, an index shifted, a constant changed, a comparison flipped, an
operator or a function exchanged, a statement left out. What a grader lets pass of these, a reader
may have written.
"""

from __future__ import annotations

import ast
import copy
from collections.abc import Iterator

_OPERATORS = {
    ast.Add: (ast.Sub, ast.Mult),
    ast.Sub: (ast.Add,),
    ast.Mult: (ast.Div, ast.Add),
    ast.Div: (ast.Mult,),
    ast.FloorDiv: (ast.Mult, ast.Mod),
    ast.Pow: (ast.Mult,),
    ast.BitAnd: (ast.BitOr,),
    ast.Lt: (ast.LtE, ast.GtE),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
}
_FUNCTIONS = {
    "sin": "cos",
    "cos": "sin",
    "max": "min",
    "sum": "mean",
    "mean": "sum",
    "tril": "triu",
    "var": "std",
    "exp": "exp2",
    "log": "log2",
    "zeros": "ones",
}
STEPS = 100_000  # rounds of all loops together, after which they count as endless


def mutants(source: str) -> Iterator[tuple[str, str]]:
    """Yield ``(line, source)`` of every mutant: the line that differs, as it has become."""
    tree = ast.parse(source)
    seen = {ast.unparse(tree)}
    for place, node in enumerate(ast.walk(tree)):
        for number in range(len(list(_changes(copy.deepcopy(node))))):
            mutant = copy.deepcopy(tree)
            target = list(ast.walk(mutant))[place]
            new = list(_changes(target))[number]
            mutant = ast.fix_missing_locations(_Replace(target, new).visit(mutant))
            text = ast.unparse(mutant)
            if text not in seen:
                seen.add(text)
                yield _changed_line(ast.unparse(tree), text), text


def guarded(source: str) -> str:
    """``source`` with a limit on the rounds of its ``while`` loops."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.While):
            node.body.insert(0, ast.parse("next(_steps)").body[0])
    return f"_steps = iter(range({STEPS}))\n{ast.unparse(ast.fix_missing_locations(tree))}"


def _changed_line(before: str, after: str) -> str:
    lines = zip(before.splitlines(), after.splitlines(), strict=True)
    return next(new.strip() for old, new in lines if old != new)


class _Replace(ast.NodeTransformer):
    def __init__(self, old: ast.AST, new: ast.AST) -> None:
        self.old, self.new = old, new

    def visit(self, node: ast.AST) -> ast.AST:
        return self.new if node is self.old else self.generic_visit(node)


def _changes(node: ast.AST) -> Iterator[ast.AST]:
    """What may stand in the place of ``node``."""
    if isinstance(node, ast.BinOp):
        yield from (node.left, node.right)
        for operator in _OPERATORS.get(type(node.op), ()):
            yield ast.BinOp(node.left, operator(), node.right)
        if isinstance(node.op, (ast.Sub, ast.Div, ast.MatMult, ast.Pow)):
            yield ast.BinOp(node.right, node.op, node.left)
    elif isinstance(node, ast.Compare):
        for operator in _OPERATORS.get(type(node.ops[0]), ()):
            yield ast.Compare(node.left, [operator()], node.comparators)
    elif isinstance(node, ast.UnaryOp):
        yield node.operand
    elif isinstance(node, ast.Constant) and type(node.value) in (int, float):
        step = 1 if isinstance(node.value, int) else node.value / 2
        yield from (ast.Constant(node.value + step), ast.Constant(node.value - step))
    elif isinstance(node, ast.Constant) and isinstance(node.value, bool):
        yield ast.Constant(not node.value)
    elif isinstance(node, ast.Call):
        yield from _changed_calls(node)
    elif isinstance(node, ast.Tuple) and isinstance(node.ctx, ast.Load):
        for at in range(len(node.elts) - 1):
            swapped = [*node.elts]
            swapped[at : at + 2] = swapped[at + 1], swapped[at]
            yield ast.Tuple(swapped, node.ctx)
    elif isinstance(node, ast.Attribute) and node.attr == "T":
        yield node.value
    elif isinstance(node, (ast.Assign, ast.AugAssign, ast.Expr)):
        yield ast.Pass()


def _changed_calls(node: ast.Call) -> Iterator[ast.AST]:
    """A call with arguments swapped or left out, another function, or its object or argument."""
    for at in range(len(node.args) - 1):
        swapped = [*node.args]
        swapped[at : at + 2] = swapped[at + 1], swapped[at]
        yield ast.Call(node.func, swapped, node.keywords)
    for at in range(len(node.keywords)):
        yield ast.Call(node.func, node.args, node.keywords[:at] + node.keywords[at + 1 :])
    if not isinstance(node.func, ast.Attribute):
        return
    if node.func.attr in _FUNCTIONS:
        function = ast.Attribute(node.func.value, _FUNCTIONS[node.func.attr], node.func.ctx)
        yield ast.Call(function, node.args, node.keywords)
    of_numpy = isinstance(node.func.value, ast.Name) and node.func.value.id == "np"
    if of_numpy and node.args:
        yield node.args[0]
    elif not of_numpy:
        yield node.func.value
