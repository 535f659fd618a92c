"""nbval on an execution from the cache passes what agrees, and nothing else."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook, new_output

from tests.build.chapters import KERNEL, Repository

pytest_plugins = ["pytester"]

# the kernel's client leaves sockets to the garbage collector
pytestmark = pytest.mark.filterwarnings("ignore")

CHECKED = {"tags": ["nbval-check-output"]}
SIX = new_output("stream", name="stdout", text="six is 6\n")
FAILURE = new_output("error", ename="ValueError", evalue="seven", traceback=["seven, not six"])


@pytest.fixture(scope="module")
def book(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Path]]:
    """A repository of one chapter, and the file of its execution."""
    cells = [
        new_code_cell("import llmlab, time; time.time_ns()", id="time"),
        new_code_cell("print('six is', 2 * 3)", id="six"),
        new_code_cell("print('six is', 2 * 3)", id="again"),
    ]
    cells[1].update(metadata=CHECKED, outputs=[SIX], execution_count=1)
    with pytest.MonkeyPatch.context() as monkeypatch:
        repository = Repository(tmp_path_factory.mktemp("book"), monkeypatch)
        path = repository.chapter()
        nbformat.write(new_notebook(metadata=KERNEL, cells=cells), path)
        repository.execute(path)
        (execution,) = repository.cache.glob("executions/*/*.jsonl")
        yield repository.root, execution


@pytest.fixture
def nbval(book: tuple[Path, Path], pytester: pytest.Pytester):
    """Run nbval on the book, after a change that is undone."""
    root, _ = book
    undo = {}

    def run(path: Path = root / "llmlab" / "__init__.py", text: str = "") -> pytest.RunResult:
        undo[path] = path.read_text("utf-8")
        path.write_text(text, "utf-8")
        command = ["--nbval-lax", "-p", "tests.executed", "-p", "no:cacheprovider"]
        return pytester.runpytest(*command, f"--rootdir={root}", root / "notebooks")

    yield run
    for path, text in undo.items():
        path.write_text(text, "utf-8")


def with_execution(path: Path, cell: int, *outputs: nbformat.NotebookNode) -> str:
    header, content = path.read_text("utf-8").splitlines()
    content = json.loads(content)
    content["cells"][cell][1] = outputs
    return f"{header}\n{json.dumps(content)}\n"


def with_outputs(path: Path, cell: int, *outputs: nbformat.NotebookNode) -> str:
    notebook = json.loads(path.read_text("utf-8"))
    notebook["cells"][cell]["outputs"] = outputs
    return json.dumps(notebook)


def test_passes_what_agrees(nbval) -> None:
    nbval().assert_outcomes(passed=3)


def test_a_tampered_reference_fails(book: tuple[Path, Path], nbval) -> None:
    path = book[0] / "notebooks" / "01_a.ipynb"
    seven = new_output("stream", name="stdout", text="six is 7\n")
    result = nbval(path, with_outputs(path, 1, seven))
    result.assert_outcomes(passed=2, failed=1)
    result.stdout.fnmatch_lines(["*Cell 1: Cell outputs differ*"])


def test_another_execution_fails(book: tuple[Path, Path], nbval) -> None:
    path = book[1]
    result = nbval(path, with_execution(path, 1, SIX, SIX))
    result.assert_outcomes(passed=2, failed=1)
    result.stdout.fnmatch_lines(["*Cell 1: Cell outputs differ*"])


def test_an_error_fails_in_any_cell(book: tuple[Path, Path], nbval) -> None:
    path = book[1]
    result = nbval(path, with_execution(path, 2, SIX, FAILURE))
    result.assert_outcomes(passed=2, failed=1)
    result.stdout.fnmatch_lines(["*Cell 2: Cell execution caused an exception*", "seven, not six"])


def test_a_stale_execution_fails_in_one_sentence(nbval) -> None:
    result = nbval(text="changed = True\n")
    result.assert_outcomes(errors=1)
    sentence = "notebooks/01_a.ipynb is not executed as it stands: run make book."
    assert result.outlines.count(sentence) == 1
