"""Figures, widgets and cards: tensors and run records in, something worth looking at out.

Nothing here trains. ``from llmlab.display import AttentionMap`` finds a name in the module that
lists it in its ``__all__``, and imports that module alone: a bare GPU machine has neither
Matplotlib nor anywidget.
"""

from __future__ import annotations

import ast
from functools import cache
from importlib import import_module
from pathlib import Path


@cache
def _homes() -> dict[str, str]:
    """The module of each name that a file below this folder offers, read without importing it."""
    folder = Path(__file__).parent
    homes = {}
    for path in sorted(folder.glob("*/**/*.py")):
        module = ".".join((__name__, *path.relative_to(folder).with_suffix("").parts))
        homes |= dict.fromkeys(_offers(path), module)
    return homes


def _offers(path: Path) -> list[str]:
    for statement in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(statement, ast.Assign) and ast.unparse(statement.targets[0]) == "__all__":
            return ast.literal_eval(statement.value)
    return []


def __getattr__(name: str):
    if name.startswith("__") or name not in _homes():
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_homes()[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_homes()})
