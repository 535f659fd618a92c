"""How commands speak: results, remarks, and every error as one sentence."""

from __future__ import annotations

import errno
import json
import os
import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

EXIT_FAILED, EXIT_USAGE, EXIT_INTERRUPTED = 1, 2, 130


class UsageError(Exception):
    """The command was asked for something it does not accept; exit code 2."""


@contextmanager
def usage_errors(**options: str) -> Iterator[None]:
    """Inside, a bad value is the fault of whoever typed it, and becomes a ``UsageError``.

    ``options`` says under which option an argument of a function was typed, where the names
    differ: ``usage_errors(name_or_path="--corpus")``.
    """
    try:
        yield
    except (ValueError, TypeError) as error:
        text = str(error)
        for argument, option in options.items():
            text = re.sub(rf"\b{argument}\b", option, text)
        raise UsageError(text) from error


def say(text: str = "") -> None:
    """A remark to the person watching, on standard error; of several processes, by the first."""
    if os.environ.get("RANK", "0") == "0":
        print(text, file=sys.stderr, flush=True)


def first_of_machine() -> bool:
    """Whether this process, of those that torchrun started here, speaks about a mistake of all."""
    return os.environ.get("LOCAL_RANK", "0") == "0"


def complain(command: str, error: BaseException) -> None:
    """Say what went wrong: once on each machine, unless it went wrong in one process alone.

    What is asked for wrongly is wrong in every process, and so is a training that diverges.
    """
    of_all = isinstance(error, (UsageError, ValueError, TypeError))
    of_all |= type(error).__name__ == "TrainingDiverged"
    if first_of_machine():
        print(f"llmlab {command}: {sentence(error)}", file=sys.stderr, flush=True)
    elif not of_all and not _left_alone(error):
        who = f"llmlab {command}, process {os.environ['RANK']}"
        print(f"{who}: {sentence(error)}", file=sys.stderr, flush=True)


def print_json(result: dict | list) -> None:
    """The result for machines: one JSON value on standard output."""
    print(json.dumps(result, ensure_ascii=False))


def print_table(rows: Sequence[Sequence[str]], numbers: Sequence[int] = ()) -> None:
    """Rows of text in aligned columns; the columns in ``numbers`` are aligned to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = [
            cell.rjust(width) if column in numbers else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        print("  ".join(cells).rstrip())


def sentence(error: BaseException) -> str:
    """What went wrong, in one line."""
    if isinstance(error, OSError) and error.errno is not None:
        place = f" {error.filename}" if error.filename else ""
        if error.errno == errno.ENOSPC:
            return f"the disk is full{': could not write' + place if place else ''}."
        return f"could not use{place or ' a file'}: {error.strerror}."
    if isinstance(error, MemoryError) or "OutOfMemory" in type(error).__name__:
        return "out of memory: try a smaller --batch-size, --context or --width."
    if _left_alone(error):
        return "another process of this run has stopped."
    text = " ".join(str(error).split())
    if isinstance(error, (ValueError, TypeError, RuntimeError, UsageError)) and text:
        return text
    return f"unexpected {type(error).__name__}: {text} (LLMLAB_DEBUG=1 shows where)."


def _left_alone(error: BaseException) -> bool:
    """Whether this is how the end of another process shows."""
    return isinstance(error, RuntimeError) and "closed by peer" in str(error)
