"""The Colab edition of this working tree, and an environment to run it in."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from .environment import MISSING, Colab, make_colab

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def colab() -> Colab:
    """The environment, without llmlab and whatever else a chapter's first cell installed."""
    if sys.platform == "win32" or sys.version_info >= (3, 14):
        pytest.fail(
            "Colab's packages are for Linux and a Python below 3.14: make another .venv, in WSL or "
            "with make PYTHON=/path/to/python3.13.",
            pytrace=False,
        )
    colab = make_colab(ROOT / "_build" / "colab", ROOT / "requirements.txt")
    uninstall = ["-m", "pip", "uninstall", "--yes", "llmlab", *MISSING]
    colab.run(*uninstall, cwd=colab.folder, check=True)
    return colab


@pytest.fixture(scope="session")
def repository(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """The address and the commit of a repository that holds the working tree as it is now."""
    folder = tmp_path_factory.mktemp("repository")
    listing = ["git", "-C", str(ROOT), "ls-files", "-z", "--cached", "--others"]
    names = subprocess.check_output([*listing, "--exclude-standard"], text=True).split("\0")
    for name in filter(None, names):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    git = ["git", "-C", str(folder), "-c", "user.name=tests", "-c", "user.email=tests@localhost"]
    for command in (["init", "-q"], ["add", "--all", "--force"], ["commit", "-q", "-m", "tree"]):
        subprocess.run([*git, *command], check=True)
    commit = subprocess.check_output([*git, "rev-parse", "HEAD"], text=True).strip()
    return f"file://{folder}", commit


@pytest.fixture(scope="session")
def edition(repository: tuple[str, str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the edition that the command writes."""
    address, commit = repository
    folder = tmp_path_factory.mktemp("edition")
    command = [sys.executable, "book/colab.py", "--repository", address, "--commit", commit]
    outcome = subprocess.run(
        [*command, "--out", str(folder)], cwd=ROOT, capture_output=True, text=True
    )
    if outcome.returncode:
        pytest.fail(outcome.stderr, pytrace=False)
    return folder
