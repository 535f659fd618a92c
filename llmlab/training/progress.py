"""One line that says how far the training is.

In a terminal the line overwrites itself. In a notebook it lives in one output that is updated, so
that only the final line stays. Into a file or a pipe it goes at most every ten seconds.
"""

from __future__ import annotations

import shutil
import sys
import time
from typing import Any, TextIO

_TERMINAL_SECONDS = 0.1
_PIPE_SECONDS = 10.0


class Progress:
    """Shows steps done, loss, speed and time left; silent unless ``enabled``."""

    def __init__(self, total: int, enabled: bool = True, stream: TextIO | None = None) -> None:
        self.total, self.enabled = total, enabled
        self.stream = stream or sys.stderr
        self.display = _notebook_display() if enabled and stream is None else None
        self.live = self.display is not None or self.stream.isatty()
        self._interval = _TERMINAL_SECONDS if self.live else _PIPE_SECONDS
        self._shown = time.monotonic()
        self._first: dict[str, Any] | None = None
        self._last_evaluated = ""
        self._width = 0

    def update(self, line: dict[str, Any]) -> None:
        """Show a line of the run record, if it is time to."""
        if not self.enabled:
            return
        evaluated = [
            f"{name.replace('_', ' ')} {value:.3f}"
            for name, value in line.items()
            if name.startswith("validation") and isinstance(value, float)
        ]
        self._last_evaluated = " · ".join(evaluated) or self._last_evaluated
        self._first = self._first or line
        now = time.monotonic()
        if now - self._shown >= self._interval:
            self._shown = now
            self._show(describe(line, self.total, self._first, self._last_evaluated))

    def close(self, line: dict[str, Any] | None, outcome: str = "") -> None:
        """Show the final line, which stays."""
        if not self.enabled or line is None:
            return
        text = summarize(line, self._first or line, self._last_evaluated)
        self._show(f"{outcome} {text}".strip(), final=True)

    def _show(self, text: str, final: bool = False) -> None:
        if self.display is not None:
            self.display.update({"text/plain": text}, raw=True)
        elif self.live:
            text = text[: shutil.get_terminal_size().columns - 1]  # a wrapped line cannot be erased
            self.stream.write("\r" + text.ljust(self._width) + ("\n" if final else ""))
            self._width = len(text)
        else:
            self.stream.write(text + "\n")
        self.stream.flush()


def describe(line: dict[str, Any], total: int, first: dict[str, Any], evaluated: str) -> str:
    """Return the line shown during training; speed is measured since ``first``."""
    parts = [f"step {line['step']:,}/{total:,}"]
    if line.get("loss") is not None:
        parts.append(f"loss {line['loss']:.3f}")
    if evaluated:
        parts.append(evaluated)
    speed = _speed(line, first)
    if speed:
        parts.append(f"{speed:,.0f} tokens/s")
    seconds, steps = line["seconds"] - first["seconds"], line["step"] - first["step"]
    if steps > 0:
        parts.append(f"{clock(seconds / steps * (total - line['step']))} left")
    return " · ".join(parts)


def summarize(line: dict[str, Any], first: dict[str, Any], evaluated: str) -> str:
    """Return the line shown after training."""
    parts = [f"{line['step']:,} steps in {clock(line['seconds'])}"]
    if line.get("loss") is not None:
        parts.append(f"loss {line['loss']:.3f}")
    if evaluated:
        parts.append(evaluated)
    speed = _speed(line, first)
    if speed:
        parts.append(f"{speed:,.0f} tokens/s")
    return " · ".join(parts)


def clock(seconds: float) -> str:
    """Return a duration as people say it: ``4.2 s``, ``3:07`` or ``1:02:33``."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def _speed(line: dict[str, Any], first: dict[str, Any]) -> float:
    seconds = line["seconds"] - first["seconds"]
    return (line["tokens"] - first["tokens"]) / seconds if seconds > 0 else 0.0


def _notebook_display() -> Any:
    """Return an output to update, if this code runs in a notebook."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    if shell is None or not hasattr(shell, "kernel"):
        return None
    from IPython.display import display

    return display({"text/plain": "training …"}, raw=True, display_id=True)
