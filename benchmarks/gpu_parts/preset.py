"""The preset for an H100, trained to the end of its schedule in the time that is left.

If all of its steps do not fit, there are fewer, and the schedule is shortened with them. The record
of the run is kept beside the figures, as ``h100-0.jsonl``, every tenth step of it.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace

import torch
from torch import nn

from llmlab.analysis import evaluate, peak_memory, validation
from llmlab.data import BPETokenizer, RandomWindows, load_corpus
from llmlab.models import build
from llmlab.training import Run, TrainConfig, causal_loss, train
from llmlab.training.presets import Preset, h100

MINUTES = 3.5

PROBE = 30  # steps that tell how long one takes
SHARE = 0.8  # of the time that is left, as evaluations take some too
LATEST = 0.9  # of the time: when the training is stopped wherever it is
GLANCE = 50_000  # held-out tokens that the curve is measured on; at the end it is all of them
EVERY = 10  # steps of the run that are recorded


def measure(task) -> Iterator[dict]:
    """The run's losses and rate, in nats and bits a character, and its peak of memory."""
    end = time.monotonic() + LATEST * task.seconds
    recipe = task.size(h100(), _tiny(h100()))
    training, held_out = (part.text for part in load_corpus(recipe.corpus).split())
    training, held_out = training[: task.size(None, 20_000)], held_out[: task.size(None, 2_000)]
    tokenizer = BPETokenizer.train(training, recipe.vocab_size)
    tokens = torch.tensor(tokenizer.encode(training), device=task.device)
    batches = RandomWindows(tokens, recipe.context, recipe.batch_size)
    held_out_tokens = tokenizer.encode(held_out)
    settings = _affordable(recipe, batches, tokenizer.vocab_size, task, end)

    def stop_in_time(model: nn.Module, line: dict) -> None:
        if time.monotonic() > end:
            raise KeyboardInterrupt

    torch.manual_seed(settings.seed)
    model = build(recipe.model_config(tokenizer.vocab_size))
    run = train(
        model,
        batches,
        causal_loss,
        settings,
        evaluate=validation(held_out_tokens, limit=GLANCE),
        callbacks=[stop_in_time],
        name=recipe.name,
        progress=False,
    )
    task.out.mkdir(parents=True, exist_ok=True)
    _thinned(run).save(task.out / f"{recipe.name}-{settings.seed}.jsonl")
    whole = evaluate(model, held_out_tokens, characters=len(held_out))
    yield {
        "preset": recipe.name,
        "parameters": run.parameters,
        "steps": run.step,
        "steps of the preset": recipe.train.steps,
        "tokens": run.lines[-1]["tokens"],
        "seconds": run.lines[-1]["seconds"],
        "loss": float(run.column("loss")[1][-10:].mean()),
        "validation loss": whole.loss,
        "validation bits a character": whole.bits_per_character,
        "peak bytes": peak_memory(task.device),
    }


def _affordable(
    recipe: Preset, batches: RandomWindows, vocab_size: int, task, end: float
) -> TrainConfig:
    """The preset's settings, with as many of its steps as the pace of a few says there is time for.

    A compiled model compiles twice, here and in the training itself: its first step tells how long.
    """
    probe = replace(
        recipe.train, device=str(task.device), steps=PROBE, warmup=0, checkpoint_every=0
    )
    start = time.monotonic()
    model = build(recipe.model_config(vocab_size))
    _, seconds = train(model, batches, causal_loss, probe, progress=False).column("seconds")
    pace = (seconds[-1] - seconds[PROBE // 2]) / (PROBE - 1 - PROBE // 2)
    left = end - time.monotonic() - (time.monotonic() - start - PROBE * pace)
    steps = max(PROBE, min(recipe.train.steps, int(SHARE * left / pace)))
    return replace(probe, steps=steps, warmup=recipe.train.warmup)


def _thinned(run: Run) -> Run:
    kept = [line for line in run.lines if line["step"] % EVERY == 0 or line is run.lines[-1]]
    return replace(run, lines=kept)


def _tiny(recipe: Preset) -> Preset:
    """The same recipe at a size that a CPU trains in seconds."""
    return replace(
        recipe,
        vocab_size=260,
        context=16,
        batch_size=4,
        model=recipe.model | {"layers": 2, "heads": 2, "width": 32},
        train=replace(recipe.train, steps=40, warmup=5, evaluate_every=20, compile=False),
    )
