"""Ctrl-C, and what comes before a process is ended: when they take effect.

SIGTERM comes from schedulers, SIGHUP from a terminal that is closed.

Python delivers signals to the main thread only, so elsewhere there is nothing to do.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

TERMINATING = tuple(getattr(signal, n) for n in ("SIGTERM", "SIGHUP") if hasattr(signal, n))

Handler = Callable[[int, "FrameType | None"], None]


class Terminated(KeyboardInterrupt):
    """An interrupt after which the program ends, with what shells report of its signal."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.status = 128 + number


@contextmanager
def interrupts_held(forget: bool = False) -> Iterator[None]:
    """Let a signal that arrives inside the block take effect after it, or never (``forget``)."""
    held: list[int] = []
    with handled((signal.SIGINT, *TERMINATING), lambda number, _: held.append(number)):
        yield
    if held and not forget:
        signal.raise_signal(max(held, key=TERMINATING.__contains__))


@contextmanager
def termination_interrupts() -> Iterator[None]:
    """Inside, SIGTERM and SIGHUP interrupt as Ctrl-C does, once, if nothing else handles them."""
    received: list[int] = []

    def interrupt(number: int, _: FrameType | None) -> None:
        received.append(number)
        if len(received) == 1:
            raise Terminated(number)

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
    return tuple(n for n in TERMINATING if signal.getsignal(n) is signal.SIG_DFL)
