"""One browser for a session of tests, as fast as it is, or slowed down by ``THROTTLE``.

``THROTTLE=6`` lets the main thread of every page run six times slower (DevTools'
``Emulation.setCPUThrottlingRate``), and all limits of time are six times longer. Workers (Pyodide's
Python in an exercise), the browser's own process, the tests and the network keep their pace.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from .places import FLAGS, find_browser

THROTTLE = float(os.environ.get("THROTTLE", "1"))
PATIENCE = 30  # seconds until what was expected has failed


def limit(seconds: float = PATIENCE) -> float:
    """Return a limit of time in milliseconds, longer by as much as the pages are slower."""
    return 1000 * seconds * THROTTLE


@contextmanager
def open_browser() -> Iterator[Browser]:
    """Start a browser, with the limits of ``expect`` set and every page slowed by ``THROTTLE``."""
    path = find_browser()
    expect.set_options(timeout=limit())
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        if THROTTLE > 1:
            slow_every_page(browser, THROTTLE)
        yield browser
        browser.close()


def slow_every_page(browser: Browser, rate: float) -> None:
    """Let the main thread of each page that the browser opens from now on run ``rate`` slower."""
    make_context = browser.new_context

    def new_context(**options: Any) -> BrowserContext:
        context = make_context(**options)
        context.set_default_timeout(limit())
        make_page = context.new_page

        def new_page() -> Page:
            page = make_page()
            session = context.new_cdp_session(page)
            session.send("Emulation.setCPUThrottlingRate", {"rate": rate})
            return page

        context.new_page = new_page
        return context

    def new_page(**options: Any) -> Page:
        context = new_context(**options)
        page = context.new_page()
        page.once("close", lambda _: context.close())  # as Playwright's own does
        return page

    browser.new_context = new_context
    browser.new_page = new_page
