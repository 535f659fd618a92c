"""The record of a run: what figures, widgets, model cards and tests read instead of training.

A record is a file of JSON Lines. The first line is the header: name, configurations, seed, device,
versions. Each further line is one training step and has the keys ``step``, ``loss``,
``learning_rate``, ``gradient_norm``, ``tokens`` (seen so far), ``seconds`` (of training so far,
evaluation not counted), the metrics of the loss function, and after an evaluation its columns, such
as ``validation_loss``. Step 0 is the untrained model and has only the evaluated columns.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Collection
from dataclasses import dataclass, field
from numbers import Real
from pathlib import Path
from typing import Any

import numpy
from torch import Tensor

from llmlab.files import write_atomically
from llmlab.training.config import TrainConfig

FORMAT = 1  # of a record's lines
RECORD_NAME = "run.jsonl"
RECORD_BEGINNING = b'{"format": '
# What the loop itself writes; "event" marks lines that are no steps.
RESERVED = ("step", "loss", "learning_rate", "gradient_norm", "tokens", "seconds", "event")


class RecordError(ValueError):
    """A run record cannot be read or written."""


@dataclass
class Run:
    """One training run: its settings, and one line a step.

    ``model`` is the model's configuration as a dictionary and ``parameters`` its number of
    trainable weights. Runs that differ only in ``seed`` share a ``name``. ``interrupted`` says that
    the run was stopped before its last step.
    """

    config: TrainConfig
    model: dict[str, Any] = field(default_factory=dict)
    name: str = ""
    parameters: int = 0
    device: str = "cpu"
    version: str = ""
    torch: str = ""
    lines: list[dict[str, Any]] = field(default_factory=list)
    interrupted: bool = False

    @property
    def seed(self) -> int:
        """The seed of the run."""
        return self.config.seed

    @property
    def step(self) -> int:
        """The last step recorded."""
        return self.lines[-1]["step"] if self.lines else 0

    def column(self, name: str) -> tuple[numpy.ndarray, numpy.ndarray]:
        """Return the steps at which ``name`` was recorded, and its values there.

        Raises KeyError, naming the columns there are, if no line has it.
        """
        found = [(line["step"], line[name]) for line in self.lines if line.get(name) is not None]
        if not found:
            columns = sorted({key for line in self.lines for key in line})
            raise KeyError(
                f"name must be one of the run's columns, {', '.join(columns) or 'none yet'}: "
                f"got {name!r}."
            )
        steps, values = zip(*found, strict=True)
        return numpy.array(steps), numpy.array(values)

    def final(self, name: str) -> float:
        """Return the last recorded value of a column. Raises KeyError if there is none."""
        return float(self.column(name)[1][-1])

    def save(self, path: str | Path) -> None:
        """Write the record as JSON Lines: the whole file or nothing."""
        texts = [_to_line(self.header()), *map(_to_line, self.lines)]
        if self.interrupted:
            texts.append(_to_line(_INTERRUPTED))
        try:
            write_atomically(Path(path), "".join(texts).encode())
        except OSError as error:
            raise RecordError(
                f"could not write the record to path={str(path)!r}: {error.strerror}."
            ) from error

    @classmethod
    def load(cls, path: str | Path) -> Run:
        """Read a record; a last line cut off by a kill is left out.

        Raises RecordError if the file is missing or is not a run record.
        """
        try:
            texts = Path(path).read_text(encoding="utf-8").split("\n")
        except (OSError, UnicodeDecodeError) as error:
            raise RecordError(
                f"could not read the record at path={str(path)!r}: {error}."
            ) from error
        # every complete line ends with a newline, so what follows the last one was cut off
        objects = [_parse(text, path, number) for number, text in enumerate(texts[:-1], start=1)]
        if not objects or "train" not in objects[0]:
            raise RecordError(f"{path} is not a run record: it has no header line.")
        if objects[0].get("format") != FORMAT:
            raise RecordError(
                f"{path} has format {objects[0].get('format')!r}, and this version of llmlab reads "
                f"{FORMAT}."
            )
        return cls._from_objects(objects[0], objects[1:], path)

    @classmethod
    def _from_objects(cls, header: dict, rest: list[dict], path: str | Path) -> Run:
        names = ("model", "name", "parameters", "device", "version", "torch")
        try:
            config = TrainConfig(**header["train"])
            run = cls(config, **{name: header[name] for name in names})
        except (TypeError, KeyError, ValueError) as error:
            raise RecordError(
                f"{path} is not a run record: its header is wrong: {error}"
            ) from error
        run.lines = [line for line in rest if "event" not in line]
        if not all(type(line.get("step")) is int for line in run.lines):
            raise RecordError(f"{path} is not a run record: a line does not say its step.")
        run.interrupted = any(line == _INTERRUPTED for line in rest)
        return run

    def header(self) -> dict[str, Any]:
        """The first line of the record: all but what was measured."""
        return {
            "format": FORMAT,
            "name": self.name,
            "model": self.model,
            "parameters": self.parameters,
            "train": self.config.to_dict(),
            "seed": self.seed,
            "device": self.device,
            "version": self.version,
            "torch": self.torch,
        }


def check_columns(source: str, values: dict[str, Any], taken: Collection[str] = ()) -> None:
    """Check what a function of the caller's adds to the lines of a record.

    Raises ValueError if a name is one of the record's own or among those ``taken``, and TypeError
    if a value is not a single number.
    """
    for name, value in values.items():
        if name in RESERVED or name in taken:
            raise ValueError(
                f"{source} must not return {name!r}: the record has another column of that name "
                f"(it keeps {', '.join(RESERVED)} for itself)."
            )
        single = isinstance(value, Tensor) and value.numel() == 1
        if not isinstance(name, str) or not (single or isinstance(value, Real)):
            shape = f" of shape {tuple(value.shape)}" if hasattr(value, "shape") else ""
            raise TypeError(
                f"{source} must return a dictionary from names to single numbers: got "
                f"{name!r}: {type(value).__name__}{shape}."
            )


def recorded_runs(folder: str, name: str = "") -> list[Run]:
    """Return the runs that were made beforehand and travel with the package, by name and seed.

    They are the files ``records/<folder>/<name>-<seed>.jsonl``.

    Args:
        folder: what the runs were made for: a chapter, by its notebook without ending,
            ``"03_pretraining"``, or ``"ladder"``, the comparison of the fast preset's parts.
        name: the name that a run's seeds share, ``"gpt"``; without it, every run of the folder.

    Raises:
        ValueError: there is no such folder or name.
    """
    records = _records_folder()
    paths = sorted((records / folder).glob("*.jsonl"))
    if not paths:
        folders = sorted(path.name for path in records.glob("*") if any(path.glob("*.jsonl")))
        there = ", ".join(folders) or "none"
        raise ValueError(f"folder must be one with records ({there}): got {folder!r}.")
    names = {path: path.stem.rpartition("-")[0] for path in paths}
    if name and name not in names.values():
        there = ", ".join(dict.fromkeys(names.values()))
        raise ValueError(f"name must be one of {there}: got {name!r}.")
    return [Run.load(path) for path in paths if name in ("", names[path])]


def recorded_figures(folder: str) -> dict[str, dict[str, Any]]:
    """Return the single figures that were measured beforehand and travel with the package.

    They are the files ``records/<folder>/<name>.json``, by name; none if there is no such folder:
    ``"gpu"`` stays empty until somebody runs ``benchmarks/gpu.py`` on a card.
    """
    paths = sorted((_records_folder() / folder).glob("*.json"))
    return {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in paths}


def _records_folder() -> Path:
    """Beside the package in a checkout, inside the package where setup.py has put it."""
    package = Path(__file__).parents[1]
    installed = package / "records"
    return installed if installed.is_dir() else package.parent / "records"


def is_record(path: Path) -> bool:
    """Whether a file begins with the header of a record; others call their files so too."""
    try:
        with open(path, "rb") as file:
            return {"format", "train", "model"} <= json.loads(file.readline()).keys()
    except (OSError, ValueError, AttributeError):
        return False


class RecordWriter:
    """Appends lines to a record on disk as they come, so that a killed run keeps them."""

    def __init__(self, path: Path, run: Run) -> None:
        self._path = path
        run.save(path)
        self._file = open(path, "a", encoding="utf-8")  # noqa: SIM115  open as long as the run

    def write(self, lines: list[dict[str, Any]]) -> None:
        """Append lines and hand them to the operating system, which outlives this process."""
        self._file.write("".join(map(_to_line, lines)))
        self._file.flush()

    def write_interrupted(self) -> None:
        """Note that the run stopped early."""
        self.write([_INTERRUPTED])

    def is_in_place(self) -> bool:
        """Whether the file is still where it was opened, neither moved nor deleted."""
        try:
            return os.path.samestat(os.stat(self._path), os.fstat(self._file.fileno()))
        except OSError:
            return False

    def sync(self) -> None:
        """Wait until everything written is on the disk."""
        os.fsync(self._file.fileno())

    def close(self) -> None:
        """Close the file."""
        self._file.close()


_INTERRUPTED = {"event": "interrupted"}


def _to_line(content: dict[str, Any]) -> str:
    # NaN and infinity are not JSON: browsers refuse them
    clean = {
        key: None if isinstance(value, float) and not math.isfinite(value) else value
        for key, value in content.items()
    }
    return json.dumps(clean, allow_nan=False) + "\n"


def _parse(text: str, path: str | Path, number: int) -> dict[str, Any]:
    try:
        content = json.loads(text)
    except ValueError:
        content = None
    if not isinstance(content, dict):
        raise RecordError(f"{path} is not a run record: line {number} is not a JSON object.")
    return content
