"""``llmlab train`` and ``llmlab resume``."""

from __future__ import annotations

import argparse
from collections import Counter
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path

from llmlab.analysis import check_memory, validation
from llmlab.commands.inputs import Data, fingerprint, write_inputs
from llmlab.commands.replacing import check_free, claimed
from llmlab.commands.reporting import (
    EXIT_INTERRUPTED,
    UsageError,
    command_line,
    print_json,
    say,
    usage_errors,
)
from llmlab.commands.run_folder import RunFolder
from llmlab.commands.text import evaluate_corpus, print_evaluation
from llmlab.data import (
    BPETokenizer,
    ByteTokenizer,
    CharTokenizer,
    Corpus,
    RandomWindows,
    Tokenizer,
    corpus_names,
    load_corpus,
)
from llmlab.device import choose_device
from llmlab.inference import Sampling, generate
from llmlab.models import build
from llmlab.training import Run, causal_loss, choose_parallel, resume, set_seed, train
from llmlab.training.distributed import SingleProcess
from llmlab.training.presets import Preset, preset

# While training, the curve is measured on this much held-back text; at the end, on all of it.
_GLANCE_TOKENS = 20_000
_SAMPLE_TOKENS = 200


def train_model(arguments: argparse.Namespace) -> int:
    """Train from nothing into a new folder."""
    with usage_errors(name_or_path="--corpus"):
        recipe = _recipe(arguments)
        corpus = load_corpus(recipe.corpus)
        parts = corpus.split()
    parallel = _parallel(arguments)
    folder = arguments.out or Path("runs") / f"{Path(corpus.name).stem}-{recipe.name}"
    if parallel.is_main_process:
        check_free(folder, arguments.force)
    _check_apart(folder, recipe.corpus, corpus)
    say(f"Reading {corpus.name}: {len(corpus):,} characters. {corpus.credit}".rstrip())
    with usage_errors(batch_size="--batch-size"):
        tokenizer = _tokenizer(recipe, corpus, parts[0])
        set_seed(recipe.train.seed)
        config = recipe.model_config(tokenizer.vocab_size)
        if arguments.parallel in (None, "ddp"):
            check_memory(config, recipe.batch_size, choose_device(recipe.train.device))
        model = build(config)
        data = Data(
            corpus=_resolvable(recipe.corpus),
            fingerprint=fingerprint(corpus),
            batch_size=recipe.batch_size,
            context=recipe.context,
            seed=recipe.train.seed,
        )
        batches, evaluate = _inputs(data, tokenizer, parts)
        parallel.check(model, batches[0])
    with _claimed(folder, arguments, parallel):
        if parallel.is_main_process:
            write_inputs(folder, data, tokenizer)
        say(f"Training {recipe.train.steps:,} steps into {folder}; Ctrl-C stops, and keeps it.")
        run = train(
            model,
            batches,
            causal_loss,
            recipe.train,
            evaluate=evaluate,
            folder=folder,
            name=folder.name,
            parallel=parallel,
        )
    parallel.close()
    return _report(
        folder, model, tokenizer, run, parts[1], arguments.json, parallel.is_main_process
    )


def resume_model(arguments: argparse.Namespace) -> int:
    """Go on with a run from its newest checkpoint."""
    if arguments.device is not None:
        with usage_errors():
            choose_device(arguments.device)
    parallel = _parallel(arguments)
    folder = RunFolder(arguments.folder)
    data, tokenizer = folder.data, folder.tokenizer()
    parts = data.load()
    batches, evaluate = _inputs(data, tokenizer, parts)
    model, run = resume(
        arguments.folder,
        batches,
        causal_loss,
        evaluate=evaluate,
        device=arguments.device,
        parallel=parallel,
    )
    parallel.close()
    where = arguments.folder
    return _report(where, model, tokenizer, run, parts[1], arguments.json, parallel.is_main_process)


def _parallel(arguments: argparse.Namespace) -> SingleProcess:
    """How the processes that torchrun started work together."""
    with usage_errors(parallel="--parallel"):
        return choose_parallel(arguments.parallel)


def _claimed(
    folder: Path, arguments: argparse.Namespace, parallel: SingleProcess
) -> AbstractContextManager[None]:
    """One process makes room for the run."""
    return claimed(folder, arguments.force) if parallel.is_main_process else nullcontext()


