"""Notebooks are executed once, again when they must be, and their failures are named."""

from __future__ import annotations

import sys
import warnings
from pathlib import Path

import nbformat
import pytest
from llmlab_site.dependencies import _part_hash
from llmlab_site.execution import NotebookFailed, execute_notebooks

KERNEL = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}

# jupyter-cache and the kernel's client leave sockets and databases to the garbage collector
pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "llmlab").mkdir()
    (tmp_path / "llmlab" / "__init__.py").write_text("")
    (tmp_path / "requirements.txt").write_text("numpy==1.0\n")
    return tmp_path


def write(root: Path, *sources: str, prose: str = "# A") -> Path:
    notebook = nbformat.v4.new_notebook(metadata=KERNEL)
    notebook.cells = [nbformat.v4.new_markdown_cell(prose, id="prose")]
    for number, source in enumerate(sources):
        notebook.cells.append(nbformat.v4.new_code_cell(source, id=f"code-{number}"))
    path = root / "notebooks" / "01_a.ipynb"
    nbformat.write(notebook, path)
    return path


def run(root: Path, path: Path) -> str:
    _part_hash.cache_clear()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        executed = execute_notebooks([path], root, root / "cache")
    outputs = nbformat.read(executed["notebooks/01_a"], as_version=4).cells[-1].outputs
    return "".join(output.get("text", "") for output in outputs)


def test_executes_once_and_again_only_when_it_must(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = "import llmlab, time; print(time.time_ns())"
    first = run(root, write(root, code))
    assert run(root, write(root, code, prose="# Another sentence")) == first
    assert "unchanged" in capsys.readouterr().out
    (root / "llmlab" / "__init__.py").write_text("changed = True\n")
    assert run(root, write(root, code)) != first


def test_failure_names_notebook_cell_and_cause(root: Path) -> None:
    path = write(root, "print(1)", "shapes = None\nshapes.wrong")
    with pytest.raises(NotebookFailed) as caught:
        run(root, path)
    message = str(caught.value)
    assert message.startswith("notebooks/01_a.ipynb, cell 3 of 3 ('shapes = None')")
    assert "raised AttributeError: 'NoneType' object has no attribute 'wrong'" in message
    assert "shapes.wrong" in message.split("\n\n", 1)[1]


@pytest.mark.skipif(sys.platform == "win32", reason="has no SIGINT to send")
def test_ctrl_c_interrupts(root: Path) -> None:
    parent = "import os, signal, time\nos.kill(os.getppid(), signal.SIGINT)\ntime.sleep(60)"
    with pytest.raises(KeyboardInterrupt):
        run(root, write(root, parent))


def test_a_dead_kernel_is_named(root: Path) -> None:
    path = write(root, "import os\nos._exit(1)")
    with pytest.raises(NotebookFailed, match="kernel died"):
        run(root, path)
