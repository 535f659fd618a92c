"""The two ways to wait: ``expect`` with our limits, and ``eventually``."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page

from tests.browser import eventually, frames, unchanging
from tests.browser.session import THROTTLE, slow_every_page

LATE = """<p>early</p><script>setTimeout(() => {
    document.querySelector("p").textContent = "late"; document.body.append("x");
}, 200)</script>"""
# How long the page takes for a fixed amount of work, in milliseconds.
WORK = """() => {
    const start = performance.now();
    for (let i = 0, x = 0; i < 4e6; i += 1) x += Math.sqrt(i);
    return performance.now() - start;
}"""


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


def quickest(page: Page) -> float:
    """The shortest of three times that the page takes for the same work, in milliseconds."""
    times = [page.evaluate(WORK) for _ in range(3)]
    return unchanging(min(times), "measured once")


def test_every_page_can_be_slowed_and_stays_slow(browser: Browser) -> None:
    page = browser.new_page()
    quick = quickest(page)
    page.close()
    before = browser.new_context, browser.new_page
    slow_every_page(browser, 6 * THROTTLE)
    try:
        for page in (browser.new_page(), browser.new_context().new_page()):
            assert quickest(page) > 2 * quick
            page.goto("data:text/html,<p>another page</p>")
            assert quickest(page) > 2 * quick
            page.context.close()
    finally:
        browser.new_context, browser.new_page = before
