"""What passed as it is now is left out, two at a time are tested again, and nothing else counts."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.unchanged import MARK, TWO_MONTHS, keep, kept

pytest_plugins = ["pytester"]

PAGES = ["a", "b", "c", "d"]
CONFTEST = """
from pathlib import Path
import pytest
from tests.unchanged import subject

@pytest.hookimpl(optionalhook=True)
def pytest_subject(item):
    name = item.callspec.params["page"] if hasattr(item, "callspec") else None
    return subject(name, files=[Path(__file__).with_name(name)]) if name else None
"""
TESTS = """
from pathlib import Path
import pytest

PAGES = ["a", "b", "c", "d"]

@pytest.mark.parametrize("page", PAGES)
def test_it_is_whole(page):
    assert "wrong" not in Path(__file__).with_name(page).read_text()

@pytest.mark.parametrize("page", PAGES)
def test_it_is_there(page):
    pass

def test_of_no_page():
    pass
"""
Run = Callable[..., set[str]]


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the keys."""
    monkeypatch.setenv("LLMLAB_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("FRESH", raising=False)
    return tmp_path / "cache" / "passed"


@pytest.fixture
def run(root: Path, cache: Path, pytester: pytest.Pytester, monkeypatch) -> Run:
    """Run the tests of four pages and return the pages that were tested."""
    monkeypatch.setenv("PYTHONPATH", str(root))
    pytester.makeconftest(CONFTEST)
    path = pytester.makepyfile(TESTS)
    for page in PAGES:
        path.with_name(page).write_text("as it was")
    options = ["-v", "-p", "tests.unchanged", "-p", "no:cacheprovider"]

    def run(*arguments: str) -> set[str]:
        result = pytester.runpytest(*options, *arguments)
        assert "test_of_no_page" in result.stdout.str()
        lines = result.outlines
        looked, there = (
            {page for page in PAGES if any(f"{test}[{page}] " in line for line in lines)}
            for test in ("test_it_is_whole", "test_it_is_there")
        )
        assert looked == there
        if left_out := sorted(set(PAGES) - looked):
            result.stdout.fnmatch_lines([f"*left out (FRESH=1 tests all): {', '.join(left_out)}."])
        return looked

    return run


@pytest.mark.parametrize("processes", [[], ["-n2"]], ids=["one", "two"])
def test_what_is_unchanged_is_tested_two_at_a_time(run: Run, cache: Path, processes) -> None:
    assert run(*processes) == set(PAGES)
    hour_ago = time.time() - 3600
    for key in kept():
        os.utime(cache / key, (hour_ago, hour_ago))
    assert [run(*processes), run(*processes)] == [{"a", "b"}, {"c", "d"}]
    assert len(kept()) == 4


def test_what_has_changed_is_tested(run: Run, pytester: pytest.Pytester) -> None:
    run()
    again = run()
    changed = min(set(PAGES) - again)
    (pytester.path / changed).write_text("as it is now")
    assert changed in run()


def test_a_run_that_failed_keeps_nothing(run: Run, pytester: pytest.Pytester) -> None:
    (pytester.path / "b").write_text("wrong")
    assert run() == set(PAGES)
    assert run() == set(PAGES)


def test_other_arguments_are_another_run(run: Run) -> None:
    run("--deselect=test_of_another")
    assert run() == set(PAGES)


def test_fresh_tests_all(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    run()
    monkeypatch.setenv("FRESH", "1")
    assert run() == set(PAGES)


def test_old_keys_go_and_other_files_stay(cache: Path) -> None:
    old, new = "0" * 64, "1" * 64
    keep([old])
    long_ago = time.time() - TWO_MONTHS - 1
    others = [cache / ("2" * 64), cache / "notes"]
    others[0].write_bytes(b"somebody's own")
    others[1].write_bytes(MARK)
    for path in [cache / old, *others]:
        os.utime(path, (long_ago, long_ago))
    keep([new])
    assert set(kept()) == {new}
    assert all(path.is_file() for path in others)
