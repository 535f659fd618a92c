"""Which parts of ``llmlab`` a notebook depends on, and a key that changes when they change.

A notebook is executed again when its code changes, which jupyter-cache notices by itself, or when
this key changes: the hash of Python's version, of the pinned packages, of every folder of the
package that the notebook imports, directly or through another folder, and of its run records.
"""

from __future__ import annotations

import ast
import hashlib
import sys
from collections.abc import Iterable
from functools import cache
from pathlib import Path

import nbformat

PACKAGE = "llmlab"
SOURCES = (".py", ".js", ".css", ".json")
MAGIC = ("%", "!", "?")


def notebook_key(notebook: nbformat.NotebookNode, root: Path, name: str) -> str:
    """Hash Python's version, the pins, what a notebook can reach of the package, and its records.

    ``name`` is the notebook's name without ending, which is also that of its folder in records/.
    """
    sources = [cell.source for cell in notebook.cells if cell.cell_type == "code"]
    imported = set().union(*(imported_modules(_without_magics(text)) for text in sources))
    digest = hashlib.sha256(sys.version.encode() + (root / "requirements.txt").read_bytes())
    for part in sorted(closure(imported, root)):
        digest.update(f"{part}:{_part_hash(root / PACKAGE, part)}".encode())
    for record in sorted((root / "records" / name).glob("*")):
        digest.update(record.name.encode() + b"\0" + record.read_bytes())
    return digest.hexdigest()


def closure(modules: Iterable[str], root: Path) -> set[str]:
    """Return the parts (folders, and modules beside them) that these modules reach.

    ``""`` stands for the package's own ``__init__.py``.
    """
    reached: set[str] = set()
    waiting = {_part(module, root / PACKAGE) for module in modules if _is_ours(module)}
    while waiting:
        part = waiting.pop()
        reached.add(part)
        for path in _files(root / PACKAGE, part, (".py",)):
            package = ".".join(path.relative_to(root).parent.parts)
            modules = imported_modules(path.read_text("utf-8"), package)
            waiting |= {_part(m, root / PACKAGE) for m in modules if _is_ours(m)} - reached
    return reached


def imported_modules(source: str, package: str = "") -> set[str]:
    """Return the dotted names that a source imports, wherever in it; none if it does not parse."""
    try:
        tree = ast.parse(source)
    except SyntaxError:
        return set()
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = _absolute(node, package)
            names |= {base} | {f"{base}.{alias.name}" for alias in node.names}
    return names


def _absolute(node: ast.ImportFrom, package: str) -> str:
    if not node.level:
        return node.module or ""
    parents = package.split(".")[: len(package.split(".")) - node.level + 1]
    return ".".join([*parents, *([node.module] if node.module else [])])


def _is_ours(module: str) -> bool:
    return module == PACKAGE or module.startswith(PACKAGE + ".")


def _part(module: str, package: Path) -> str:
    """Name the folder or the module beside the folders that holds a dotted name."""
    first = module.split(".")[1] if "." in module else ""
    exists = (package / first).is_dir() or (package / f"{first}.py").is_file()
    return first if first and exists else ""


def _files(package: Path, part: str, suffixes: tuple[str, ...] = SOURCES) -> list[Path]:
    folder = package / part
    if part and folder.is_dir():
        paths = (path for path in folder.rglob("*") if path.suffix in suffixes)
        return sorted(path for path in paths if "__pycache__" not in path.parts)
    return [package / f"{part or '__init__'}.py"]


@cache
def _part_hash(package: Path, part: str) -> str:
    digest = hashlib.sha256()
    for path in _files(package, part):
        digest.update(path.relative_to(package).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


def _without_magics(source: str) -> str:
    lines = (line if not line.lstrip().startswith(MAGIC) else "" for line in source.splitlines())
    return "\n".join(lines)
