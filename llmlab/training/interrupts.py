"""Ctrl-C, and SIGTERM, which schedulers send before they end a process: when they take effect.

Python delivers signals to the main thread only, so elsewhere there is nothing to do.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

STOPPING = (signal.SIGINT, signal.SIGTERM)
EXIT_TERMINATED = 128 + signal.SIGTERM  # what shells report of a process that SIGTERM ended

Handler = Callable[[int, "FrameType | None"], None]


class Terminated(KeyboardInterrupt):
    """SIGTERM has come: an interrupt after which the program ends."""


@contextmanager
def interrupts_held(forget: bool = False) -> Iterator[None]:
    """Let a signal that arrives inside the block take effect after it, or never (``forget``)."""
    held: list[int] = []
    with handled(STOPPING, lambda number, _: held.append(number)):
        yield
    if held and not forget:
        signal.raise_signal(max(held))  # SIGTERM before SIGINT, if both have come


@contextmanager
def termination_interrupts() -> Iterator[None]:
    """Inside, SIGTERM interrupts as Ctrl-C does, once; a program that handles it keeps its way."""
    received: list[int] = []

    def interrupt(number: int, _: FrameType | None) -> None:
        received.append(number)
        if len(received) == 1:
            raise Terminated

    with handled(_unhandled(), interrupt):
        yield


@contextmanager
def interrupts_noted() -> Iterator[list[int]]:
    """Inside, the signals that arrive are only noted, in the list that is yielded."""
    noted: list[int] = []
    ignored = signal.getsignal(signal.SIGINT) is signal.SIG_IGN  # as in a shell's background
    numbers = _unhandled() if ignored else (signal.SIGINT, *_unhandled())
    with handled(numbers, lambda number, _: noted.append(number)):
        yield noted


@contextmanager
def handled(numbers: tuple[int, ...], handler: Handler) -> Iterator[None]:
    """Inside the block, these signals are handled so."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    previous = {number: signal.signal(number, handler) for number in numbers}
    try:
        yield
    finally:
        for number, handler_before in previous.items():
            signal.signal(number, handler_before)


def _unhandled() -> tuple[int, ...]:
    default = signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    return (signal.SIGTERM,) if default else ()
