"""What an execution of a chapter depends on: its code, what runs it, and the files that it used.

A chapter's kernel notes every file of ours that it runs, reads or lists (``recorder``). An
execution holds as long as all of these have the contents that they had then.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import re
import sys
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path

import nbformat

from llmlab.files import cache_folder

RECORDER = Path(__file__).parents[1] / "recorder"
sys.path.append(str(RECORDER))
from uses import hash_of  # noqa: E402

CACHE = "cache:"  # before the name of a file in the cache folder: a text from outside

# Used, but without a say in what a chapter computes:
PRESENTATION = re.compile(r".*\.(js|css)")  # the site shows today's, see widget_sources.py
EXERCISES = re.compile(r"llmlab/exercises/\w+/.*")  # their cells are in the notebook, word for word
OWN_FOLDER = re.compile(r"notebooks(/.*)?")  # where a chapter runs; it may leave files there
PACKAGE = re.compile(r"llmlab/(?!records/).*")

Files = Mapping[str, "str | None"]  # path: hash of its content, or None where there was nothing


def counts(how: str, path: str) -> bool:
    """Tell whether a use that the recorder noted can change what a chapter shows.

    Not every file that is opened is used: to find out which module offers a name, ``llmlab``'s
    packages read and list their modules. Those that they then import are noted as "run".
    """
    if not path or any(rule.fullmatch(path) for rule in (PRESENTATION, EXERCISES, OWN_FOLDER)):
        return False
    if how == "list":
        return not PACKAGE.fullmatch(f"{path}/")
    return how == "run" or not (path.endswith(".py") and PACKAGE.fullmatch(path))


def used_files(log: Path) -> dict[str, str | None]:
    """Return what counts of the uses in a recorder's log. A folder's path ends with a slash."""
    files = {}
    for line in log.read_text("utf-8").splitlines() if log.is_file() else ():
        how, path, found = json.loads(line)
        if counts(how, path):
            files[f"{path}/" if how == "list" else path] = found
    return files


def unchanged(files: Files, root: Path) -> bool:
    """Tell whether every file and folder still has the content that it had."""
    return all(_hash_today(_locate(path, root)) == found for path, found in files.items())


def places(root: Path) -> dict[str, str]:
    """The folders that the recorder watches, by the prefix of the paths below them."""
    return {"": str(root), CACHE: str(cache_folder())}


def _locate(path: str, root: Path) -> Path:
    if path.startswith(CACHE):
        return cache_folder() / path.removeprefix(CACHE)
    return root / path


def _hash_today(path: Path) -> str | None:
    try:
        stat = path.stat()
    except OSError:
        return None
    if path.is_dir():
        return hash_of(str(path))
    return _hash_of_version(str(path), stat.st_mtime_ns, stat.st_size)


@cache
def _hash_of_version(path: str, modified: int, size: int) -> str | None:
    """Hash a file once for all the chapters that use it."""
    return hash_of(path)


def code_hash(notebook: nbformat.NotebookNode, root: Path) -> str:
    """Hash what is known before a chapter runs: its code, the pins, Python and the processor."""
    code = [cell.source for cell in notebook.cells if cell.cell_type == "code"]
    pins = (root / "requirements.txt").read_text("utf-8")
    return digest([code, pins, sys.version, *processor()])


def digest(content: Iterable[object]) -> str:
    """The SHA-256 of anything that JSON can hold."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


@cache
def processor() -> tuple[str, ...]:
    """What chooses between kernels that round differently: processor, vectors, GPU."""
    import torch

    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else "no GPU"
    vectors = torch.backends.cpu.get_cpu_capability()
    return platform.system(), platform.machine(), _model_name(), vectors, gpu


def _model_name() -> str:
    """The processor's name; Linux tells it in a file alone."""
    if os.path.exists("/proc/cpuinfo"):
        found = re.search(r"^model name\s*: (.*)$", Path("/proc/cpuinfo").read_text(), re.M)
        return found[1] if found else ""
    return platform.processor()
