"""The engines that are installed, and the built site with an ear on every page."""

from __future__ import annotations

import functools
import os
import threading
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.unchanged import Subject, loaded, subject, tests_of

from .drivers import ENGINES, Engine

ROOT = Path(__file__).resolve().parents[2]
HTML = ROOT / "_build" / "html"

# Runs before anything else of a page: the drivers tell of no errors.
LISTEN = b"""<script>
window.complaints = [];
const heard = (event) => complaints.push(event.message || `${event.target.src} failed`);
addEventListener("error", heard, true);
addEventListener("unhandledrejection", (event) => complaints.push(String(event.reason)));
for (const kind of ["error", "warn"]) {
  const say = console[kind];
  console[kind] = (...words) => { complaints.push(words.join(" ")); say.apply(console, words); };
}
</script>"""


def pages() -> list[str]:
    """Every page of the built site."""
    names = (path.relative_to(HTML).as_posix() for path in HTML.rglob("*.html"))
    return sorted(name for name in names if name != "index.html" and "_static" not in name)


def found() -> list[str]:
    """The engines to test: those that ENGINES names, or all that are installed."""
    required = os.environ.get("ENGINES")
    if not required:
        return [name for name, engine in ENGINES.items() if engine.find()]
    names = required.split(",")
    if unknown := set(names) - set(ENGINES):
        known = ", ".join(ENGINES)
        raise ValueError(f"ENGINES must be of {known}: got {', '.join(sorted(unknown))}.")
    return names


@pytest.hookimpl(optionalhook=True)
def pytest_subject(item: pytest.Item) -> Subject | None:
    """A test that opens a page to look at it is about the page in that engine."""
    look = item.callspec.params
    return page_subject(look["name"], look["engine"]) if "name" in look else None


@functools.cache
def page_subject(name: str, engine: str) -> Subject:
    """What decides: the page, whatever it may load, the tests themselves, and the browser."""
    browser = ENGINES[engine].find()
    program = [Path(browser).resolve()] if browser else []
    facts = [loaded(HTML), tests_of("engines")]
    return subject(f"{name} in {engine}", *facts, files=[HTML / name, *program])


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Give each test every engine."""
    if "engine" in metafunc.fixturenames:
        metafunc.parametrize("engine", found(), indirect=True)


@pytest.fixture(scope="session")
def running() -> Iterator[dict[str, Engine]]:
    """The browsers that this process has started, by name: one window each for all tests."""
    browsers: dict[str, Engine] = {}
    yield browsers
    for browser in browsers.values():
        browser.close()


@pytest.fixture
def engine(request: pytest.FixtureRequest, running: dict[str, Engine]) -> Engine:
    """A running browser."""
    name = request.param
    if name not in running:
        path = ENGINES[name].find()
        if path is None:
            pytest.fail(f"ENGINES asks for {name}, which is not installed.", pytrace=False)
        running[name] = ENGINES[name](path)
    return running[name]


class Handler(SimpleHTTPRequestHandler):
    """A plain file server that puts ``LISTEN`` at the top of every page."""

    def do_GET(self) -> None:
        path = Path(self.translate_path(self.path))
        if path.suffix != ".html" or not path.is_file():
            super().do_GET()
            return
        content = path.read_bytes().replace(b"<head>", b"<head>" + LISTEN, 1)
        self.send_response(200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *arguments: object) -> None:
        pass


@pytest.fixture(scope="session")
def address() -> Iterator[str]:
    """Serve the site; its address, with a slash at the end."""
    if not (HTML / "index.html").is_file():
        pytest.fail("There is no site to check: run make book first.", pytrace=False)
    handler = functools.partial(Handler, directory=str(HTML))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
        thread.join()
