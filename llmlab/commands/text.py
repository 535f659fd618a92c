"""``llmlab generate``, ``evaluate`` and ``info``: what a trained model writes, knows and is."""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import fields

from llmlab.analysis import Evaluation, evaluate, parameter_table
from llmlab.commands.reporting import print_json, print_table, usage_errors
from llmlab.commands.run_folder import RunFolder
from llmlab.data import Corpus, Tokenizer, load_corpus
from llmlab.inference import Sampling, stream
from llmlab.training import Run
from llmlab.training.checkpoints import find_checkpoint


def generate_text(arguments: argparse.Namespace) -> int:
    """Print the prompt and what the model makes of it, as it is written."""
    folder = RunFolder(arguments.folder)
    tokenizer, model = folder.tokenizer(), folder.model(arguments.device)
    with usage_errors(
        text="--prompt"
    ):  # a value out of range, or a character the model has never seen
        pieces = stream(
            model,
            tokenizer,
            arguments.prompt,
            arguments.length,
            Sampling(**{field.name: getattr(arguments, field.name) for field in fields(Sampling)}),
            stop=arguments.stop,
        )
    if arguments.json:
        start = time.perf_counter()
        text = "".join(pieces)
        seconds = round(time.perf_counter() - start, 3)
        print_json({"prompt": arguments.prompt, "text": text, "seconds": seconds})
        return 0
    sys.stdout.write(arguments.prompt)
    for piece in pieces:
        sys.stdout.write(piece)
        sys.stdout.flush()
    print()
    return 0


def evaluate_model(arguments: argparse.Namespace) -> int:
    """Print loss, perplexity and bits over the whole of a text."""
    folder = RunFolder(arguments.folder)
    if arguments.corpus is None:
        _, corpus = folder.data.load()
        name = f"the part of {folder.data.corpus} that was held back"
    else:
        with usage_errors(name_or_path="--corpus"):
            corpus = load_corpus(arguments.corpus)
        name = arguments.corpus
    model, tokenizer = folder.model(arguments.device), folder.tokenizer()
    evaluation = evaluate_corpus(model, tokenizer, corpus)
    if arguments.json:
        print_json({"corpus": name, "characters": len(corpus), **evaluation._asdict()})
    else:
        print(f"{name}: {len(corpus):,} characters, {evaluation.tokens:,} tokens predicted")
        print_evaluation(evaluation)
    return 0


def evaluate_corpus(model, tokenizer: Tokenizer, corpus: Corpus) -> Evaluation:
    """How well a model predicts all of a corpus."""
    return evaluate(
        model,
        tokenizer.encode(corpus.text),
        characters=len(corpus.text),
        bytes=len(corpus.text.encode()),
    )


def print_evaluation(evaluation: Evaluation) -> None:
    """The four numbers, with their units."""
    print_table(
        [
            ["loss", f"{evaluation.loss:.4f}", "nats a token"],
            ["perplexity", f"{evaluation.perplexity:.3f}", "equally likely tokens"],
            ["bits per character", f"{evaluation.bits_per_character:.4f}", ""],
            ["bits per byte", f"{evaluation.bits_per_byte:.4f}", ""],
        ],
        numbers=[1],
    )


def show_info(arguments: argparse.Namespace) -> int:
    """Print what a run is and how far it got."""
    folder = RunFolder(arguments.folder)
    run, data, parts = folder.record(), folder.data, parameter_table(folder.model())
    facts = _facts(run) | {"corpus": data.corpus, "batch_size": data.batch_size}
    facts["checkpoint"] = find_checkpoint(arguments.folder).name
    if arguments.json:
        print_json(facts | {"model": run.model, "train": run.config.to_dict(), "parts": parts})
        return 0
    print(f"{arguments.folder}: {facts['status']}\n")
    shape = ", ".join(f"{name}={value}" for name, value in run.model.items() if name != "model")
    rows = [["model", f"{run.model['model']} ({shape})"], ["corpus", data.corpus]]
    rows += [["training loss", _loss(facts["loss"])]]
    rows += [["validation loss", _loss(facts["validation_loss"])]]
    rows += [["training time", f"{facts['seconds']:.1f} s for {facts['tokens']:,} tokens"]]
    rows += [["newest checkpoint", facts["checkpoint"]]]
    rows += [["device", run.device], ["seed", str(run.seed)]]
    rows += [["made with", f"llmlab {run.version}, torch {run.torch}"]]
    print_table(rows)
    print()
    rows = [[part, f"{count:,}", f"{count / run.parameters:.1%}"] for part, count in parts.items()]
    print_table([["parameters", f"{run.parameters:,}", ""], *rows], numbers=[1, 2])
    return 0


def _facts(run: Run) -> dict:
    last = run.lines[-1] if run.lines else {}
    if run.step >= run.config.steps:
        status = f"finished, {run.step:,} steps"
    else:
        how = "interrupted" if run.interrupted else "stopped or still running"
        status = f"{how} at step {run.step:,} of {run.config.steps:,}"
    return {
        "name": run.name,
        "status": status,
        "step": run.step,
        "steps": run.config.steps,
        "parameters": run.parameters,
        "loss": _final(run, "loss"),
        "validation_loss": _final(run, "validation_loss"),
        "seconds": last.get("seconds", 0.0),
        "tokens": last.get("tokens", 0),
        "device": run.device,
        "seed": run.seed,
    }


def _final(run: Run, column: str) -> float | None:
    return run.final(column) if any(column in line for line in run.lines) else None


def _loss(loss: float | None) -> str:
    return "not measured yet" if loss is None else f"{loss:.4f} nats a token"
