"""An environment that stands in for Colab's: its packages at its versions, and nothing of the book.

torch, and what torch needs beyond Colab's list, are links to the copies that run the tests: another
version of torch, or a second copy of this one, would be gigabytes. What the first cell of a chapter
brings lies in a folder of wheels, and pip may look nowhere else: if the cell wanted another torch,
or anything that is not expected here, it would fail.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from llmlab.data.artifacts import cache_folder

HERE = Path(__file__).parent
PACKAGES = HERE / "packages.txt"

# Installed by a chapter's first cell, at the versions of requirements.txt.
MISSING = {"bertviz", "boto3", "botocore", "jedi", "jmespath", "s3transfer"}
BUILDS = {"setuptools"}  # needed to build llmlab, and only then


@dataclass(frozen=True)
class Colab:
    """The environment: where it lies, and how programs run in it."""

    folder: Path

    @property
    def python(self) -> str:
        """Its interpreter."""
        return str(self.folder / "bin" / "python")

    def run(
        self, *arguments: str, cwd: Path, threads: int = 2, **options
    ) -> subprocess.CompletedProcess:
        """Run its Python in the folder ``cwd``, with none of this process's settings."""
        command = [self.python, *arguments]
        variables = {
            "LANG": os.environ.get("LANG", "C.UTF-8"),
            "OMP_NUM_THREADS": str(threads),
            "HOME": str(self.folder / "home"),
            "PATH": f"{self.folder / 'bin'}:{os.environ['PATH']}",
            "PIP_CONFIG_FILE": os.devnull,
            "PIP_NO_INDEX": "1",
            "PIP_FIND_LINKS": str(self.folder / "wheels"),
            "LLMLAB_CACHE": str(cache_folder()),  # the texts that the chapters read
        }
        return subprocess.run(
            command, cwd=cwd, env=variables, capture_output=True, text=True, **options
        )

    def packages(self) -> dict[str, str]:
        """Name and version of every package that is installed there."""
        code = "from importlib.metadata import distributions as d\n"
        code += "for each in d(): print(each.name, each.version)"
        lines = self.run("-c", code, cwd=self.folder, check=True).stdout.splitlines()
        return {canonicalize_name(name): version for name, version in map(str.split, lines)}


def make_colab(folder: Path, requirements: Path) -> Colab:
    """Return the environment in ``folder``, made the first time and when a version changes.

    Making it needs the network, or pip's cache, and about two minutes.
    """
    colab, stamp = Colab(folder), folder / ".made"
    parts = [PACKAGES.read_text(), requirements.read_text(), Path(__file__).read_text()]
    wanted = hashlib.sha256("".join([*parts, sys.version, sys.prefix]).encode()).hexdigest()
    if stamp.is_file() and stamp.read_text() == wanted:
        return colab
    shutil.rmtree(folder, ignore_errors=True)
    _run(sys.executable, "-m", "venv", str(folder))
    pip = [colab.python, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    _run(*pip, "install", "--no-deps", "-r", str(PACKAGES))
    wheels = ["--no-deps", "-c", str(requirements), "-d", str(folder / "wheels")]
    _run(*pip, "download", *wheels, *sorted(MISSING | BUILDS))
    _link_torch(Path(colab.python))
    (folder / "home").mkdir()
    stamp.write_text(wanted)
    return colab


def _run(*command: str) -> None:
    outcome = subprocess.run(command, capture_output=True, text=True)
    if outcome.returncode:
        raise RuntimeError(f"{' '.join(command)} failed:\n{outcome.stderr}")


def _link_torch(python: Path) -> None:
    """Link torch, and what it needs and Colab's list lacks, into the environment of ``python``."""
    (site,) = python.parents[1].glob("lib/python*/site-packages")
    there = {canonicalize_name(found.name) for found in metadata.distributions(path=[str(site)])}
    waiting, linked = ["torch"], set()
    while waiting:
        name = canonicalize_name(waiting.pop())
        if name in there | linked:
            continue
        linked.add(name)
        distribution = metadata.distribution(name)
        for top in {file.parts[0] for file in distribution.files} - {"..", "__pycache__"}:
            link = site / top
            if not link.exists():
                link.symlink_to(distribution.locate_file(top))
        needs = map(Requirement, distribution.requires or [])
        waiting += [need.name for need in needs if not need.marker or need.marker.evaluate()]
