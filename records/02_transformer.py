"""Run records for the chapter on the transformer: its ablations, trained with two more seeds.

    python records/02_transformer.py      all twelve, about two minutes on 2 cores

What is trained is defined in the notebook: its cells tagged "definitions" are executed here, so a
record cannot drift away from the text that quotes it. A record keeps every tenth step.
"""

from __future__ import annotations

import json
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
NOTEBOOK = REPOSITORY / "notebooks" / "02_transformer.ipynb"
FOLDER = REPOSITORY / "records" / "02_transformer"
SEEDS = (1, 2)  # the notebook itself trains seed 0
INGREDIENTS = (None, "attention", "feed-forward", "residuals", "norms", "position")


def definitions() -> dict:
    """The names that the notebook's cells tagged "definitions" define."""
    names: dict = {"__name__": "notebook"}
    for cell in json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]:
        if "definitions" in cell["metadata"].get("tags", ()):
            exec(compile("".join(cell["source"]), cell["id"], "exec"), names)
    return names


def main() -> None:
    """Train every ablation with every seed and keep its record."""
    fit = definitions()["fit"]
    FOLDER.mkdir(exist_ok=True)
    for ingredient in INGREDIENTS:
        for seed in SEEDS:
            run = fit(ingredient, seed)[1]
            run.lines = [line for line in run.lines if line["step"] % 10 == 0]
            path = FOLDER / f"{run.name.replace(' ', '-')}-{seed}.jsonl"
            run.save(path)
            print(path.name, round(run.final("validation_loss"), 3), flush=True)


if __name__ == "__main__":
    main()
