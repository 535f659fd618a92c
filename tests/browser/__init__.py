"""The browser of all browser tests: found or fetched, slowed on request, and waited for.

    python -m tests.browser                       # prints the path of the browser
    THROTTLE=6 python -m pytest tests/display   # on a processor six times slower

Tests take the session's fixture ``browser`` from ``tests/conftest.py``. What they say of a page
they say with Playwright's ``expect`` or with ``eventually``, which both wait until it is true;
``unwaited.py`` finds what does not.
"""

from .places import BrowserMissing, browser_version, find_browser
from .session import limit, open_browser
from .waiting import eventually, frames, unchanging

__all__ = [
    "BrowserMissing",
    "browser_version",
    "eventually",
    "find_browser",
    "frames",
    "limit",
    "open_browser",
    "unchanging",
]
