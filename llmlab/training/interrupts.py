"""Holding Ctrl-C back while something must not be left half done."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def interrupts_held(forget: bool = False) -> Iterator[None]:
    """Let a Ctrl-C that arrives inside the block take effect after it, or never (``forget``).

    Python delivers signals to the main thread only, so elsewhere there is nothing to hold.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    held: list[tuple[Any, ...]] = []
    previous = signal.signal(signal.SIGINT, lambda *arguments: held.append(arguments))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, previous)
    if held and not forget and callable(previous):
        previous(*held[0])
