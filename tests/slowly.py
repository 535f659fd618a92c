"""Prove that the tests of pages wait: run them on a slow machine, and on a busy one.

    python tests/slowly.py                  every such test, three times six times slower, once busy
    python tests/slowly.py tests/display    those of one folder

A run has the pages' scripts slowed six times (DevTools' ``Emulation.setCPUThrottlingRate``), or
other programs on every core. The tests of the site need a built book.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from tests.run import PYTEST, ROOT, TWO_AT_A_TIME

TIMES = 3
RATE = "6"


@contextmanager
def busy(programs: int) -> Iterator[None]:
    """Keep that many cores busy."""
    command = [sys.executable, "-c", "while True: sum(range(100_000))"]
    started = [subprocess.Popen(command) for _ in range(programs)]
    try:
        yield
    finally:
        for program in started:
            program.kill()
            program.wait()


def run(name: str, folders: list[str], **environment: str) -> bool:
    """Run the tests once; whether all of them passed."""
    print(f"\n== {name}", flush=True)
    start = time.monotonic()
    command = [*PYTEST, *TWO_AT_A_TIME, *folders]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", **environment}
    done = subprocess.run(command, cwd=ROOT, env=environment)
    print(f"== {name}: status {done.returncode} after {time.monotonic() - start:.0f} s", flush=True)
    return done.returncode == 0


def main() -> int:
    """1 if a run failed."""
    folders = sys.argv[1:] or ["tests/display", "tests/site"]
    passed = [
        run(f"{RATE} times slower, {n} of {TIMES}", folders, THROTTLE=RATE)
        for n in range(1, TIMES + 1)
    ]
    with busy(os.cpu_count() or 2):
        passed.append(run("other programs on every core", folders, THROTTLE="1"))
    return int(not all(passed))


if __name__ == "__main__":
    sys.exit(main())
