"""Run records for the chapter on pretraining: what its notebook measures, with other seeds.

python records/03_pretraining/make.py          every record, about 10 minutes on 2 cores
python records/03_pretraining/make.py gpt-1    those whose name begins so
"""

from __future__ import annotations

from llmlab.commands.recording import make_records


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


RECORDS = {
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

if __name__ == "__main__":
    make_records(__file__, RECORDS)
