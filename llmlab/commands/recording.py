"""Run records of a chapter: ``records/<slug>/make.py`` says which, and this makes them."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from llmlab.training import Run

EVERY = 10  # steps of a run that are kept

Definitions = dict[str, Any]


def make_records(script: str, records: Mapping[str, Callable[[Definitions], Run]]) -> None:
    """Make a chapter's records, or those whose name begins as the command line says.

    What is trained is defined in the notebook: its cells tagged "definitions" are executed, and
    each of ``records`` gets the names they define. So a record cannot drift away from the text
    that quotes it. Every tenth step of a run is kept, and its last.

    Args:
        script: the ``__file__`` of ``records/<slug>/make.py``; the records go beside it.
        records: what makes the record ``<name>.jsonl``, by name.
    """
    folder = Path(script).resolve().parent
    prefix = sys.argv[1] if len(sys.argv) > 1 else ""
    names = definitions(folder.parents[1] / "notebooks" / f"{folder.name}.ipynb")
    for name, make in records.items():
        if name.startswith(prefix):
            run = make(names)
            last = run.lines[-1]
            run.lines = [line for line in run.lines if line["step"] % EVERY == 0 or line is last]
            run.save(folder / f"{name}.jsonl")
            print(name, {key: round(value, 3) for key, value in last.items()}, flush=True)


def definitions(notebook: Path) -> Definitions:
    """The names that a notebook's cells tagged "definitions" define."""
    names: Definitions = {"__name__": "notebook"}
    for cell in json.loads(notebook.read_text(encoding="utf-8"))["cells"]:
        if "definitions" in cell["metadata"].get("tags", ()):
            exec(compile("".join(cell["source"]), cell["id"], "exec"), names)
    return names
