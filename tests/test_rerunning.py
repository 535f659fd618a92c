"""Every cell of a notebook can run twice, and a reader may use the name of any exercise."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

NOTEBOOKS = sorted((Path(__file__).parents[1] / "notebooks").glob("[0-9][0-9]_*.ipynb"))
CHANGING = ("add", "append", "clear", "extend", "insert", "pop", "remove", "update")


def code_cells(path: Path) -> list[str]:
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]


def outside_functions(tree: ast.AST) -> Iterator[ast.AST]:
    """Every node that runs when the cell does."""
    for node in ast.iter_child_nodes(tree):
        if not isinstance(node, ast.FunctionDef | ast.ClassDef | ast.Lambda):
            yield node
            yield from outside_functions(node)


def bound(tree: ast.AST) -> set[str]:
    """The names that a cell makes itself, but for those it only changes."""
    changed = {id(node.target) for node in ast.walk(tree) if isinstance(node, ast.AugAssign)}
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names |= {node.id} if id(node) not in changed else set()
        elif isinstance(node, ast.FunctionDef | ast.ClassDef | ast.arg):
            names.add(getattr(node, "name", None) or node.arg)
        elif isinstance(node, ast.alias):
            names.add((node.asname or node.name).split(".")[0])
    return names


def grown(cell: str) -> set[str]:
    """The names of other cells that this one changes, a little more each time it runs."""
    tree = ast.parse(cell)
    found = set()
    for node in outside_functions(tree):
        if isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Name):
            found.add(node.target.id)
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            of = node.func.value
            found |= {of.id} if node.func.attr in CHANGING and isinstance(of, ast.Name) else set()
    return found - bound(tree)


def borrowed(cells: list[str]) -> set[str]:
    """The names of exercises that another cell uses without making them itself."""
    taken = {
        name: cell for cell in cells for name in re.findall(r"^check\([^,]+, (\w+)\)", cell, re.M)
    }
    found = set()
    for cell in cells:
        tree = ast.parse(cell)
        used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
        found |= {name for name in used & set(taken) - bound(tree) if taken[name] != cell}
    return found


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_cells_can_run_twice(path):
    assert {cell: grown(cell) for cell in code_cells(path) if grown(cell)} == {}


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_no_cell_needs_the_name_of_an_exercise(path):
    assert borrowed(code_cells(path)) == set()


def test_what_is_forbidden_is_found():
    assert grown("runs = []\nruns.append(1)\ntotal = 0\ntotal += 1") == set()
    assert grown("for run in new:\n    runs.append(run)\ntotal += 1") == {"runs", "total"}
    assert grown("def f(x):\n    x.append(1)") == set()
    exercise = 'def softmax(z):\n    ...\n\ncheck("attention.softmax", softmax)'
    assert borrowed([exercise, "from llmlab import softmax\nsoftmax(1)"]) == set()
    assert borrowed(["from llmlab import softmax", exercise, "softmax(1)"]) == {"softmax"}
