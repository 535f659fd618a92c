"""Wait until a page shows what is expected, where Playwright's ``expect`` has no word for it."""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable
from typing import Any, TypeVar

from playwright.sync_api import Error, Page

from .session import PATIENCE, limit

PAUSES = (0.01, 0.02, 0.05, 0.1)  # seconds between readings, the last again and again
Read = TypeVar("Read")
FRAMES = """(count) => new Promise((done) => {
    const next = () => (count-- > 0 ? requestAnimationFrame(next) : done());
    next();
})"""


def eventually(
    read: Callable[[], Read],
    expected: Read | Callable[[Read], Any],
    seconds: float = PATIENCE,
) -> Read:
    """Read the page until it gives what is expected, and return that.

    ``expected`` is a value or a function that is true of one: ``eventually(tokens.count, 5)``,
    ``eventually(plot.inner_text, lambda text: "NaN" not in text)``. A page that is on its way to
    the next one cannot be read, and is read again. What Playwright's listeners have noted grows
    only while Playwright is asked something: ``lambda: page.title() and requests``. Raises
    AssertionError with the last value.
    """
    end = time.monotonic() + limit(seconds) / 1000
    pauses = iter(PAUSES)
    while True:
        try:
            last = read()
        except Error as error:
            last = error
        else:
            if expected(last) if callable(expected) else last == expected:
                return last
        if time.monotonic() > end:
            raise AssertionError(f"The page gave {last!r} in the end; expected {words(expected)}.")
        time.sleep(next(pauses, PAUSES[-1]))


def words(expected: object) -> str:
    """Say what was expected: the value, or the source of the function."""
    if not callable(expected):
        return repr(expected)
    try:
        return " ".join(inspect.getsource(expected).split())
    except (OSError, TypeError):
        return repr(expected)


def frames(page: Page, count: int = 3) -> None:
    """Let the page draw some frames: what it was about to do by itself, it has done then."""
    page.evaluate(FRAMES, count)


def unchanging(reading: Read, reason: str) -> Read:
    """Return what was read once of a page, for the given reason: nothing can change it any more."""
    assert reason
    return reading
