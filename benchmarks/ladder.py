"""What each part of the preset ``shakespeare-char-fast`` is worth: leave it out, and train again.

    python benchmarks/ladder.py --text tinyshakespeare.txt

Every rung trains as many steps on the same batches; it differs in one part. The table gives the
loss over the full validation split, averaged over the seeds, and the median time of a step. The
records of all runs go to ``records/ladder``.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy
import torch
from nanogpt_recipe import prepare, seconds_per_step, validation_loss
from torch import nn

from llmlab.data import RandomWindows
from llmlab.models import GPT, FastGPT, GPTConfig, Rotary, build
from llmlab.models.feed_forward import gelu
from llmlab.models.gpt import normal_weights
from llmlab.training import Run, causal_loss, set_seed, train
from llmlab.training.presets import shakespeare_char_cpu, shakespeare_char_fast

RECORDS = Path(__file__).parents[1] / "records" / "ladder"


def without_convolution(model: FastGPT) -> None:
    """The first block sees single tokens."""
    model.convolution = nn.Identity()


def without_query_key_norm(model: FastGPT) -> None:
    """Queries and keys are turned as they come."""
    for block in model.blocks:
        block.attention.position = Rotary(len(block.attention.position.cos[0]) * 2, 64)


def with_gelu(model: FastGPT) -> None:
    """GPT-2's bend in the feed-forward layers."""
    for block in model.blocks:
        block.feed_forward.activation = gelu


def with_small_random_weights(model: FastGPT) -> None:
    """GPT-2's initialisation: nothing starts at zero."""
    model.apply(normal_weights)


@dataclass(frozen=True)
class Rung:
    """One variant: a change of the model after it is built, and other settings."""

    change: Callable[[FastGPT], None] = lambda model: None
    train: dict[str, Any] = field(default_factory=dict)
    model: dict[str, Any] = field(default_factory=dict)


RUNGS = {
    "everything": Rung(),
    "no short convolution": Rung(without_convolution),
    "no query-key norm": Rung(without_query_key_norm),
    "GELU for squared ReLU": Rung(with_gelu),
    "GPT-2's initialisation": Rung(with_small_random_weights),
    "AdamW for Muon": Rung(train={"optimizer": "adamw", "learning_rate": 3e-3}),
    "Lion for Muon": Rung(train={"optimizer": "lion", "learning_rate": 5e-4}),
    "cosine for trapezoid": Rung(train={"schedule": "cosine"}),
    "four layers": Rung(model={"layers": 4}),
}


class Text:
    """The splits of the text, as tokens."""

    def __init__(self, path: Path) -> None:
        self.train, self.validation, self.vocab_size = prepare(path)


def climb(rung: Rung, text: Text, seed: int) -> Run:
    """Train one rung with one seed."""
    recipe = shakespeare_char_fast()
    settings = replace(recipe.train, seed=seed, **rung.train)
    set_seed(seed)
    sizes = {**recipe.model, **rung.model}
    model = build(replace(recipe, model=sizes).model_config(text.vocab_size))
    rung.change(model)
    batches = RandomWindows(text.train, recipe.context, recipe.batch_size, seed)
    run = train(model, batches, causal_loss, settings, progress=False)
    run.lines[-1]["validation_loss"] = validation_loss(model, text.validation, recipe.context)
    return run


def start(text: Text, seed: int) -> Run:
    """nanoGPT's recipe, stopped after as many steps: where the ladder stands."""
    recipe = shakespeare_char_cpu()
    steps = shakespeare_char_fast().train.steps
    settings = replace(recipe.train, seed=seed, steps=steps, warmup=steps // 20)
    set_seed(seed)
    config: GPTConfig = recipe.model_config(text.vocab_size)
    model = GPT(config)
    batches = RandomWindows(text.train, recipe.context, recipe.batch_size, seed)
    run = train(model, batches, causal_loss, settings, progress=False)
    run.lines[-1]["validation_loss"] = validation_loss(model, text.validation, recipe.context)
    return run


def report(name: str, runs: list[Run], whole: float | None) -> float:
    """Print a line of the table and return the mean loss."""
    losses = [run.final("validation_loss") for run in runs]
    mean = float(numpy.mean(losses))
    gap = "" if whole is None else f"{mean - whole:+.3f}"
    pace = 1e3 * float(numpy.median([seconds_per_step(run) for run in runs]))
    print(f"| {name} | {mean:.3f} | {min(losses):.3f} to {max(losses):.3f} | {gap} | {pace:.0f} |")
    return mean


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--text", type=Path, required=True, help="tiny Shakespeare, one text file")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--records", type=Path, default=RECORDS)
    arguments = parser.parse_args()
    text, whole = Text(arguments.text), None
    arguments.records.mkdir(parents=True, exist_ok=True)
    print(f"{torch.get_num_threads()} threads, PyTorch {torch.__version__}\n")
    print("| rung | loss (nats) | over seeds | against everything | ms a step |")
    print("|---|---|---|---|---|")
    for name, rung in RUNGS.items():
        runs = [climb(rung, text, seed) for seed in range(arguments.seeds)]
        mean = report(name, runs, whole)
        whole = mean if whole is None else whole
        for seed, run in enumerate(runs):
            run.save(arguments.records / f"{name.replace(' ', '-').lower()}-{seed}.jsonl")
    report(
        "nanoGPT's recipe, as many steps", [start(text, s) for s in range(arguments.seeds)], whole
    )


if __name__ == "__main__":
    main()
