"""The Colab edition of this working tree, and an environment to run it in."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from llmlab_site.execution import NotebookFailed, execution_key

from tests.unchanged import Subject, subject, tests_of

from .environment import MISSING, PACKAGES, Colab, make_colab

ROOT = Path(__file__).resolve().parents[2]
# What makes the edition and the package that it installs, beside what an execution depends on.
MAKERS = ["book/colab.py", "pyproject.toml", "requirements.txt", "setup.py"]
MAKERS += [f"book/_ext/llmlab_site/{name}.py" for name in ("edition", "plain_markdown")]


@pytest.hookimpl(optionalhook=True)
def pytest_subject(item: pytest.Item) -> Subject | None:
    """The run of a chapter is about the chapter; its key changes with that of its execution."""
    chapter = item.callspec.params["chapter"] if hasattr(item, "callspec") else None
    try:
        key = chapter and execution_key(ROOT / "notebooks" / f"{chapter}.ipynb", ROOT)
    except NotebookFailed:
        return None
    files = [PACKAGES, *(ROOT / name for name in MAKERS)]
    return subject(chapter, key, tests_of("colab"), files=files) if chapter else None


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
