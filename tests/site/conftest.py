"""The built site, served under a sub-path as a plain file server would."""

from __future__ import annotations

import functools
import re
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Response, expect
from xdist.scheduler import LoadScopeScheduling

from tests.browser import browser_version, frames
from tests.unchanged import Subject, loaded, subject, tests_of

ROOT = Path(__file__).resolve().parents[2]
HTML = ROOT / "_build" / "html"
SUB_PATH = "some/course"
SIZES = {"wide": {"width": 1280, "height": 900}, "phone": {"width": 375, "height": 812}}
NO_PARAMETERS = SimpleNamespace(params={})
THEMES = {"wide": ("light", "dark"), "phone": ("dark", "light")}  # opened in, turned to


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


@pytest.hookimpl(optionalhook=True)
def pytest_subject(item: pytest.Item) -> Subject | None:
    """A test that is given a page to look at is about the page."""
    given = getattr(item, "callspec", NO_PARAMETERS).params
    name = given["visited"][0] if "visited" in given else given.get("chapter")
    return page_subject(name) if name else None


@functools.cache
def page_subject(name: str) -> Subject:
    """What decides: the page, whatever it may load, the tests themselves, axe, and the browser."""
    facts = [browser_version(), loaded(HTML), tests_of("site")]
    return subject(name, *facts, files=[HTML / name, ROOT / "book/_ext/package-lock.json"])


@dataclass
class Visit:
    """A page that was opened, scrolled through and listened to ever since."""

    page: Page
    name: str
    size: str
    requests: list[str] = field(default_factory=list)
    answers: list[Response] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)
    untouched: list[Response] = field(default_factory=list)  # what came before any scrolling

    def away(self) -> list[str]:
        """The requests that left the host."""
        host = "/".join(self.page.url.split("/")[:3])
        return [url for url in self.requests if not url.startswith((host, "data:", "blob:"))]


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


@contextmanager
def open_page(
    browser: Browser, address: str, name: str, size: str = "wide", theme: str = "light"
) -> Iterator[Visit]:
    """Open a page as a new reader, scroll through it so that everything starts, and listen."""
    context = browser.new_context(viewport=SIZES[size], color_scheme=theme)
    visit = Visit(context.new_page(), name, size)
    listen(visit)
    visit.page.goto(address + name, wait_until="networkidle")
    visit.untouched = list(visit.answers)
    settle(visit.page)
    yield visit
    context.close()


@pytest.fixture
def visit(browser: Browser, address: str) -> Iterator[Callable[..., Visit]]:
    """Open pages for one test alone."""
    with ExitStack() as opened:
        yield lambda *look: opened.enter_context(open_page(browser, address, *look))


@functools.cache
def look(name: str, size: str) -> tuple[str, str]:
    """The same look of a page is the same object: so pytest knows that a visit goes on."""
    return name, size


def each(names: list[str], sizes: Iterable[str] = SIZES) -> pytest.MarkDecorator:
    """Give a test the ``visited`` pages of these names and sizes, one after another."""
    looks = [look(name, size) for name in names for size in sizes]
    return pytest.mark.parametrize("visited", looks, ids="-".join, indirect=True, scope="session")


@pytest.fixture(scope="session")
def visited(browser: Browser, address: str, request: pytest.FixtureRequest) -> Iterator[Visit]:
    """A page that all tests of it share: first those that look, then those that touch their part.

    Wide pages are opened in the light theme, those of a phone in the dark.
    """
    name, size = request.param
    with open_page(browser, address, name, size, THEMES[size][0]) as visit:
        yield visit
        assert not visit.complaints
        assert not visit.away()


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Bring the tests of one visit together, so that every page is opened once in a look."""
    items.sort(key=lambda item: getattr(item, "callspec", NO_PARAMETERS).params.get("visited", ()))


class OneVisitOneWorker(LoadScopeScheduling):
    """Hand out the looks of a page to the processes of pytest-xdist, and files of other tests."""

    def _split_scope(self, nodeid: str) -> str:
        look = re.search(r"\[(.+\.html(-wide|-phone)?)\]$", nodeid)
        return look[1] if look else nodeid.split("::")[0]


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> OneVisitOneWorker:
    return OneVisitOneWorker(config, log)


def listen(visit: Visit) -> None:
    """Record what the page asks for, what fails, and what its console complains about."""
    page = visit.page
    page.on("request", lambda request: visit.requests.append(request.url))
    page.on("requestfailed", lambda request: visit.failures.append(request.url))
    page.on("response", lambda answer: visit.answers.append(answer))
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
    """Bring every widget and exercise into view once; wait for fonts and all of them."""
    page.wait_for_load_state("load")
    page.evaluate("() => document.fonts.ready")
    for invitation in page.locator(".llmlab-invite").all():
        invitation.click()
    for widget in page.locator(".llmlab-widget").all():
        widget.evaluate("node => node.scrollIntoView()")
        expect(widget).to_have_attribute("data-state", re.compile("mounted|failed"))
    for cell in page.locator(".tag_exercise").all():
        cell.evaluate("node => node.scrollIntoView()")
        expect(cell.locator(".llmlab-exercise")).to_be_visible()
    page.evaluate("window.scrollTo(0, 0)")
    frames(page)
