"""Everything that needs a graphics card, in one go and within a given time.

    python benchmarks/gpu.py --minutes 8
    python benchmarks/gpu.py --minutes 8 --nanogpt CHECKOUT
    python benchmarks/gpu.py --device cpu --tiny --out FOLDER        a rehearsal, in seconds

Each module of ``gpu_parts/`` is one part: ``MINUTES`` says what it needs on an H100, and
``measure(task)`` yields its figures as they come. The parts run cheapest first, each in a process
of its own, so that one that fails or runs out of memory costs no other. What a part has yielded is
written at once to ``records/gpu/<part>.json``, so that it stays when the time is up.
``--nanogpt`` is a checkout of karpathy/nanoGPT; a peer that is not there is left out.
"""

from __future__ import annotations

import argparse
import json
import platform
import subprocess
import sys
import time
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import TypeVar

import torch

from llmlab.device import choose_device
from llmlab.files import write_atomically

HERE = Path(__file__).parent
RECORDS = HERE.parent / "records" / "gpu"
FORMAT = 1  # of the records

Size = TypeVar("Size")


@dataclass(frozen=True)
class Task:
    """What a part is given: where to compute, how large, until when.

    ``tiny`` asks for sizes that a CPU does in seconds, ``seconds`` is the time that is left, and
    ``out`` the folder of the records, for a part that keeps more than its figures.
    """

    device: torch.device
    tiny: bool
    seconds: float
    out: Path
    nanogpt: Path | None

    def size(self, full: Size, tiny: Size) -> Size:
        """The one or the other."""
        return tiny if self.tiny else full


def parts() -> dict[str, ModuleType]:
    """The parts by name, cheapest first."""
    names = (path.stem for path in (HERE / "gpu_parts").glob("[a-z]*.py"))
    modules = {name: import_module(f"gpu_parts.{name}") for name in names}
    return dict(sorted(modules.items(), key=lambda item: (item[1].MINUTES, item[0])))


def machine(device: torch.device) -> dict[str, str]:
    """What the figures were measured on and with."""
    on_gpu = device.type == "cuda"
    packages = [name for name in ("torch", "transformers", "triton") if find_spec(name)]
    return {
        "device": torch.cuda.get_device_name(device) if on_gpu else "cpu",
        **({"cuda": torch.version.cuda} if on_gpu else {}),
        "python": platform.python_version(),
        **{name: version(name).partition("+")[0] for name in packages},
    }


def run_part(name: str, task: Task) -> None:
    """Measure one part, here, and write what it finds whenever it finds something."""
    task.out.mkdir(parents=True, exist_ok=True)
    start = time.perf_counter()
    record = {"format": FORMAT, "part": name, "machine": machine(task.device), "figures": {}}
    for figures in parts()[name].measure(task):
        record["figures"] |= figures
        record["seconds"] = round(time.perf_counter() - start, 1)
        content = json.dumps(record, indent=1, allow_nan=False) + "\n"
        write_atomically(task.out / f"{name}.json", content.encode())
    print(content, flush=True)


def run_all(arguments: argparse.Namespace) -> dict[str, str]:
    """Run the parts that there is time for; what became of each."""
    end = time.monotonic() + 60 * arguments.minutes
    outcomes = {}
    for name, part in parts().items():
        left = end - time.monotonic()
        if left < (1 if arguments.tiny else 60 * part.MINUTES):
            outcomes[name] = f"left out: it needs {part.MINUTES:g} min, and {left:.0f} s were left"
            continue
        print(f"== {name}, {left:.0f} s left", flush=True)
        command = [sys.executable, __file__, *_passed_on(arguments), f"--part={name}"]
        try:
            status = subprocess.run([*command, f"--seconds={left:.0f}"], timeout=left).returncode
            outcomes[name] = f"failed with status {status}" if status else "measured"
        except subprocess.TimeoutExpired:
            outcomes[name] = "stopped: the time was up"
    return outcomes


def _passed_on(arguments: argparse.Namespace) -> list[str]:
    options = [f"--device={arguments.device}", f"--out={arguments.out}"]
    options += ["--tiny"] if arguments.tiny else []
    return options + ([f"--nanogpt={arguments.nanogpt}"] if arguments.nanogpt else [])


def main() -> int:
    """Run all parts, or with ``--part`` one of them; 1 if one failed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--minutes", type=float, default=8, help="for all parts (default 8)")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--tiny", action="store_true", help="sizes for a rehearsal on a CPU")
    parser.add_argument("--out", type=Path, default=RECORDS, help="default records/gpu")
    parser.add_argument("--nanogpt", type=Path, help="a checkout of nanoGPT")
    parser.add_argument("--part", help="this one alone, in this process")
    parser.add_argument("--seconds", type=float, default=480, help="for --part")
    arguments = parser.parse_args()
    try:
        device = choose_device(arguments.device)
    except ValueError as error:
        parser.error(str(error))
    if arguments.part:
        if arguments.part not in parts():
            parser.error(f"--part must be one of {', '.join(parts())}: got {arguments.part}.")
        rest = (arguments.tiny, arguments.seconds, arguments.out, arguments.nanogpt)
        run_part(arguments.part, Task(device, *rest))
        return 0
    outcomes = run_all(arguments)
    for name, outcome in outcomes.items():
        print(f"{name:12} {outcome}")
    return int(any(outcome.startswith("failed") for outcome in outcomes.values()))


if __name__ == "__main__":
    sys.exit(main())
