"""Nothing but a missing GPU may skip a test, and the last lines of a run say so."""

from __future__ import annotations

import sys

import pytest

pytest_plugins = ["pytester"]

SKIPS = """
import pytest

@pytest.mark.skipif(True, reason="no GPU for float16")
def test_a():
    pass

@pytest.mark.skipif(True, reason="no time")
def test_b():
    pass

def test_c():
    pytest.skip("no text")

@pytest.fixture
def d():
    pytest.skip("no browser")

def test_d(d):
    pass

@pytest.mark.xfail(reason="known", strict=True)
def test_e():
    assert False
"""


@pytest.fixture
def outcome(root, pytester: pytest.Pytester):
    """Run tests of a text beside our own conftest.py and options, and return what pytest said."""

    def run(text: str) -> pytest.RunResult:
        pytester.makepyfile(text)
        pytester.makeconftest((root / "tests" / "conftest.py").read_text("utf-8"))
        options = ["-c", str(root / "pyproject.toml"), f"--rootdir={pytester.path}"]
        command = [sys.executable, "-m", "pytest", *options, "-p", "no:cacheprovider"]
        return pytester.run(*command, pytester.path)

    return run


def test_only_a_missing_gpu_skips(outcome) -> None:
    result = outcome(SKIPS)
    result.assert_outcomes(failed=1, errors=2, skipped=1, xfailed=1)
    for reason in ("no time", "no text", "no browser"):
        result.stdout.fnmatch_lines([f"Skipped: {reason}; only a missing GPU may skip a test*"])
    result.stdout.fnmatch_lines(["=* short test summary info =*", "SKIPPED*: no GPU for float16"])


def test_a_module_that_skips_itself_is_an_error(outcome) -> None:
    result = outcome("import pytest\npytest.importorskip('no_such_package')\n")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*no_such_package*; only a missing GPU may skip a test*"])
