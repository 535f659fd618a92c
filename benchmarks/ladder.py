"""What each part of the preset ``shakespeare-char-fast`` is worth: change it, and train again.

    python benchmarks/ladder.py --text tinyshakespeare.txt
    python benchmarks/ladder.py --show

Every rung sees as many characters as the preset and differs from it in one thing. The table gives
the loss over the full validation split and the time. The records of all runs go to
``records/ladder``, every tenth step of them; ``--show`` prints the table of those that are there.
"""

from __future__ import annotations

import argparse
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from nanogpt_recipe import prepare, validation_loss
from torch import nn
from torch._inductor.utils import fresh_cache

from llmlab.analysis.ladder import WHOLE, rungs
from llmlab.data import RandomWindows
from llmlab.display.cards.tables import ladder_table
from llmlab.models import FastGPT, build
from llmlab.models.feed_forward import gelu
from llmlab.models.gpt import normal_weights
from llmlab.training import Run, causal_loss, recorded_runs, set_seed, train
from llmlab.training.presets import Preset, shakespeare_char_cpu, shakespeare_char_fast

RECORDS = Path(__file__).parents[1] / "records" / "ladder"


def without_convolution(model: FastGPT) -> None:
    """The first block sees single tokens."""
    model.convolution = nn.Identity()


def without_query_key_norm(model: FastGPT) -> None:
    """Queries and keys are turned as they come."""
    for block in model.blocks:
        block.attention.query_norm = block.attention.key_norm = None


def without_cap(model: FastGPT) -> None:
    """Logits go as far as they like."""
    model.logits = model.head.logits


def with_gelu(model: FastGPT) -> None:
    """GPT-2's activation in the feed-forward layers."""
    for block in model.blocks:
        block.feed_forward.activation = gelu


def with_small_random_weights(model: FastGPT) -> None:
    """GPT-2's initialisation: nothing starts at zero."""
    model.apply(normal_weights)


def without_the_small_four(model: FastGPT) -> None:
    """These four changes together."""
    for change in (without_query_key_norm, without_cap, with_gelu, with_small_random_weights):
        change(model)


@dataclass(frozen=True)
class Variant:
    """A change of the model after it is built, and other settings."""

    change: Callable[[FastGPT], None] = lambda model: None
    model: dict[str, Any] = field(default_factory=dict)
    train: dict[str, Any] = field(default_factory=dict)
    recipe: dict[str, Any] = field(default_factory=dict)


VARIANTS = {
    WHOLE: Variant(),
    "no short convolution": Variant(without_convolution),
    "no query-key norm": Variant(without_query_key_norm),
    "no cap on the logits": Variant(without_cap),
    "GELU for squared ReLU": Variant(with_gelu),
    "GPT-2's initialisation": Variant(with_small_random_weights),
    "GELU, no norm, no cap, no zeros": Variant(without_the_small_four),
    "AdamW for Muon": Variant(train={"optimizer": "adamw", "learning_rate": 3e-3}),
    "Lion for Muon": Variant(train={"optimizer": "lion", "learning_rate": 5e-4}),
    "cosine for trapezoid": Variant(train={"schedule": "cosine"}),
    "two layers for one": Variant(model={"layers": 2}),
    "half the batch, twice the steps": Variant(recipe={"batch_size": 6}, train={"steps": 640}),
    "twice the batch, half the steps": Variant(recipe={"batch_size": 24}, train={"steps": 160}),
    "bfloat16 for float32": Variant(train={"precision": "bf16"}),
    "compiled": Variant(train={"compile": True}),
}
START = "nanoGPT's recipe, as many steps"


class Text:
    """The splits of the text, as tokens."""

    def __init__(self, path: Path) -> None:
        self.train, self.validation, self.vocab_size = prepare(path)


def climb(name: str, variant: Variant, text: Text, seed: int) -> Run:
    """Train one variant with one seed."""
    recipe = shakespeare_char_fast()
    recipe = replace(recipe, model={**recipe.model, **variant.model}, **variant.recipe)
    set_seed(seed)
    model = build(recipe.model_config(text.vocab_size))
    variant.change(model)
    return run(name, model, recipe, {"seed": seed, **variant.train}, text)


def start(text: Text, seed: int) -> Run:
    """nanoGPT's recipe, stopped after as many steps: where the ladder stands."""
    recipe = shakespeare_char_cpu()
    steps = shakespeare_char_fast().train.steps
    set_seed(seed)
    model = build(recipe.model_config(text.vocab_size))
    return run(START, model, recipe, {"seed": seed, "steps": steps, "warmup": steps // 20}, text)


def run(name: str, model: nn.Module, recipe: Preset, settings: dict[str, Any], text: Text) -> Run:
    """Train, measure the loss, and thin the record."""
    settings = replace(recipe.train, **settings)
    batches = RandomWindows(text.train, recipe.context, recipe.batch_size, settings.seed)
    torch.compiler.reset()
    start = time.perf_counter()
    with fresh_cache():  # a compilation is paid in full by every run
        done = train(model, batches, causal_loss, settings, name=name, progress=False)
    done.lines[-1]["wall_seconds"] = time.perf_counter() - start
    done.lines[-1]["validation_loss"] = validation_loss(model, text.validation, recipe.context)
    done.lines = [line for line in done.lines if line["step"] % 10 == 0]
    return done


def file_name(name: str, seed: int) -> str:
    """Of the record of a rung."""
    return f"{re.sub('[^a-z0-9]+', '-', name.lower())}-{seed}.jsonl"


def measure(path: Path, seeds: int) -> None:
    """Train every rung with every seed; the seeds take turns, so that a busy hour hits them all."""
    text = Text(path)
    for seed in range(seeds):
        for name, variant in VARIANTS.items():
            climb(name, variant, text, seed).save(RECORDS / file_name(name, seed))
            print(f"{name}, seed {seed}: done", flush=True)
        start(text, seed).save(RECORDS / file_name(START, seed))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--text", type=Path, help="tiny Shakespeare, one text file")
    what.add_argument("--show", action="store_true", help="print the table, and measure nothing")
    parser.add_argument("--seeds", type=int, default=3)
    arguments = parser.parse_args()
    if arguments.text:
        RECORDS.mkdir(parents=True, exist_ok=True)
        measure(arguments.text, arguments.seeds)
    print(ladder_table(rungs(recorded_runs(RECORDS.name))))


if __name__ == "__main__":
    main()
