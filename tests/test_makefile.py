"""The targets of the Makefile that no other test runs, with a Python that only notes its calls."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest


@pytest.fixture
def clone(root: Path, tmp_path: Path) -> Path:
    """The files that targets depend on, and an environment with the pinned packages."""
    for name in ("Makefile", "requirements.txt", "pyproject.toml", "setup.py"):
        shutil.copy(root / name, tmp_path / name)
    python = tmp_path / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text('#!/bin/sh\necho "$@" >> calls\ntest ! -f broken\n')
    python.chmod(0o755)
    (tmp_path / ".venv" / ".installed").touch()
    return tmp_path


def calls(clone: Path, target: str) -> list[str]:
    """What Python was called with when the target was made."""
    (clone / "calls").write_text("")
    subprocess.run(["make", "--silent", target], cwd=clone, capture_output=True)
    return (clone / "calls").read_text().splitlines()


def test_lab_installs_jupyterlab_once_and_opens_the_notebooks(clone: Path):
    install, start = calls(clone, "lab")
    assert "pip install" in install
    assert install.endswith("--constraint requirements.txt --no-build-isolation -e .[lab]")
    assert start == "-m jupyterlab notebooks"
    assert calls(clone, "lab") == [start]


def test_an_installation_that_failed_is_tried_again(clone: Path):
    (clone / "broken").touch()
    assert len(calls(clone, "lab")) == 1
    (clone / "broken").unlink()
    assert len(calls(clone, "lab")) == 2


def test_new_pins_install_everything_again(clone: Path):
    calls(clone, "lab")
    shutil.copy(clone / "requirements.txt", clone / "newer")
    (clone / "newer").rename(clone / "requirements.txt")
    assert ["pip install" in call for call in calls(clone, "lab")] == [True, True, True, False]
