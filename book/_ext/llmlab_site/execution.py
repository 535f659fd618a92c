"""Execute the chapters through jupyter-cache, with progress, and only when something changed."""

from __future__ import annotations

import os
import re
import sys
import time
from collections.abc import Iterable
from pathlib import Path

import nbformat
from jupyter_cache import get_cache
from jupyter_cache.base import CacheBundleIn, JupyterCacheAbstract
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError

from .dependencies import notebook_key

CELL_SECONDS = 600


class NotebookFailed(Exception):
    """A notebook could not be executed; the message names it, the cell and the cause."""


def execute_notebooks(paths: Iterable[Path], root: Path, cache_folder: Path) -> dict[str, Path]:
    """Bring the cache up to date and return where the executed form of each notebook lies.

    Args:
        paths: the notebooks, in the order of the book.
        root: the repository; it holds ``requirements.txt`` and ``llmlab/``.
        cache_folder: where jupyter-cache keeps executed notebooks.

    Returns:
        the document name of each notebook (``notebooks/01_attention``) and its executed file.

    Raises:
        NotebookFailed: a cell raised, took too long, or the kernel died. Notebooks that were
            finished before stay in the cache.
    """
    os.environ.setdefault("JUPYTER_PREFER_ENV_PATH", "1")  # our kernel, not one of the user's
    os.environ.setdefault("PYDEVD_DISABLE_FILE_VALIDATION", "1")  # the debugger's start-up advice
    cache = get_cache(cache_folder)
    executed = {}
    for path in paths:
        notebook = nbformat.read(path, as_version=4)
        key = notebook_key(notebook, root, path.stem)
        if _cached_key(cache, notebook) == key:
            print(f"  {path.stem:24} unchanged", flush=True)
        else:
            seconds = _execute_into_cache(cache, path, notebook, key, root)
            print(f"  {path.stem:24} {seconds:6.1f} s", flush=True)
        hashed = cache.match_cache_notebook(nbformat.read(path, as_version=4)).hashkey
        name = path.relative_to(root).with_suffix("").as_posix()
        executed[name] = cache_folder / "executed" / hashed / "base.ipynb"
    return executed


def executed_notebook(path: Path, root: Path, cache_folder: Path) -> nbformat.NotebookNode:
    """Return a notebook as it stands, with the outputs that its execution left in the cache.

    Raises:
        NotebookFailed: it was not executed since it, or something that it depends on, changed.
    """
    notebook = nbformat.read(path, as_version=4)
    if cache_folder.is_dir():
        cache = get_cache(cache_folder)
        if _cached_key(cache, notebook) == notebook_key(notebook, root, path.stem):
            return cache.merge_match_into_notebook(notebook)[1]
    raise NotebookFailed(f"{path.relative_to(root)} is not executed as it stands: run make book.")


def _cached_key(cache: JupyterCacheAbstract, notebook: nbformat.NotebookNode) -> str | None:
    try:
        record = cache.match_cache_notebook(notebook)
        cache.get_cache_bundle(record.pk)
    except (KeyError, OSError, ValueError):  # not there, or cut off while it was being written
        return None
    return record.data.get("llmlab_key")


def _execute_into_cache(
    cache: JupyterCacheAbstract,
    path: Path,
    notebook: nbformat.NotebookNode,
    key: str,
    root: Path,
) -> float:
    """Run one notebook, store it with its key, and return the seconds that it took."""
    start = time.monotonic()
    total = len(notebook.cells)
    here = path.relative_to(root)

    def announce(cell: nbformat.NotebookNode, cell_index: int) -> None:
        if sys.stdout.isatty():
            line = f"  {path.stem:24} cell {cell_index + 1} of {total}"
            print(f"\r{line}, {time.monotonic() - start:.0f} s ", end="", flush=True)

    client = NotebookClient(
        notebook,
        timeout=CELL_SECONDS,
        kernel_name="python3",
        record_timing=False,  # timings in a cell's metadata would change its hash
        resources={"metadata": {"path": str(path.parent)}},
        on_cell_start=announce,
        extra_arguments=["--IPKernelApp.log_level=50"],  # no advice about transports
    )
    try:
        client.execute()
    except (CellExecutionError, CellTimeoutError, RuntimeError, AssertionError) as error:
        # nbclient answers Ctrl-C by ending the kernel, and then stumbles over the dead kernel
        if getattr(client, "_async_cleanup_kernel_future", None) is not None:
            raise KeyboardInterrupt from error
        raise NotebookFailed(_explain(error, here, notebook)) from error
    finally:
        if sys.stdout.isatty():
            print("\r" + " " * 70 + "\r", end="", flush=True)
    seconds = time.monotonic() - start
    data = {"execution_seconds": seconds, "llmlab_key": key}
    bundle = CacheBundleIn(notebook, str(path), data=data)
    cache.cache_notebook_bundle(bundle, check_validity=False, overwrite=True)
    return seconds


def _explain(error: Exception, here: Path, notebook: nbformat.NotebookNode) -> str:
    """Say where a notebook stopped, and why."""
    reached = [
        index
        for index, cell in enumerate(notebook.cells)
        if cell.cell_type == "code" and (cell.execution_count or cell.outputs)
    ]
    index = reached[-1] if reached else 0
    first_line = (notebook.cells[index].source.strip().splitlines() or [""])[0]
    place = f"{here}, cell {index + 1} of {len(notebook.cells)} ({first_line!r})"
    if isinstance(error, CellExecutionError):
        plain = re.sub(r"\x1b\[[0-9;]*m", "", error.traceback)
        return f"{place} raised {error.ename}: {error.evalue}\n\n{plain}"
    if isinstance(error, CellTimeoutError):
        return f"{place} was stopped after {CELL_SECONDS} s."
    return f"{place}: the kernel died; the usual cause is that the machine ran out of memory."
