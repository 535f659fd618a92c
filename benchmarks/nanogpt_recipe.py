"""Our side of nanoGPT's published CPU recipe: character-level Shakespeare, 4 layers, width 128.

    python benchmarks/nanogpt_recipe.py --text tinyshakespeare.txt
    python benchmarks/nanogpt_recipe.py --text tinyshakespeare.txt --preset shakespeare-char-fast

``--text`` is the 1,115,394-character file that nanoGPT's ``data/shakespeare_char`` uses: the first
90 % trains, the last 10 % validates. nanoGPT reports a validation loss of 1.88 nats per character
after 2,000 steps, estimated on random batches; here it is computed over the full validation split.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path

import numpy
import torch

from llmlab.data import CharTokenizer, RandomWindows, SequentialWindows
from llmlab.models import build
from llmlab.training import Run, causal_loss, set_seed, train
from llmlab.training.presets import Preset, preset


def prepare(path: Path) -> tuple[torch.Tensor, torch.Tensor, int]:
    """The tokens of the two splits, and the size of the vocabulary."""
    text = path.read_text(encoding="utf-8")
    tokenizer = CharTokenizer.train(text)
    tokens = torch.tensor(tokenizer.encode(text))
    first = int(0.9 * len(tokens))
    return tokens[:first], tokens[first:], tokenizer.vocab_size


@torch.no_grad()
def validation_loss(model: torch.nn.Module, tokens: torch.Tensor, context: int) -> float:
    """The mean loss over every token after the first, in nats."""
    total = count = 0.0
    for batch in SequentialWindows(tokens, context, batch_size=256):
        loss, metrics = causal_loss(model, batch)
        total += float(loss) * int(metrics["weight"])
        count += int(metrics["weight"])
    return total / count


def seconds_per_step(run: Run) -> float:
    """The median over the steps; the first twenty, which warm up caches, are left out."""
    return float(numpy.median(numpy.diff(run.column("seconds")[1])[20:]))


def measure(recipe: Preset, path: Path, record: Path | None) -> dict[str, float]:
    """Train by the recipe and return what the comparison needs."""
    train_tokens, validation_tokens, vocab_size = prepare(path)
    set_seed(recipe.train.seed)
    model = build(recipe.model_config(vocab_size))
    batches = RandomWindows(train_tokens, recipe.context, recipe.batch_size, recipe.train.seed)
    run = train(model, batches, causal_loss, recipe.train, name=recipe.name)
    loss = validation_loss(model, validation_tokens, recipe.context)
    run.lines[-1]["validation_loss"] = loss
    if record is not None:
        run.save(record)
    return {
        "parameters": run.parameters,
        "steps": run.step,
        "seconds": run.final("seconds"),
        "seconds_per_step": seconds_per_step(run),
        "validation_loss": loss,
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--text", type=Path, required=True, help="tiny Shakespeare, one text file")
    parser.add_argument(
        "--preset",
        default="shakespeare-char-cpu",
        help="or shakespeare-char-fast, to the same loss",
    )
    parser.add_argument("--steps", type=int, help="fewer steps, for a quick look")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, help="CPU threads (default: PyTorch's choice)")
    parser.add_argument("--record", type=Path, help="write the run record here")
    arguments = parser.parse_args()
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    recipe = preset(arguments.preset)
    steps = arguments.steps or recipe.train.steps
    settings = replace(recipe.train, steps=steps, seed=arguments.seed)
    figures = measure(replace(recipe, train=settings), arguments.text, arguments.record)
    print(json.dumps({"threads": torch.get_num_threads(), **figures}))


if __name__ == "__main__":
    main()
