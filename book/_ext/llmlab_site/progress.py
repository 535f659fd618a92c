"""A line on the terminal that says how far the running chapters are."""

from __future__ import annotations

import sys
import time
from types import TracebackType


class Progress:
    """The running chapters with the cell that each has reached; each gets a line when finished."""

    def __init__(self) -> None:
        self._cells: dict[str, str] = {}
        self._start = time.monotonic()
        self._shown = 0  # characters of the line on the terminal

    def reached(self, name: str, cell: int, total: int) -> None:
        """Note that the chapter ``name`` begins a cell."""
        self._cells[name] = f"{name} cell {cell} of {total}"
        seconds = time.monotonic() - self._start
        self._show(f"  {', '.join(self._cells.values())}, {seconds:.0f} s")

    def finished(self, name: str, seconds: float) -> None:
        """Print the time that a chapter took, for good."""
        del self._cells[name]
        self._show("")
        print(f"  {name:24} {seconds:6.1f} s", flush=True)

    def __enter__(self) -> Progress:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._show("")

    def _show(self, line: str) -> None:
        if sys.stdout.isatty():
            blank = " " * self._shown
            print(f"\r{blank}\r{line}", end="", flush=True)
            self._shown = len(line)