def _recipe(arguments: argparse.Namespace) -> Preset:
    """The preset, with what the command line says otherwise."""
    recipe = preset(arguments.preset)
    given = {name: value for name, value in vars(arguments).items() if value is not None}

    def chosen(*names: str) -> dict:
        return {name: given[name] for name in names if name in given}

    settings = chosen("steps", "learning_rate", "seed", "device")
    if isinstance(steps := settings.get("steps"), int):
        settings["warmup"] = min(recipe.train.warmup, steps // 10)
    settings = replace(recipe.train, **settings)
    choose_device(settings.device)
    sizes = recipe.model | chosen("layers", "heads", "width", "position")
    recipe = replace(recipe, train=settings, model=sizes)
    recipe = replace(recipe, **chosen("corpus", "tokenizer", "vocab_size", "context", "batch_size"))
    if "vocab_size" in given and recipe.tokenizer != "bpe":
        raise ValueError(f"--vocab-size is for --tokenizer bpe: got {recipe.tokenizer}.")
    return recipe


def _tokenizer(recipe: Preset, corpus: Corpus, training: Corpus) -> Tokenizer:
    """Characters are those of the whole corpus; merges are learned from the training part."""
    if recipe.tokenizer == "char":
        return CharTokenizer.train(corpus.text)
    if recipe.tokenizer == "byte":
        return ByteTokenizer()
    return BPETokenizer.train(training.text, recipe.vocab_size or 512)


def _inputs(data: Data, tokenizer: Tokenizer, parts: tuple[Corpus, Corpus]) -> tuple:
    training, held_back = (tokenizer.encode(part.text) for part in parts)
    batches = RandomWindows(training, data.context, data.batch_size, data.seed)
    if len(held_back) < 2:
        raise ValueError(
            f"corpus must be long enough to hold 2 tokens back: a tenth of it is {len(held_back)}."
        )
    return batches, validation(held_back, data.context, limit=_GLANCE_TOKENS)


def _resolvable(corpus: str) -> str:
    """A corpus's name, or its path as it can be found from any folder."""
    return corpus if corpus in corpus_names() else str(Path(corpus).expanduser().resolve())


def _check_apart(folder: Path, name_or_path: str, corpus: Corpus) -> None:
    """Refuse a run among the texts it learns from: they would be taken for a part of it."""
    root = Path(_resolvable(name_or_path))
    texts = (root / document.title for document in corpus.documents)
    if root.is_dir() and any(text.is_relative_to(folder.resolve()) for text in texts):
        raise UsageError(
            f"--out {folder} must hold no text of --corpus {name_or_path}: choose another folder."
        )


def _report(
    folder: Path,
    model,
    tokenizer: Tokenizer,
    run: Run,
    held_back: Corpus,
    as_json: bool,
    speaks: bool,
) -> int:
    """Say how it went, what the model knows and writes, and what to do next."""
    if not speaks:
        return EXIT_INTERRUPTED if run.interrupted else 0
    if run.interrupted:
        if as_json:
            print_json({"folder": str(folder), "interrupted": True, "step": run.step})
        again = command_line("llmlab", "resume", folder)
        say(f"Stopped at step {run.step:,} of {run.config.steps:,}. Go on with:  {again}")
        return EXIT_INTERRUPTED
    say("Measuring on all of the text that was held back ...")
    evaluation = evaluate_corpus(model, tokenizer, held_back)
    sample = generate(model, tokenizer, "", _SAMPLE_TOKENS, Sampling(0.8, seed=run.seed))
    if as_json:
        seconds = run.lines[-1]["seconds"]
        print_json(
            {"folder": str(folder), "interrupted": False, "step": run.step, "seconds": seconds}
            | {"parameters": run.parameters, "sample": sample, **evaluation._asdict()}
        )
        return 0
    print_evaluation(evaluation)
    print(f"\nIt writes:\n{sample}\n")
    print("Next:")
    line = _typical_line(held_back.text)
    prompt = [f"--prompt={line}"] if line.startswith("-") else ["--prompt", line]
    for words in (["generate", folder, *prompt], ["info", folder], ["evaluate", folder]):
        print(f"  {command_line('llmlab', *words)}")
    return 0


def _typical_line(text: str) -> str:
    """A short line that the text often has, such as the name of a speaker: a prompt to try."""
    short = Counter(line for line in text.splitlines() if 3 < len(line) < 30)
    (line, count), *_ = short.most_common(1) or [("", 0)]
    words = 3 if " " in text else 1  # the model may not know what stands between them
    return line if count > 1 else " ".join(text.split()[1 : 1 + words])
