"""The exercises in the notebooks are the exercises of the package, word for word."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from llmlab.exercises import exercise

NOTEBOOKS = sorted((Path(__file__).parents[2] / "notebooks").glob("[0-9][0-9]_*.ipynb"))


def text(cell: dict) -> str:
    return "".join(cell["source"])


def problems(cells: list[dict]) -> list[str]:
    """What is wrong with the exercise cells of a notebook, one sentence each."""
    found = []
    for number, cell in enumerate(cells):
        tagged = "exercise" in cell.get("metadata", {}).get("tags", ())
        checked = cell["cell_type"] == "code" and re.search(
            r'^check\(\s*["\']([\w.]+)', text(cell), re.M
        )
        if tagged != bool(checked):
            found.append(f"cell {number}: the tag `exercise` and a check(...) line go together.")
        if not checked:
            continue
        prompt, starter, solution = exercise(checked[1]).cells()
        for name, wanted, at in (
            ("prompt", prompt, number - 1),
            ("starter", starter, number),
            ("solution", solution, number + 1),
        ):
            there = 0 <= at < len(cells) and cells[at]["cell_type"] == wanted["cell_type"]
            if not there or text(cells[at]) != wanted["source"]:
                found.append(f"cell {at}: not the {name} of {checked[1]}; see Exercise.cells().")
    return found


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_holds_the_definitions(path):
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    assert not problems(cells)
    ids = re.findall(r'^check\(\s*["\']([\w.]+)', "\n".join(map(text, cells)), re.M)
    assert len(ids) == len(set(ids)), "an exercise stands in the notebook twice"


def test_problems_are_found():
    cells = exercise("attention.softmax").cells()
    assert not problems(cells)
    assert problems([{**cells[0], "source": "Do it."}, *cells[1:]])
    assert problems([cells[0], {**cells[1], "source": cells[1]["source"] + "\n"}, cells[2]])
    assert problems([cells[0], {**cells[1], "metadata": {}}, cells[2]])
    assert problems(cells[:2])
    assert problems([cells[0], {**cells[1], "source": "x = 1"}, cells[2]])
    split = [{**cell, "source": cell["source"].splitlines(True)} for cell in cells]
    assert not problems(split)
