"""Execute the chapters that have no valid execution, two at a time, and lay all of them out.

``executions.py`` keeps what was executed and finds it again, ``dependencies.py`` says what an
execution depends on. This module runs kernels.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import tempfile
import time
from collections.abc import Iterable, Mapping
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError

from . import executions
from .dependencies import RECORDER, places, used_files
from .progress import Progress

CELL_SECONDS = 600
FRESH = "FRESH"  # the environment variable with which every chapter is executed
BESIDE = "LLMLAB_BESIDE"  # tells a chapter that another one runs beside it


class NotebookFailed(Exception):
    """A notebook could not be executed; the message names it, the cell and the cause."""


class _Interrupted(Exception):
    """Ctrl-C, as a chapter hears of it; asyncio cleans up after this as after any failure."""


def execute_notebooks(
    paths: Iterable[Path], root: Path, folder: Path, fresh: bool = False
) -> dict[str, Path]:
    """Execute the notebooks that need it and return where the executed form of each lies.

    Args:
        paths: the notebooks, in the order of the book.
        root: the repository; it holds ``requirements.txt``, ``llmlab/`` and ``records/``.
        folder: where the executed notebooks are to lie, as they stand today.
        fresh: execute every notebook, even if it has an execution that holds.

    Returns:
        the document name of each notebook (``notebooks/01_attention``) and its executed file.

    Raises:
        NotebookFailed: a cell raised, took too long, or the kernel died. Notebooks that were
            finished before are kept.
    """
    names = {path: path.relative_to(root).with_suffix("").as_posix() for path in paths}
    known = {path: None if fresh else executions.find(_read(path), root) for path in names}
    waiting = [path for path, execution in known.items() if not execution]
    try:
        known |= asyncio.run(_execute_all(waiting, root))
    except _Interrupted:
        raise KeyboardInterrupt from None
    finally:
        executions.prune()
    print(f"  executed {len(waiting)}, reused {len(names) - len(waiting)}", flush=True)
    executed = {name: folder / f"{name}.ipynb" for name in names.values()}
    for path, name in names.items():
        text = nbformat.writes(known[path].fill(_read(path)))
        write_if_changed(executed[name], text)
    return executed


def executed_notebook(path: Path, root: Path) -> nbformat.NotebookNode:
    """Return a notebook as it stands, with the outputs of its execution.

    Raises:
        NotebookFailed: as :func:`execution_key`.
    """
    return _valid(path, root).fill(_read(path))


def execution_key(path: Path, root: Path) -> str:
    """Return the key of a notebook's execution, 64 hexadecimal digits.

    It changes when the notebook's code changes, or any file of ours that it used when it ran, its
    texts and records among them, or the pins, Python or the processor; not with its prose, nor with
    scripts and styles of widgets, nor with what exercises say. Two notebooks, clones or runs with
    the same key show the same, but for times.

    Raises:
        NotebookFailed: it was not executed since it, or something that it depends on, changed.
    """
    return _valid(path, root).key


def write_if_changed(path: Path, text: str) -> None:
    """Write a file unless it holds this text already, so that Sphinx sees no change."""
    if not path.is_file() or path.read_text("utf-8") != text:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")


def _valid(path: Path, root: Path) -> executions.Execution:
    execution = executions.find(_read(path), root)
    if execution is None:
        raise NotebookFailed(
            f"{path.relative_to(root)} is not executed as it stands: run make book."
        )
    return execution


def _read(path: Path) -> nbformat.NotebookNode:
    return nbformat.read(path, as_version=4)


async def _execute_all(waiting: list[Path], root: Path) -> dict[Path, executions.Execution]:
    """Execute notebooks, two at a time where there are two cores for them."""
    os.environ.setdefault("JUPYTER_PREFER_ENV_PATH", "1")  # our kernel, not one of the user's
    os.environ.setdefault("PYDEVD_DISABLE_FILE_VALIDATION", "1")  # the debugger's start-up advice
    cores, company = _cores(), {}
    if min(cores, len(waiting)) >= 2:
        company = {
            "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", f"{cores // 2}"),
            BESIDE: "1",
        }
    turn, progress = asyncio.Semaphore(2 if company else 1), Progress()

    async def execute(path: Path) -> executions.Execution:
        async with turn:
            return await _execute(path, root, company, progress)

    with progress:
        return dict(zip(waiting, await asyncio.gather(*map(execute, waiting)), strict=True))


def _cores() -> int:
    """The processor cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


async def _execute(
    path: Path, root: Path, company: Mapping[str, str], progress: Progress
) -> executions.Execution:
    """Run one notebook in a kernel whose uses of files are noted, and keep its execution."""
    notebook = _read(path)
    total = len(notebook.cells)
    client = NotebookClient(
        notebook,
        timeout=CELL_SECONDS,
        kernel_name="python3",
        record_timing=False,
        resources={"metadata": {"path": str(path.parent)}},
        on_cell_start=lambda cell, cell_index: progress.reached(path.stem, cell_index + 1, total),
        extra_arguments=["--IPKernelApp.log_level=50"],  # no advice about transports
    )
    start = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "used"
        try:
            await client.async_execute(env={**os.environ, **company, **_recording(log, root)})
        except (CellExecutionError, CellTimeoutError, RuntimeError, AssertionError) as error:
            # nbclient answers Ctrl-C by ending the kernel, and then stumbles over the dead kernel
            if getattr(client, "_async_cleanup_kernel_future", None) is not None:
                raise _Interrupted from error
            raise NotebookFailed(_explain(error, path.relative_to(root), notebook)) from error
        execution = executions.keep(notebook, used_files(log), root)
    progress.finished(path.stem, time.monotonic() - start)
    return execution


def _recording(log: Path, root: Path) -> dict[str, str]:
    """The environment in which a kernel and its children note what they use."""
    path = [str(RECORDER), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {
        "PYTHONPATH": os.pathsep.join(path),
        "LLMLAB_USED": str(log),
        "LLMLAB_PLACES": json.dumps(places(root)),
    }


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
