"""Run records for the chapter on pretraining: what its notebook measures, with other seeds.

    python records/03_pretraining.py          every record, about 10 minutes on 2 cores
    python records/03_pretraining.py gpt-1    those whose name begins so

The functions are the notebook's own: its cells tagged "definitions" are executed here, so a record
cannot drift away from the text that quotes it. A record keeps every tenth step.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
NOTEBOOK = REPOSITORY / "notebooks" / "03_pretraining.ipynb"
FOLDER = REPOSITORY / "records" / "03_pretraining"


def definitions() -> dict:
    """The names that the notebook's definitions define."""
    names: dict = {"__name__": "notebook"}
    for cell in json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]:
        if "definitions" in cell["metadata"].get("tags", ()):
            exec(compile("".join(cell["source"]), cell["id"], "exec"), names)
    return names


def gpt(names: dict, seed: int):
    """The chapter's GPT, with its errors by horizon and its probes in the last line."""
    model, run = names["train_gpt"](seed, names["tokenizer"], names["ids"])
    free = names["horizon_errors"](model, seed)[1]
    run.lines[-1].update(free_1=float(free[0]), free_20=float(free[19]))
    run.lines[-1].update(names["probe_accuracies"](model))
    return run


def vocabulary(names: dict, size: int | str, seed: int):
    """The same model and number of steps with another tokenizer, scored by the character."""
    tokenizer = names["characters"] if size == "char" else names["tokenizers"][size]
    ids = names["torch"].tensor(tokenizer.encode(names["text"]))
    name = "characters" if size == "char" else f"{size} tokens"
    return names["train_gpt"](seed, tokenizer, ids, name=name)[1]


def bert(names: dict, rate: int, seed: int):
    """The chapter's BERT with ``rate`` percent of the tokens hidden."""
    return names["train_bert"](seed, rate / 100, name=f"{rate} % hidden")[1]


RECORDS: dict[str, Callable] = {
    **{f"gpt-{seed}": lambda n, s=seed: gpt(n, s) for seed in (1, 2)},
    **{
        f"bert-{rate}-{seed}": lambda n, r=rate, s=seed: bert(n, r, s)
        for seed in (1, 2)
        for rate in (15, 40, 80)
    },
    **{
        f"vocabulary-{size}-{seed}": lambda n, v=size, s=seed: vocabulary(n, v, s)
        for seed in (1,)
        for size in ("char", 2048)
    },
}


def main(prefix: str = "") -> None:
    """Make the records whose name begins with ``prefix``."""
    names = definitions()
    FOLDER.mkdir(exist_ok=True)
    for name, make in RECORDS.items():
        if name.startswith(prefix):
            run = make(names)
            last = run.lines[-1]
            run.lines = [line for line in run.lines if line["step"] % 10 == 0 or line is last]
            run.save(FOLDER / f"{name}.jsonl")
            print(name, {key: round(value, 3) for key, value in last.items()}, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:2])
