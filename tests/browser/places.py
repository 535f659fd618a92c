"""Where a browser is: named, installed, Playwright's own, or a package still to be installed.

Every candidate has to open a page from a file before it counts: a launcher without its program, a
browser whose libraries are missing, and one that is shut off from the temporary folder do not.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from playwright.sync_api import Error, sync_playwright

VARIABLE = "CHROMIUM"
# Names on the PATH of Linux, and of Linux under Windows (WSL), which cannot drive Windows' own.
PROGRAMS = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"]
PROGRAMS += ["microsoft-edge", "microsoft-edge-stable", "chrome", "msedge"]
MACOS = ["Google Chrome", "Chromium", "Microsoft Edge"]
WINDOWS = ["Google/Chrome/Application/chrome.exe", "Chromium/Application/chrome.exe"]
WINDOWS += ["Microsoft/Edge/Application/msedge.exe"]
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
ADVICE = (
    "No browser for the tests was found or could be fetched: install Chromium, Chrome or Edge (on "
    "Debian: sudo apt install chromium), or set CHROMIUM to the path of one."
)


class BrowserMissing(Exception):
    """There is no browser; the message says in one sentence what to do."""


@cache
def find_browser() -> str:
    """Return the path of a browser that opens pages, and install one where there is none.

    ``CHROMIUM`` (a path or a name) is taken or refused. Without it: an installed Chromium, Chrome
    or Edge, else Playwright's own, else on Debian or Ubuntu, for root, the package. Raises
    ``BrowserMissing``.
    """
    if chosen := os.environ.get(VARIABLE):
        path = shutil.which(chosen)
        if path is None or not opens_pages(path):
            raise BrowserMissing(
                f"CHROMIUM must be the path or the name of a Chromium, Chrome or Edge that opens "
                f"pages: got {chosen!r}."
            )
        return path
    for candidates in (installed, playwrights_own, packaged):
        for path in candidates():
            if opens_pages(path):
                return path
    raise BrowserMissing(ADVICE)


@cache
def browser_version() -> str:
    """Return the version that the browser of the tests gives of itself."""
    path = find_browser()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        try:
            return browser.version
        finally:
            browser.close()


def installed() -> Iterator[str]:
    """Yield every browser in the usual places of this system."""
    yield from filter(None, map(shutil.which, PROGRAMS))
    for folder in ("/Applications", str(Path.home() / "Applications")):
        paths = (Path(folder, f"{name}.app/Contents/MacOS", name) for name in MACOS)
        yield from (str(path) for path in paths if path.is_file())
    for variable in ("PROGRAMFILES", "PROGRAMFILES(X86)", "LOCALAPPDATA"):
        if folder := os.environ.get(variable):
            paths = (Path(folder, name) for name in WINDOWS)
            yield from (str(path) for path in paths if path.is_file())


def playwrights_own() -> Iterator[str]:
    """Yield the browser that belongs to this Playwright, and let Playwright fetch it if need be."""
    with sync_playwright() as playwright:
        path = playwright.chromium.executable_path
    if not Path(path).is_file():
        say("No browser is installed: Playwright fetches its own.")
        subprocess.run([sys.executable, "-m", "playwright", "install", "chromium"])
    if Path(path).is_file():
        yield path


def packaged() -> Iterator[str]:
    """Yield Debian's browser once its package is installed; only root can do that."""
    if not (shutil.which("apt-get") and os.geteuid() == 0):
        return
    say("No browser could be fetched: apt-get installs the package chromium.")
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    subprocess.run(["apt-get", "update", "-qq"])
    install = ["apt-get", "install", "-y", "-qq", "--no-install-recommends", "chromium"]
    subprocess.run(install, env=environment)
    if path := shutil.which("chromium"):
        yield path


def say(sentence: str) -> None:
    """Tell on the standard error, because the standard output holds the path."""
    print(sentence, file=sys.stderr, flush=True)


def opens_pages(path: str) -> bool:
    """Try whether the browser shows a page from a file, as the tests want it to."""
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        file = Path(folder, "page.html")
        file.write_text("<title>opened</title>", "utf-8")
        try:
            browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        except Error:
            return False
        try:
            page = browser.new_page()
            page.goto(file.as_uri())
            return page.title() == "opened"
        except Error:
            return False
        finally:
            browser.close()
