"""Exercises that the page grades: the grader packed for Pyodide, and the scripts around it."""

from __future__ import annotations

import io
import shutil
import zipfile
from pathlib import Path
from typing import Any

from llmlab.display.sources import module
from llmlab.exercises import all_exercises

from .assets import EXTENSION, MODULES
from .bundle import bundle, store
from .pyodide import copy_pyodide

SCRIPTS = EXTENSION / "static" / "exercises"
GRADER = EXTENSION.parents[1] / "llmlab" / "exercises"
DISPLAY = ("widgets/shared/common.js", "widgets/shared/progress.js")  # for exercises too
LONG_AGO = (1980, 1, 1, 0, 0, 0)  # every file's time, so that equal contents pack equally


def add_exercises(static: Path, catalogue: list[dict[str, Any]]) -> None:
    """Write what brings the exercises to life into the site's ``_static/exercises``.

    ``catalogue`` lists the exercises and quizzes of each chapter, for the reader's progress.
    """
    folder = static / "exercises"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    assets = {
        "worker": store((SCRIPTS / "worker.js").read_bytes(), folder, "worker.js"),
        "grader": store(pack_grader(), folder, "grader.zip"),
        "pyodide": copy_pyodide(static),
    }
    generated = {
        "assets.json": assets,
        "hints.json": {exercise.id: exercise.hints for exercise in gradable()},
        "catalogue.json": catalogue,
        # the widgets' own helpers, as a module that can be imported
        "display.js": "\n".join(module(name) for name in DISPLAY),
    }
    bundle(SCRIPTS / "enhance.js", folder, generated)
    shutil.copy2(SCRIPTS / "exercises.css", folder)
    shutil.copy2(MODULES / "codemirror" / "LICENSE", folder / "CodeMirror.LICENSE")


def gradable() -> list[Any]:
    """The exercises that need nothing but NumPy."""
    return [exercise for exercise in all_exercises() if not exercise.torch]


def pack_grader() -> bytes:
    """A zip file of ``llmlab.exercises`` as it is, below a package that holds nothing else."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        contents = {"llmlab/__init__.py": b"", "grading.py": (SCRIPTS / "grading.py").read_bytes()}
        for path in sorted(GRADER.rglob("*.py")):
            name = path.relative_to(GRADER.parents[1]).as_posix()
            contents[name] = path.read_bytes()
        for name, content in contents.items():
            entry = zipfile.ZipInfo(name, LONG_AGO)
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, content)
    return packed.getvalue()
