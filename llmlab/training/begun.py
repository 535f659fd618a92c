"""A run that was begun: its record and its checkpoint, and whether they belong to each other."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from llmlab.models import describe_model
from llmlab.training.checkpoints import read_training
from llmlab.training.manifest import CheckpointError
from llmlab.training.nested import fingerprint
from llmlab.training.records import RECORD_NAME, Run
from llmlab.training.wrappers import unwrapped


@dataclass
class Begun:
    """What resuming starts from: the record up to the checkpoint, and the loop's state there."""

    checkpoint: Path
    state: dict[str, Any]
    run: Run

    @classmethod
    def read(cls, checkpoint: Path) -> Begun:
        """Read both. Raises CheckpointError if they are of different runs, or RecordError."""
        state = read_training(checkpoint)
        run = Run.load(checkpoint.parent / RECORD_NAME)
        here, there = _settings(run.header()), _settings(state["run"])
        if (name := _first_difference(here, there)) is not None:
            raise CheckpointError(
                f"{checkpoint} is not of the run that {RECORD_NAME} beside it records: {name} is "
                f"{there.get(name)!r} in the checkpoint, {here.get(name)!r} in the record."
            )
        run.lines = [line for line in run.lines if line["step"] <= state["step"]]
        run.interrupted = False
        return cls(checkpoint, state, run)

    def check_model(self, model: nn.Module) -> None:
        """Raise ValueError if a model is not as the record says."""
        here = json.loads(json.dumps(describe_model(unwrapped(model))))
        there = self.run.model
        if (name := _first_difference(here, there)) is not None:
            raise ValueError(
                f"model must be that of the run: its {name} is {here.get(name)!r}, and the run's "
                f"is {there.get(name)!r}."
            )

    def check_batches(self, batches: Sequence[Any]) -> None:
        """Raise ValueError if batch 0 is not the one that the run began with."""
        if fingerprint(batches[0]) != self.state["batches"]:
            raise ValueError(
                f"batches must be those of the run in {self.checkpoint.parent}: batch 0 is another."
            )

    def missing_lines(self) -> str:
        """Which of the steps done the record has no line of, as a sentence; empty if it has all."""
        recorded = {line["step"] for line in self.run.lines}
        missing = [s for s in range(1, self.state["step"] + 1) if s not in recorded]
        if not missing:
            return ""
        return (
            f"{self.checkpoint.parent / RECORD_NAME} has no line of {_ranges(missing)}: the "
            "training goes on, and its record will lack them."
        )


def _first_difference(here: dict[str, Any], there: dict[str, Any]) -> str | None:
    return min((name for name in here | there if here.get(name) != there.get(name)), default=None)


def _settings(header: dict[str, Any]) -> dict[str, Any]:
    """A header without what another machine may change."""
    flat: dict[str, Any] = {}
    for key, value in header.items():
        inner = value if isinstance(value, dict) else None
        flat |= {key: value} if inner is None else {f"{key}.{k}": v for k, v in inner.items()}
    return {name: value for name, value in flat.items() if name not in ("device", "train.device")}


def _ranges(steps: list[int]) -> str:
    """Ascending steps in words: ``step 3`` or ``steps 1 to 3, 7``."""
    runs: list[list[int]] = []
    for step in steps:
        if runs and step == runs[-1][1] + 1:
            runs[-1][1] = step
        else:
            runs.append([step, step])
    words = [f"{first:,}" if first == last else f"{first:,} to {last:,}" for first, last in runs]
    return f"step{'s' if len(steps) > 1 else ''} {', '.join(words)}"
