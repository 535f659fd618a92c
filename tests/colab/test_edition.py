"""Every notebook of the Colab edition runs in a clean folder, beside the packages of Colab."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import nbformat
import pytest
from llmlab_site.edition import Edition

from .environment import MISSING, Colab

CHAPTERS = sorted(
    path.stem for path in (Path(__file__).parents[2] / "notebooks").glob("[0-9]*.ipynb")
)
KERNEL = {"kernelspec": {"name": "python3", "display_name": "Python 3"}}
WIDGETS = "application/vnd.jupyter.widget-state+json"

# A function, because the chapter may have used any name for something else.
PROBE = """
def probe():
    import json, os, sys, IPython, ipywidgets, llmlab
    path = [os.path.abspath(folder) for folder in sys.path]
    return json.dumps([llmlab.__file__, path, IPython.__version__, ipywidgets.__version__])

print(probe())
"""

GRADING = """
import numpy as np
from llmlab.exercises import all_exercises, check

for exercise in all_exercises():
    names = {"np": np}
    exec(exercise.solution, names)
    print(exercise.id, check(exercise.id, names[exercise.function]).status)
"""

MISTAKE = """\
def softmax(x):
    weights = np.exp(x)
    return weights / weights.total()

check("attention.softmax", softmax)
"""


def read(edition: Path, chapter: str) -> nbformat.NotebookNode:
    return nbformat.read(edition / "notebooks" / f"{chapter}.ipynb", as_version=4)


@pytest.fixture
def first_cell(edition: Path) -> str:
    """The source of the cell that installs the package."""
    return read(edition, CHAPTERS[0]).cells[0].source


@pytest.fixture(scope="session")
def runs(
    colab: Colab,
    edition: Path,
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[dict[str, Future[nbformat.NotebookNode]]]:
    """The runs of all chapters that are to be tested, two at a time."""
    parameters = [item.callspec.params for item in request.session.items if has_parameters(item)]
    chapters = [each["chapter"] for each in parameters]
    install = read(edition, CHAPTERS[0]).cells[0].source
    colab.run("-c", install, cwd=edition, check=True)  # two at once would be in each other's way

    def run(chapter: str) -> nbformat.NotebookNode:
        notebook = read(edition, chapter)
        notebook.cells.append(nbformat.v4.new_code_cell(PROBE))
        return execute(colab, notebook, tmp_path_factory.mktemp(chapter), threads=1)

    with ThreadPoolExecutor(max_workers=2) as pool:
        yield {chapter: pool.submit(run, chapter) for chapter in chapters}


def has_parameters(item: pytest.Item) -> bool:
    return hasattr(item, "callspec")


def execute(
    colab: Colab, notebook: nbformat.NotebookNode, folder: Path, threads: int = 2
) -> nbformat.NotebookNode:
    """Run a notebook in ``folder``, as the weekly check does in Colab's own image."""
    nbformat.write(notebook, folder / "notebook.ipynb")
    command = ["-m", "nbconvert", "--to=notebook", "--execute", "--output=executed"]
    timeout = "--ExecutePreprocessor.timeout=600"
    outcome = colab.run(*command, timeout, "notebook.ipynb", cwd=folder, threads=threads)
    assert not outcome.returncode, outcome.stderr[-6000:]
    return nbformat.read(folder / "executed.ipynb", as_version=4)


def printed(cell: nbformat.NotebookNode) -> str:
    return "".join(output.get("text", "") for output in cell.outputs)


def test_the_first_cell_changes_nothing_that_colab_has(
    colab: Colab, first_cell: str, tmp_path: Path
) -> None:
    before = colab.packages()
    outcome = colab.run("-c", first_cell, cwd=tmp_path)
    assert not outcome.returncode, outcome.stderr
    assert re.fullmatch(r"LLM Lab is installed, at commit [0-9a-f]{7}\.\n", outcome.stdout)
    assert outcome.stderr == ""
    after = colab.packages()
    assert {name: after.get(name) for name in before} == before
    assert set(after) - set(before) == MISSING | {"llmlab"}


def test_the_first_cell_does_nothing_the_second_time(
    colab: Colab, first_cell: str, tmp_path: Path
) -> None:
    colab.run("-c", first_cell, cwd=tmp_path, check=True)
    without_pip = f"import subprocess\nsubprocess.run = None\n{first_cell}"
    colab.run("-c", without_pip, cwd=tmp_path, check=True)


def test_the_first_cell_says_in_a_sentence_why_it_failed(
    colab: Colab, repository: tuple[str, str], tmp_path: Path
) -> None:
    edition = Edition(repository[0], "0" * 40)
    install = edition.notebook(nbformat.v4.new_notebook(), "", {}).cells[0].source
    outcome = colab.run("-c", install, cwd=tmp_path)
    last = outcome.stderr.splitlines()[-1]
    assert last.startswith(f"RuntimeError: LLM Lab was not installed from {edition.repository} at")
    assert "not our ref" in last


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_a_chapter_runs(
    chapter: str, colab: Colab, edition: Path, runs: dict[str, Future[nbformat.NotebookNode]]
) -> None:
    cells = read(edition, chapter).cells
    outputs = [output for cell in cells for output in cell.get("outputs", [])]
    views = sum(
        "view appears" in output.get("data", {}).get("text/plain", "") for output in outputs
    )
    executed = runs[chapter].result()
    package, path, ipython, ipywidgets = json.loads(printed(executed.cells[-1]))
    assert package.startswith(str(colab.folder))
    assert [folder for folder in path if (Path(folder) / "llmlab").is_dir()] == [
        str(Path(package).parents[1])
    ]
    assert (ipython, ipywidgets) == ("7.34.0", "7.7.1")
    states = executed.metadata.widgets[WIDGETS]["state"].values()
    scripts = [state["state"]["_esm"] for state in states if "_esm" in state["state"]]
    assert len(scripts) == views > 0
    assert all("render" in script for script in scripts)


def test_exercises_are_graded(colab: Colab, first_cell: str, tmp_path: Path) -> None:
    cells = [nbformat.v4.new_code_cell(source) for source in (first_cell, GRADING, MISTAKE)]
    executed = execute(colab, nbformat.v4.new_notebook(cells=cells, metadata=KERNEL), tmp_path)
    _, grading, mistake = executed.cells
    verdicts = dict(line.rsplit(" ", 1) for line in printed(grading).splitlines())
    assert len(verdicts) > 10
    assert set(verdicts.values()) == {"passed"}
    (verdict,) = mistake.outputs
    assert "Line 3, `return weights / weights.total()`, asks for" in verdict.data["text/plain"]
    assert "<strong>Failed</strong>" in verdict.data["text/html"]
