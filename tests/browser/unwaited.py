"""Find what a test says of a page without waiting for it: assertions on readings, and fixed sleeps.

A page answers a click when it is ready to, on a slow machine later than the test's next line. So a
reading (``count()``, ``inner_text()``, ``evaluate(...)``, ...) may stand in ``eventually`` or be
replaced by ``expect``; an ``assert`` on one is refused, also when a variable or a function of the
same module carries it there. A reading that cannot change any more goes through ``unchanging``.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

# Methods that read a page once. Those of BARE have namesakes that take arguments.
BARE = {"count", "bounding_box", "inner_text", "inner_html", "text_content", "input_value"}
BARE |= {"all_inner_texts", "all_text_contents", "is_visible", "is_hidden", "is_checked"}
BARE |= {"is_enabled", "is_disabled", "is_editable"}
WITH_ARGUMENTS = {"evaluate", "evaluate_all", "evaluate_handle", "get_attribute"}
FINDERS = {"locator", "filter", "nth", "get_by_role", "get_by_text", "get_by_label"}
WAITING = {"eventually", "expect", "unchanging"}
DRIVERS = {"browser", "context", "mount", "page", "visit", "visited", "reader"}


def unwaited(source: str) -> list[str]:
    """Return a sentence for each assertion that does not wait, and for each sleep, by line."""
    tree = ast.parse(source)
    if not drives_a_browser(tree):
        return []
    readers: set[str] = set()
    functions = [node for node in ast.walk(tree) if isinstance(node, FUNCTIONS)]
    while more := {each.name for each in functions if returns_reading(each, readers)} - readers:
        readers |= more
    found = []
    for scope in [tree, *functions]:
        carriers = variables_with_readings(scope, readers)
        for node in own_nodes(scope):
            if isinstance(node, ast.Assert) and is_reading(node.test, readers, carriers):
                code = ast.unparse(node.test)
                found.append((node.lineno, f"reads once: {code[:80]}"))
            if isinstance(node, ast.Call) and called(node) in ("wait_for_timeout", "sleep"):
                found.append((node.lineno, f"sleeps: {ast.unparse(node)}"))
    return [f"line {line} {what}" for line, what in sorted(set(found))]


FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


def drives_a_browser(tree: ast.Module) -> bool:
    """Tell whether a module has to do with pages: by what it imports, and its fixtures' names."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "playwright":
            return True
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("tests.browser"):
            return True
        if isinstance(node, ast.arg) and node.arg in DRIVERS:
            return True
    return False


def own_nodes(scope: ast.AST) -> Iterator[ast.AST]:
    """Yield what belongs to a module or a function, without the functions inside it."""
    for child in ast.iter_child_nodes(scope):
        if not isinstance(child, FUNCTIONS):
            yield child
            yield from own_nodes(child)


def returns_reading(function: ast.AST, readers: set[str]) -> bool:
    carriers = variables_with_readings(function, readers)
    returned = (node.value for node in own_nodes(function) if isinstance(node, ast.Return))
    return any(value and is_reading(value, readers, carriers) for value in returned)


def variables_with_readings(scope: ast.AST, readers: set[str]) -> set[str]:
    """Name the variables that are given a reading somewhere in a scope."""
    carriers: set[str] = set()
    while True:
        more = set()
        for node in own_nodes(scope):
            for targets, value in assignments(node):
                if value and is_reading(value, readers, carriers):
                    names = (name for target in targets for name in ast.walk(target))
                    more |= {name.id for name in names if isinstance(name, ast.Name)}
        if more <= carriers:
            return carriers
        carriers |= more


def assignments(node: ast.AST) -> Iterator[tuple[list[ast.expr], ast.expr | None]]:
    """Yield the targets and the value of whatever a node binds."""
    if isinstance(node, ast.Assign):
        yield node.targets, node.value
    elif isinstance(node, ast.AnnAssign | ast.AugAssign | ast.NamedExpr):
        yield [node.target], node.value
    elif isinstance(node, ast.For | ast.comprehension):
        yield [node.target], node.iter
    elif isinstance(node, ast.Call) and called(node) in ("append", "add", "extend", "update"):
        yield [node.func.value], ast.Tuple(node.args)


def is_reading(node: ast.AST, readers: set[str], carriers: set[str]) -> bool:
    """Tell whether an expression reads a page, or holds what was read, outside of what waits."""
    if isinstance(node, ast.Call):
        name = called(node)
        if name in WAITING:
            return False
        if isinstance(node.func, ast.Name) and name in readers:
            return True
        if isinstance(node.func, ast.Attribute):
            arguments = node.args or node.keywords
            if name in WITH_ARGUMENTS or (name in BARE and not arguments):
                return True
            if name == "all" and is_located(node.func.value):
                return True
    if isinstance(node, ast.Name):
        return node.id in carriers
    return any(is_reading(child, readers, carriers) for child in ast.iter_child_nodes(node))


def is_located(node: ast.AST) -> bool:
    """Tell whether an expression is a Playwright locator: a chain that some finder ends."""
    return isinstance(node, ast.Call) and called(node) in FINDERS


def called(node: ast.Call) -> str:
    """Return the last name of what is called: ``page.locator`` is ``locator``."""
    return getattr(node.func, "attr", getattr(node.func, "id", ""))
