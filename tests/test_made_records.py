"""Every stored record of a chapter is one that its make.py makes, from names its notebook has."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import pytest

from llmlab.commands.recording import definitions, make_records
from llmlab.training import Run, TrainConfig

ROOT = Path(__file__).parents[1]
SCRIPTS = sorted(ROOT.glob("records/*/make.py"))


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.parent.name)
def test_what_is_stored_is_what_is_made(script):
    spec = importlib.util.spec_from_file_location("make", script)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    stored = {path.stem for path in script.parent.glob("*.jsonl")}
    assert set(module.RECORDS) == stored
    assert (ROOT / "notebooks" / f"{script.parent.name}.ipynb").is_file()


def test_records_are_made_from_the_notebooks_definitions(tmp_path, monkeypatch):
    cells = [
        {
            "cell_type": "code",
            "id": "a",
            "metadata": {"tags": ["definitions"]},
            "source": "two = 2",
        },
        {"cell_type": "code", "id": "b", "metadata": {}, "source": "raise RuntimeError"},
    ]
    notebook = tmp_path / "notebooks" / "04_topic.ipynb"
    notebook.parent.mkdir()
    notebook.write_text(json.dumps({"cells": cells}))
    assert definitions(notebook)["two"] == 2

    folder = tmp_path / "records" / "04_topic"
    folder.mkdir(parents=True)

    def run(names: dict) -> Run:
        lines = [{"step": step, "loss": names["two"] / step} for step in range(1, 24)]
        return Run(TrainConfig(23), name="run", lines=lines)

    monkeypatch.setattr("sys.argv", ["make.py", "run"])
    make_records(str(folder / "make.py"), {"run-0": run, "other-0": run})
    assert [path.name for path in folder.iterdir()] == ["run-0.jsonl"]
    kept = Run.load(folder / "run-0.jsonl")
    assert [line["step"] for line in kept.lines] == [10, 20, 23]
    assert kept.lines[0]["loss"] == 0.2
