"""What every test shares: the repository, the build's own modules, and a browser.

A skipped test proves nothing. Only a missing GPU may skip one, and the last lines of the run name
it; any other skip is a failure.
"""

from __future__ import annotations

import sys
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser

Report = TypeVar("Report", pytest.TestReport, pytest.CollectReport)
ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "book" / "_ext")]


@pytest.fixture(scope="session")
def root() -> Path:
    return ROOT


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """The one browser of the session; ``tests/browser/`` tells where it comes from."""
    from tests.browser import BrowserMissing, open_browser

    try:
        with open_browser() as browser:
            yield browser
    except BrowserMissing as missing:
        pytest.fail(str(missing), pytrace=False)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    return refuse_skip((yield))


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    return refuse_skip((yield))


def refuse_skip(report: Report) -> Report:
    """Turn a skip into a failure, unless its reason is that there is no GPU."""
    if report.skipped and not hasattr(report, "wasxfail"):
        _, _, reason = report.longrepr
        if "no GPU" not in reason:
            report.outcome = "failed"
            report.longrepr = f"{reason}; only a missing GPU may skip a test ('no GPU ...')"
    return report
