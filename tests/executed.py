"""For nbval: compare the execution that the site shows, instead of executing every chapter again.

    python -m pytest --nbval-lax -p tests.executed notebooks

nbval collects, compares and reports as ever. Only its kernel is replaced, by one that answers each
cell with the outputs that it had when ``book/build.py`` executed exactly this code and package.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from nbformat import NotebookNode
from nbval.plugin import IPyNbCell, IPyNbFile

sys.path.insert(0, str(Path(__file__).parents[1] / "book" / "_ext"))

from llmlab_site.execution import NotebookFailed, executed_notebook


@pytest.hookimpl(wrapper=True)
def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> Iterator[None]:
    """Put a notebook that was executed in the place of each that nbval would execute."""
    collectors = yield
    return [
        ExecutedNotebook.from_parent(parent, path=file_path) if type(each) is IPyNbFile else each
        for each in collectors
    ]


class ExecutedNotebook(IPyNbFile):
    """A notebook whose cells get their outputs from the cache."""

    def collect(self) -> Iterator[IPyNbCell]:
        root = self.config.rootpath
        try:
            executed = executed_notebook(self.path, root)
        except NotebookFailed as stale:
            raise self.CollectError(str(stale)) from stale
        self.kernel = Replay(executed)
        return super().collect()

    def setup(self) -> None:
        """Start no kernel: there is one that has run already."""
        self.setup_sanitize_files()


class Replay:
    """What nbval asks of a kernel, answered from a notebook that one has executed.

    The cells come in the order of the notebook; some may be left out.
    """

    def __init__(self, executed: NotebookNode) -> None:
        self._cells = (cell for cell in executed.cells if cell.cell_type == "code")
        self._messages: Iterator[dict[str, Any]] = iter(())

    def execute_cell_input(self, source: str, allow_stdin: bool | None = None) -> str:
        """Find the cell with this source, and return the id that its messages have."""
        cell = next(cell for cell in self._cells if cell.source == source)
        self._messages = messages(cell)
        return cell.id

    def get_message(self, stream: str, timeout: float | None = None) -> dict[str, Any]:
        return next(self._messages)

    def await_reply(self, msg_id: str, timeout: float | None = None) -> None:
        """Return at once: the cell has been executed."""

    def await_idle(self, msg_id: str, timeout: float | None = None) -> None:
        """Return at once: nothing runs."""

    def is_alive(self) -> bool:
        return True

    def stop(self) -> None:
        """Do nothing: nothing runs."""


def messages(cell: NotebookNode) -> Iterator[dict[str, Any]]:
    """Yield what a kernel sends when it executes a cell: its outputs, then that it is idle."""
    about = {"parent_header": {"msg_id": cell.id}}
    for output in cell.outputs:
        yield {**about, "msg_type": output.output_type, "content": output}
    yield {**about, "msg_type": "status", "content": {"execution_state": "idle"}}
