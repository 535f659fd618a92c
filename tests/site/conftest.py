"""The built site, served under a sub-path as a plain file server would."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

ROOT = Path(__file__).resolve().parents[2]
HTML = ROOT / "_build" / "html"
SUB_PATH = "some/course"
SIZES = {"wide": {"width": 1280, "height": 900}, "phone": {"width": 375, "height": 812}}


def page_names() -> list[str]:
    """Name every page of the site, ``notebooks/01_attention.html``; none if it is not built.

    The top ``index.html`` only sends the reader on to ``book/index.html``.
    """
    names = (path.relative_to(HTML).as_posix() for path in HTML.rglob("*.html"))
    return sorted(
        name for name in names if name != "index.html" and not name.startswith("_static/")
    )


def chapter_names() -> list[str]:
    return [name for name in page_names() if name.startswith("notebooks/")]


@dataclass
class Visit:
    """A page that was opened, scrolled through and listened to."""

    page: Page
    requests: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)


class QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, *arguments: object) -> None:
        pass


@pytest.fixture(scope="session", autouse=True)
def built_site() -> None:
    if not (HTML / "index.html").is_file():
        pytest.fail("There is no site to check: run make book first.", pytrace=False)


@pytest.fixture(scope="session")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Serve the site and yield its address, with a slash at the end."""
    top = tmp_path_factory.mktemp("server")
    course = top / SUB_PATH
    course.parent.mkdir(parents=True)
    course.symlink_to(HTML, target_is_directory=True)
    handler = functools.partial(QuietHandler, directory=str(top))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/{SUB_PATH}/"
        server.shutdown()
        thread.join()


@pytest.fixture(scope="session")
def contexts(browser: Browser) -> Iterator[dict[tuple[str, str], BrowserContext]]:
    """One browsing context for each size and colour scheme."""
    made = {
        (size, theme): browser.new_context(viewport=viewport, color_scheme=theme)
        for size, viewport in SIZES.items()
        for theme in ("light", "dark")
    }
    yield made
    for context in made.values():
        context.close()


@pytest.fixture
def visit(
    contexts: dict[tuple[str, str], BrowserContext], address: str
) -> Iterator[Callable[..., Visit]]:
    """Open a page, scroll through it so that everything starts, and listen meanwhile."""
    opened: list[Page] = []

    def open_page(name: str, size: str = "wide", theme: str = "light") -> Visit:
        page = contexts[size, theme].new_page()
        opened.append(page)
        visit = Visit(page)
        listen(visit)
        page.goto(address + name)
        settle(page)
        return visit

    yield open_page
    for page in opened:
        page.evaluate("localStorage.clear()")  # the next test is another reader
        page.close()


def listen(visit: Visit) -> None:
    """Record what the page asks for, what fails, and what its console complains about."""
    page = visit.page
    page.on("request", lambda request: visit.requests.append(request.url))
    page.on("requestfailed", lambda request: visit.failures.append(request.url))
    page.on(
        "response",
        lambda answer: (
            answer.status >= 400 and visit.failures.append(f"{answer.status} {answer.url}")
        ),
    )
    page.on("pageerror", lambda error: visit.complaints.append(str(error)))
    page.on(
        "console",
        lambda message: (
            message.type in ("error", "warning") and visit.complaints.append(message.text)
        ),
    )


def settle(page: Page) -> None:
    """Bring every widget and exercise into view once; wait for formulas, fonts and all of them."""
    page.wait_for_load_state("load")
    page.evaluate("() => window.MathJax?.startup?.promise")
    page.evaluate("() => document.fonts.ready")
    for widget in page.locator(".llmlab-widget").all():
        widget.evaluate("node => node.scrollIntoView()")
        expect(widget).not_to_have_attribute("aria-busy", "true", timeout=30_000)
    for cell in page.locator(".tag_exercise").all():
        cell.evaluate("node => node.scrollIntoView()")
        expect(cell.locator(".llmlab-exercise")).to_be_visible(timeout=30_000)
    page.evaluate("window.scrollTo(0, 0)")
    page.wait_for_timeout(150)
