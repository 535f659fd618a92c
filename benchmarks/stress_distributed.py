"""Train in two processes again and again on a busy machine, and count the runs that die.

    python benchmarks/stress_distributed.py --runs 100
    python benchmarks/stress_distributed.py --runs 20 --parallel tensor --training muon

Each run is started anew: two processes over gloo, a training of ``tests/training`` with a
checkpoint after every other step. Meanwhile other programs keep every core busy. A run that fails,
or is not done after two minutes, is counted, and what it printed is shown.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "training")]
from tests.slowly import busy  # noqa: E402

PATIENCE = 120  # seconds


def one_run(name: str, way: str) -> None:
    """What each of the processes does."""
    import several_processes as trainings

    parallel = trainings.choose_parallel(way)
    folder = Path(os.environ["STRESS_FOLDER"])
    trainings.trained(name, parallel, folder=folder, checkpoint_every=2)
    parallel.close()


def attempt(arguments: argparse.Namespace) -> str:
    """Run once in a process group of its own; what went wrong, or nothing."""
    command = [sys.executable, __file__, "--once", f"--training={arguments.training}"]
    with tempfile.TemporaryDirectory() as folder:
        environment = os.environ | {
            "STRESS_FOLDER": str(Path(folder) / "run"),
            "OMP_NUM_THREADS": "1",
            "PYTHONFAULTHANDLER": "1",
        }
        with subprocess.Popen(
            [*command, f"--parallel={arguments.parallel}"],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=environment,
            start_new_session=True,
        ) as process:
            try:
                printed, _ = process.communicate(timeout=PATIENCE)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, 9)
                return f"not done after {PATIENCE} s\n{process.communicate()[0]}"
    return f"status {process.returncode}\n{printed}" if process.returncode else ""


def main() -> int:
    """1 if a run failed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=100)
    parser.add_argument("--training", default="bert with lion", help="of several_processes.py")
    parser.add_argument("--parallel", default="fsdp")
    parser.add_argument("--busy", type=int, default=os.cpu_count(), help="other programs")
    parser.add_argument("--once", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.once:
        import several_processes as trainings

        trainings.in_processes(2, partial(one_run, arguments.training, arguments.parallel))
        return 0
    failures, start = 0, time.monotonic()
    with busy(arguments.busy):
        for number in range(1, arguments.runs + 1):
            if problem := attempt(arguments):
                failures += 1
                print(f"run {number}: {problem}", flush=True)
            print(f"{number} runs, {failures} failed, {time.monotonic() - start:.0f} s", flush=True)
    return int(failures > 0)


if __name__ == "__main__":
    sys.exit(main())
