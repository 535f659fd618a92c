"""How commands speak: results, remarks, and every error as one sentence."""

from __future__ import annotations

import errno
import io
import json
import math
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

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


def print_anything() -> None:
    """Let standard output take every character, whatever encoding the console has.

    A terminal is shown what it cannot draw as ``\\u2713``. A file or a pipe gets UTF-8, which is
    how every command reads files, so that what one wrote another reads back.
    """
    if isinstance(sys.stdout, io.TextIOWrapper):  # not a notebook's, nor none at all
        encoding = sys.stdout.encoding if sys.stdout.isatty() else "utf-8"
        sys.stdout.reconfigure(encoding=encoding, errors="backslashreplace")


def command_line(*words: str | Path) -> str:
    """A command to be copied into the shell of this system, with words quoted where they must be.

    A path that begins with a dash would be taken for an option.
    """
    texts = [f".{os.sep}{w}" if isinstance(w, Path) and str(w)[0] == "-" else str(w) for w in words]
    return subprocess.list2cmdline(texts) if os.name == "nt" else shlex.join(texts)


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
    """The result for machines: one JSON value on standard output, in ASCII.

    JSON knows neither NaN nor infinity; they become null.
    """
    print(json.dumps(_finite(result), allow_nan=False))


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
    text = " ".join(line.strip() for line in str(error).splitlines())  # paths keep their spaces
    if isinstance(error, (ValueError, TypeError, RuntimeError, UsageError)) and text:
        return text
    return f"unexpected {type(error).__name__}: {text} (LLMLAB_DEBUG=1 shows where)."


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(part) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(part) for part in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _left_alone(error: BaseException) -> bool:
    """Whether this is how the end of another process shows."""
    return isinstance(error, RuntimeError) and "closed by peer" in str(error)
