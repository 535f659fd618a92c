"""Grading in a process of its own, which an answer may end, or keep, without harm.

What an answer does to its process (``os._exit``, a loop without end) reaches nobody: the verdict
comes through a pipe, and a process that sends none in time is killed. The page needs none of this:
its worker is such a process.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import sys
import threading
import warnings
from _thread import interrupt_main
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection
from typing import Any

from .sandbox import NEVER_ENDS
from .verdict import Verdict

SECONDS = 10  # for all tests of one answer
PATIENCE = 2  # more, in which an interrupted answer can still be explained
STARTING = 60  # for a new Python to import numpy, on a machine that is busy
NOT_BEGUN = (
    "The grader could not do its work, and your answer is not scored: its process did not start."
)

# Apple's libraries, and Windows, cannot go on in a copy of a process that uses threads.
FORKS = "fork" in multiprocessing.get_all_start_methods() and sys.platform != "darwin"


def grade_function(id: str, grade: Callable[[], Verdict], seconds: float = SECONDS) -> Verdict:
    """Call ``grade`` in a copy of this process, which has the notebook's names and modules.

    Where a process cannot be copied it runs here, under the time limit alone.
    """
    if FORKS:
        return _apart("fork", id, seconds, grade)
    with _interrupted_after(seconds):
        return grade()


def grade_text(
    id: str, grade: Callable[[str, str], Verdict], source: str, seconds: float = SECONDS
) -> Verdict:
    """Call ``grade(id, source)`` in a new Python, on every system."""
    return _apart("spawn", id, seconds, grade, id, source)


def _apart(method: str, id: str, seconds: float, grade: Callable[..., Verdict], *args: Any):
    context = multiprocessing.get_context(method)
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_send, args=(theirs, seconds, grade, *args), daemon=True)
    with warnings.catch_warnings():  # Python 3.12 warns of the threads of a notebook's kernel
        warnings.simplefilter("ignore", DeprecationWarning)
        process.start()
    theirs.close()
    try:
        if not _begins(ours):
            return Verdict(id, "grader error", NOT_BEGUN)
        if ours.poll(seconds + PATIENCE):
            return ours.recv()
        return Verdict(
            id, "stopped", f"Your code was stopped after {seconds:.0f} seconds{NEVER_ENDS}"
        )
    except EOFError:
        return Verdict(id, "failed", "Your code ends Python itself: return a value instead.")
    except KeyboardInterrupt:
        return Verdict(id, "stopped", "You stopped your code.")
    finally:
        process.kill()
        process.join()
        ours.close()


def _begins(pipe: Connection) -> bool:
    """Wait for the process's sign of life, which comes before anything of the answer's runs."""
    try:
        return pipe.poll(STARTING) and pipe.recv() is None
    except EOFError:
        return False


def _send(pipe: Connection, seconds: float, grade: Callable[..., Verdict], *args: Any) -> None:
    """Send a sign of life, then the verdict, and leave nothing for an answer to do afterwards."""
    pipe.send(None)
    with _interrupted_after(seconds):
        verdict = grade(*args)
    pipe.send(verdict)
    os._exit(0)


@contextlib.contextmanager
def _interrupted_after(seconds: float) -> Iterator[None]:
    """Interrupt what runs here for too long, as Ctrl-C does; only a main thread can be."""
    clock = threading.Timer(seconds, interrupt_main)
    clock.daemon = True
    if threading.current_thread() is threading.main_thread():
        clock.start()
    try:
        yield
    finally:
        clock.cancel()
