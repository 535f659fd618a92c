"""The executions of chapters that are kept, in the cache folder, for every clone on the machine.

    <cache folder>/executions/<hash of code, pins, Python, processor>/<key>.jsonl

The first line of such a file says which files the execution used, with the hash of each; the second
holds what the cells printed and drew. The key is the hash of all that, so equal contents find the
same execution. A file appears whole or not at all; the least recently used ones go when together
they take more than a gigabyte.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat

from llmlab.files import cache_folder, write_atomically

from .dependencies import Files, code_hash, digest, unchanged
from .widget_sources import with_sources, without_sources

MARK = "an execution of a chapter of LLM Lab, 1"  # how we know our own files
HASH = re.compile(r"[0-9a-f]{64}")
NAME = re.compile(rf"{HASH.pattern}\.jsonl|\.{HASH.pattern}\.jsonl-\w+")
DAY = 24 * 60 * 60
MOST_BYTES = 2**30
WIDGETS = "application/vnd.jupyter.widget-state+json"


@dataclass(frozen=True)
class Execution:
    """An execution that is kept: its file, its key, and when it was made (seconds since 1970)."""

    path: Path
    key: str
    made: float

    def fill(self, notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
        """Give a notebook with the same code the outputs and widgets of this execution."""
        with self.path.open(encoding="utf-8") as file:
            file.readline()
            content = json.loads(file.readline())
        code = [cell for cell in notebook.cells if cell.cell_type == "code"]
        for cell, (number, outputs) in zip(code, content["cells"], strict=True):
            cell.execution_count = number
            cell.outputs = [nbformat.from_dict(output) for output in outputs]
        notebook.metadata["language_info"] = content["language"]
        if content["widgets"]:
            widgets = with_sources(content["widgets"])
            notebook.metadata["widgets"] = nbformat.from_dict({WIDGETS: widgets})
        return notebook


def find(notebook: nbformat.NotebookNode, root: Path) -> Execution | None:
    """Return the latest execution of a notebook's code that holds today, if there is one."""
    found = []
    for path in _folder(notebook, root).glob("*.jsonl"):
        header = _header(path)
        if header and unchanged(header["files"], root):
            found.append(Execution(path, path.stem, header["made"]))
    latest = max(found, key=lambda execution: execution.made, default=None)
    if latest:
        os.utime(latest.path)
    return latest


def keep(notebook: nbformat.NotebookNode, files: Files, root: Path) -> Execution:
    """Keep a notebook that was executed just now, having used ``files``."""
    folder = _folder(notebook, root)
    folder.mkdir(parents=True, exist_ok=True)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    widgets = notebook.metadata.get("widgets", {}).get(WIDGETS)
    content = {
        "cells": [(cell.execution_count, cell.outputs) for cell in code],
        "language": notebook.metadata.get("language_info", {}),
        "widgets": without_sources(widgets) if widgets else None,
    }
    key = digest([folder.name, sorted(files.items())])
    header = {"mark": MARK, "made": time.time(), "files": files}
    path = folder / f"{key}.jsonl"
    write_atomically(path, f"{json.dumps(header)}\n{json.dumps(content)}\n".encode())
    return Execution(path, key, header["made"])


def prune(most: int = MOST_BYTES) -> None:
    """Delete the executions that were not used for longest, until the rest takes ``most`` bytes.

    What a killed build left under a temporary name goes after a day.
    """
    total = 0
    for used, size, path in sorted(_ours(), reverse=True):
        total += size
        if total > most or (path.name.startswith(".") and used < time.time() - DAY):
            path.unlink(missing_ok=True)
            with contextlib.suppress(OSError):  # it still holds others
                path.parent.rmdir()


def _ours() -> Iterator[tuple[float, int, Path]]:
    """Time of last use, size and path of every file here that is certainly ours."""
    for path in (cache_folder() / "executions").glob("*/*"):
        named = HASH.fullmatch(path.parent.name) and NAME.fullmatch(path.name)
        if named and path.is_file() and _header(path):
            with contextlib.suppress(FileNotFoundError):  # another build was quicker
                yield path.stat().st_mtime, path.stat().st_size, path


def _folder(notebook: nbformat.NotebookNode, root: Path) -> Path:
    return cache_folder() / "executions" / code_hash(notebook, root)


def _header(path: Path) -> dict[str, Any] | None:
    """The first line of a file that we wrote, or None if it is not one, or is gone."""
    try:
        with path.open(encoding="utf-8") as file:
            header = json.loads(file.readline())
        return header if header["mark"] == MARK else None
    except (OSError, ValueError, KeyError, TypeError):
        return None
