"""The chapters as files: clean, tagged, short. The build runs their code, and nbval compares it."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import nbformat
import pytest
import yaml

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
TAGS = {"definitions", "exercise", "hide-input", "remove-input", "nbval-check-output", "opening"}
WIDEST = 80  # characters of a line of code: what the column of a page holds
LONGEST = 25  # lines of a code cell that a reader takes in at once; folded cells may be longer

every_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def code_cells(path: Path) -> list[nbformat.NotebookNode]:
    return [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]


def test_every_notebook_is_in_the_table_of_contents() -> None:
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text())
    listed = [chapter["file"] for part in toc["parts"] for chapter in part["chapters"]]
    assert [f"notebooks/{path.stem}" for path in NOTEBOOKS] == [
        name for name in listed if name.startswith("notebooks/")
    ]


@every_notebook
def test_is_valid_and_uses_the_plain_kernel(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    assert notebook.metadata.kernelspec.name == "python3"
    assert set(notebook.metadata) <= {"kernelspec", "language_info"}
    ids = [cell.id for cell in notebook.cells]
    assert len(ids) == len(set(ids))


@every_notebook
def test_holds_no_outputs_but_the_compared_ones(path: Path) -> None:
    for number, cell in enumerate(code_cells(path), start=1):
        if "nbval-check-output" not in cell.metadata.get("tags", []):
            assert cell.execution_count is None, f"code cell {number}: run nbstripout"
            assert not cell.outputs, f"code cell {number}: run nbstripout"


@every_notebook
def test_compared_cells_hold_their_output(path: Path) -> None:
    for number, cell in enumerate(code_cells(path), start=1):
        if "nbval-check-output" in cell.metadata.get("tags", []):
            assert cell.outputs, f"code cell {number} has no output to compare with"
            # nbval takes a cell without a count for one that was never run
            assert cell.execution_count, f"code cell {number} needs an execution count"


@every_notebook
def test_tags_are_known(path: Path) -> None:
    for cell in nbformat.read(path, as_version=4).cells:
        assert set(cell.metadata.get("tags", [])) <= TAGS


@every_notebook
def test_code_cells_are_short(path: Path) -> None:
    long = {
        cell.source.splitlines()[0]: len(cell.source.splitlines())
        for cell in code_cells(path)
        if len(cell.source.splitlines()) > LONGEST
        and "hide-input" not in cell.metadata.get("tags", [])
    }
    assert not long, f"cells of more than {LONGEST} lines: {long}"


@every_notebook
def test_code_fits_the_column(path: Path) -> None:
    """But for exercises, which stand in an editor there."""
    cells = [cell for cell in code_cells(path) if "exercise" not in cell.metadata.get("tags", [])]
    lines = [line for cell in cells for line in cell.source.splitlines()]
    assert [line for line in lines if len(line) > WIDEST] == []


@every_notebook
def test_cards_and_figures_stand_alone(path: Path) -> None:
    """What only settles, draws or asks is folded away under what it shows."""
    makes = re.compile(r"\b(settle|new_figure|Quiz)\(")
    made = [cell for cell in code_cells(path) if makes.search(cell.source)]
    assert made
    assert [cell.id for cell in made if "hide-input" not in cell.metadata.get("tags", [])] == []


@every_notebook
def test_figures_have_captions(path: Path) -> None:
    calls = [
        call
        for cell in code_cells(path)
        for call in ast.walk(ast.parse(cell.source))
        if isinstance(call, ast.Call) and getattr(call.func, "id", "") == "show"
    ]
    assert calls
    bare = [call for call in calls if "caption" not in {word.arg for word in call.keywords}]
    assert [ast.unparse(call)[:60] for call in bare] == []


@every_notebook
def test_opens_with_one_title(path: Path) -> None:
    cells = nbformat.read(path, as_version=4).cells
    assert cells[0].cell_type == "markdown"
    assert cells[0].source.startswith("# ")
    prose = [line for c in cells if c.cell_type == "markdown" for line in outside_fences(c.source)]
    assert sum(line.startswith("# ") for line in prose) == 1


def outside_fences(source: str) -> list[str]:
    lines, fenced = [], False
    for line in source.splitlines():
        if line.lstrip().startswith("```"):
            fenced = not fenced
        elif not fenced:
            lines.append(line)
    return lines
