"""Every check of the repository, cheapest first; the first failure stops. ``make test`` runs it."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PYTEST = [sys.executable, "-m", "pytest", "-q"]
# Each of the two computes with one thread; the tests of a file, or of a page, stay together.
TWO_AT_A_TIME = ["--numprocesses=2", "--dist=loadfile"]
# Pages and chapters that passed as they are now are not tested again, but for two of them.
UNCHANGED = ["-p", "tests.unchanged"]

# Folders of unit tests, fastest first; a folder that is not named here comes after them.
FASTEST_FIRST = ["exercises", "inference", "analysis", "models", "data", "display"]
BUILD = "tests/build"
EXECUTED = "tests.executed"  # nbval compares what the site's build executed
NEEDS_SITE = ["tests/test_claims.py", "tests/site"]
OTHER_ENGINES = "tests/engines"  # every page in Firefox and WebKit, where they are installed
COLAB = "tests/colab"  # runs every chapter once more, beside the packages that Colab has


def main() -> int:
    """Run the stages and return the exit status of the one that failed, or 0."""
    stages = {
        "style": [sys.executable, "-m", "ruff", "check", "."],
        "format": [sys.executable, "-m", "ruff", "format", "--check", "."],
        "a browser for the tests": [sys.executable, "-m", "tests.browser"],
        # apart: it runs an event loop, and a process that has a browser open has one already;
        # and alone: kernels that two processes start at once have been seen to take one port
        "tests of the build": [*PYTEST, BUILD],
        "unit tests": [*PYTEST, *TWO_AT_A_TIME, *unit_tests()],
        "site": [sys.executable, "book/build.py"],
        "notebooks": [*PYTEST, "--nbval-lax", "-p", EXECUTED, "notebooks"],
        "claims and site": [*PYTEST, *TWO_AT_A_TIME, *UNCHANGED, *NEEDS_SITE],
    }
    try:
        there = engines()
    except ValueError as wrong:
        sys.exit(str(wrong))
    for name in {"firefox", "webkit"} - set(there):
        print(f"No page is opened in {name}, which is not installed.")
    if there:
        stages["other engines"] = [*PYTEST, "--numprocesses=2", *UNCHANGED, OTHER_ENGINES]
    if sys.platform.startswith("linux") and sys.version_info < (3, 14):
        stages["colab"] = [*PYTEST, *UNCHANGED, COLAB]
    else:
        print("The Colab stage is left out: its packages are for Linux and a Python below 3.14.")
    for number, (name, command) in enumerate(stages.items(), start=1):
        print(f"\n== {number} of {len(stages)}: {name}", flush=True)
        start = time.monotonic()
        environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
        if "--numprocesses=2" in command:
            environment["OMP_NUM_THREADS"] = "1"
        status = subprocess.run(command, cwd=ROOT, env=environment).returncode
        if status:
            print(f"\nFailed: {name} (after {time.monotonic() - start:.0f} s)", file=sys.stderr)
            return status
        if number < len(stages):  # the last stage closes with pytest's own line
            print(f"== {name}: {time.monotonic() - start:.0f} s", flush=True)
    return 0


def engines() -> list[str]:
    """Return the engines to test, beside Chromium: those that are installed, or required."""
    sys.path.insert(0, str(ROOT))
    from tests.engines.conftest import found

    return found()


def unit_tests() -> list[str]:
    """Return the test folders and files that need no built book, fastest first."""
    paths = [path for path in (ROOT / "tests").iterdir() if is_tests(path)]
    names = {path.name: path.relative_to(ROOT).as_posix() for path in sorted(paths)}
    first = [names.pop(name) for name in FASTEST_FIRST if name in names]
    later = [BUILD, *NEEDS_SITE, OTHER_ENGINES, COLAB]
    return [path for path in [*first, *names.values()] if path not in later]


def is_tests(path: Path) -> bool:
    """Tell a folder or file of tests from what merely lies beside them."""
    return bool(list(path.glob("test_*.py"))) or path.match("test_*.py")


if __name__ == "__main__":
    sys.exit(main())
