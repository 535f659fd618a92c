"""Leave out the tests of pages and chapters that passed when everything was as it is now.

    python -m pytest -p tests.unchanged tests/site

``make test`` runs so. The hook ``pytest_subject`` of a folder's conftest.py says what a test is
about, a page for example, and gives the key of that: the hash of all that decides whether its tests
pass. When a whole run has passed, the keys of its subjects are kept in the cache folder; later runs
with the same arguments leave out the subjects whose keys are there, but for the two that were
tested longest ago. A test that is about nothing always runs. With ``FRESH=1`` all of them do.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import time
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import pytest

AGAIN = 2  # subjects that are tested though nothing has changed
MARK = b"tests of LLM Lab passed with this key\n"  # how we know our own files
NAME = re.compile(r"[0-9a-f]{64}")
TWO_MONTHS = 60 * 24 * 60 * 60  # how long a key is kept, in seconds


class Subject(NamedTuple):
    """What a test is about, and the hash of all that decides whether it passes."""

    name: str
    key: str


class Hooks:
    """What this plugin asks of a folder of tests."""

    @pytest.hookspec(firstresult=True)
    def pytest_subject(self, item: pytest.Item) -> Subject | None:
        """Say what a test is about, or None if it shall always run."""


def subject(name: str, *facts: str, files: Iterable[Path] = ()) -> Subject:
    """Make a subject whose key follows from some facts and from the contents of some files."""
    contents = ((path.name, hashlib.sha256(path.read_bytes()).hexdigest()) for path in files)
    return Subject(name, digest(name, *facts, *map(str, sorted(contents))))


@cache
def loaded(html: Path) -> str:
    """Hash what any page of a site may load, but for what pages name by the hash of its content."""
    files = (path for path in (html / "_static").rglob("*") if path.is_file())
    return subject("loaded", files=[path for path in files if path.parent.name != "widgets"]).key


@cache
def tests_of(folder: str) -> str:
    """Hash the tests of a folder, and what drives the browsers."""
    here = Path(__file__).parent
    return subject("tests", files=[*here.glob(f"{folder}/*.py"), *here.glob("browser/*.py")]).key


def digest(*words: str) -> str:
    """The SHA-256 of some words."""
    return hashlib.sha256("\0".join(words).encode()).hexdigest()


def pytest_addhooks(pluginmanager: pytest.PytestPluginManager) -> None:
    pluginmanager.add_hookspecs(Hooks)


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(Unchanged(config), "unchanged subjects")


class Unchanged:
    """Which keys are kept, and which subjects a run has tested.

    Under pytest-xdist the processes that run tests get the keys from the one that hands them out,
    so that all of them leave out the same; it also hears of every test, and keeps the keys.
    """

    def __init__(self, config: pytest.Config) -> None:
        given = getattr(config, "workerinput", None)
        self.hands_out = given is None
        # with other arguments there may be fewer tests about a subject
        self.arguments: str = given["arguments"] if given else repr(config.invocation_params.args)
        self.known: Mapping[str, float] = given["passed"] if given else kept()
        self.tested: set[str] = set()
        self.left_out: list[str] = []

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        node.workerinput.update(arguments=self.arguments, passed=self.known)

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(
        self, config: pytest.Config, items: list[pytest.Item]
    ) -> None:
        about = {item: self._about(item) for item in items}
        unchanged = {each for each in about.values() if each and each.key in self.known}
        oldest = sorted(unchanged, key=lambda each: (self.known[each.key], each))
        left_out = set(oldest[AGAIN:])
        config.hook.pytest_deselected(items=[item for item in items if about[item] in left_out])
        items[:] = [item for item in items if about[item] not in left_out]
        for item in items:
            if about[item]:
                item.user_properties.append(("subject", about[item].key))
        self.left_out = sorted(each.name for each in left_out)

    def _about(self, item: pytest.Item) -> Subject | None:
        found = item.ihook.pytest_subject(item=item)
        return found and found._replace(key=digest(found.key, self.arguments))

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self.tested |= {value for name, value in report.user_properties if name == "subject"}

    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        if not self.hands_out:
            session.config.workeroutput["left out"] = self.left_out
        elif exitstatus == pytest.ExitCode.OK:
            keep(self.tested)

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        self.left_out = getattr(node, "workeroutput", {}).get("left out", self.left_out)

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        if self.left_out:
            terminalreporter.write_line(
                f"{len(self.left_out)} passed as they are before, and were left out "
                f"(FRESH=1 tests all): {', '.join(self.left_out)}."
            )


def kept() -> dict[str, float]:
    """The keys that are kept, each with the time when its tests passed last."""
    if os.environ.get("FRESH"):
        return {}
    return {path.name: tested for path, tested in _ours()}


def keep(keys: Iterable[str]) -> None:
    """Keep these keys as of now, and delete those that were not tested for two months."""
    from llmlab.files import write_atomically

    _folder().mkdir(parents=True, exist_ok=True)
    for key in keys:
        write_atomically(_folder() / key, MARK)
    for path, tested in _ours():
        if tested < time.time() - TWO_MONTHS:
            path.unlink(missing_ok=True)


def _ours() -> Iterator[tuple[Path, float]]:
    """Every file of a key, with the time when it was written."""
    for path in _folder().glob("*"):
        with contextlib.suppress(FileNotFoundError):  # another run was quicker
            if NAME.fullmatch(path.name) and path.is_file() and path.read_bytes() == MARK:
                yield path, path.stat().st_mtime


def _folder() -> Path:
    from llmlab.files import cache_folder  # brings torch, for which other processes need not wait

    return cache_folder() / "passed"
