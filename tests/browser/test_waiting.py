"""The two ways to wait: ``expect`` with our limits, and ``eventually``."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page

from tests.browser import eventually, frames
from tests.browser.session import slow_every_page

LATE = """<p>early</p><script>setTimeout(() => {
    document.querySelector("p").textContent = "late"; document.body.append("x");
}, 200)</script>"""


@pytest.fixture
def late(browser: Browser) -> Iterator[Page]:
    """A page that says "early", and a moment later "late"."""
    page = browser.new_page()
    page.set_content(LATE)
    yield page
    page.close()


def test_a_value_is_waited_for_and_returned(late: Page) -> None:
    assert eventually(late.locator("p").inner_text, "late") == "late"


def test_what_a_function_accepts_is_waited_for(late: Page) -> None:
    found = eventually(lambda: late.locator("p").inner_text(), lambda text: text != "early")
    assert found == "late"


def test_what_never_comes_fails_with_what_was_there(late: Page) -> None:
    with pytest.raises(AssertionError, match=r"gave 'late' in the end; expected 'never'\."):
        eventually(late.locator("p").inner_text, "never", seconds=1)
    said = re.escape('lambda text: "never" in text')
    with pytest.raises(AssertionError, match=f"gave 'late' in the end; expected .*{said}"):
        eventually(late.locator("p").inner_text, lambda text: "never" in text, seconds=1)


def test_what_cannot_be_read_fails_with_the_reason(late: Page) -> None:
    with pytest.raises(AssertionError, match="nowhere is not defined"):
        eventually(lambda: late.evaluate("nowhere"), 1, seconds=0.1)


def test_a_reading_that_is_wrong_python_fails_at_once(late: Page) -> None:
    with pytest.raises(TypeError):
        eventually(lambda: late.locator("p").count() + "1", 2)


def test_frames_pass(browser: Browser) -> None:
    page = browser.new_page()
    page.evaluate("{ window.n = 0; const f = () => { n += 1; requestAnimationFrame(f); }; f(); }")
    frames(page, 10)
    eventually(lambda: page.evaluate("n"), lambda n: n >= 10, seconds=0)
    page.close()


def test_every_page_is_slowed(browser: Browser) -> None:
    rates: list[float] = []

    class Session:
        """Notes the rate that a page is sent."""

        def send(self, method: str, parameters: dict[str, float]) -> None:
            assert method == "Emulation.setCPUThrottlingRate"
            rates.append(parameters["rate"])

    make_context, make_page = browser.new_context, browser.new_page

    def noting(**options: Any) -> BrowserContext:
        context = make_context(**options)
        context.new_cdp_session = lambda page: Session()
        return context

    browser.new_context = noting
    slow_every_page(browser, 7)
    try:
        for number, new in enumerate((browser.new_page, browser.new_context().new_page), start=1):
            page = new()
            assert rates.count(7) == number  # the browser's own THROTTLE may have sent another
            page.context.close()
    finally:
        browser.new_context, browser.new_page = make_context, make_page
