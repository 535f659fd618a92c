"""Run records as curves: what the loss figure and the loss widget both draw."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

X_COLUMNS = {"step": "step", "tokens": "tokens seen", "seconds": "seconds"}


@dataclass(frozen=True)
class Curve:
    """One column of the runs of one name; runs that share a name are seeds of one experiment.

    ``x`` maps "step", "tokens" and "seconds" to arrays of N numbers; ``mean``, ``low`` and ``high``
    are the mean, smallest and largest value over the seeds at each of the N steps.
    """

    name: str
    column: str
    seeds: int
    x: dict[str, np.ndarray]
    mean: np.ndarray
    low: np.ndarray
    high: np.ndarray

    @property
    def label(self) -> str:
        """The run's name and what was measured, such as "gpt validation"."""
        kind = {"loss": "train", "validation_loss": "validation"}.get(
            self.column, self.column.replace("_", " ")
        )
        return f"{self.name} {kind}".strip()


def curves(runs: Any, columns: Sequence[str] = ("loss", "validation_loss")) -> list[Curve]:
    """Group ``runs`` by name and follow each of ``columns`` over the steps all seeds share.

    ``runs`` is one run record or several: anything with ``.name`` and ``.lines``, a list of dicts
    with a "step". A column that a run never wrote gives no curve.
    """
    groups: dict[str, list[list[dict]]] = {}
    for run in _as_list(runs):
        if not hasattr(run, "lines"):
            raise TypeError(f"runs must be run records with .name and .lines: got {run!r}.")
        groups.setdefault(getattr(run, "name", "") or "", []).append(list(run.lines))
    found = (_curve(name, column, lines) for name, lines in groups.items() for column in columns)
    return [curve for curve in found if curve is not None]


def thin(curve: Curve, most: int) -> Curve:
    """The curve with at most ``most`` points, the first and the last among them."""
    count = len(curve.mean)
    if count <= most:
        return curve
    return _pick(curve, np.unique(np.linspace(0, count - 1, most).round().astype(int)))


def after(curve: Curve, x: str) -> Curve:
    """The curve without the points where ``x`` is 0."""
    return _pick(curve, curve.x[x] > 0)


def _pick(curve: Curve, keep: np.ndarray) -> Curve:
    return replace(
        curve,
        x={key: values[keep] for key, values in curve.x.items()},
        mean=curve.mean[keep],
        low=curve.low[keep],
        high=curve.high[keep],
    )


def _as_list(runs: Any) -> list:
    return list(runs) if isinstance(runs, Iterable) and not hasattr(runs, "lines") else [runs]


def _curve(name: str, column: str, seeds: list[list[dict]]) -> Curve | None:
    by_step = [
        {line["step"]: line for line in lines if line.get(column) is not None} for lines in seeds
    ]
    by_step = [lines for lines in by_step if lines]
    if not by_step:
        return None
    steps = sorted(set.intersection(*(set(lines) for lines in by_step)))
    if not steps:
        return None

    def table(key: str) -> np.ndarray:  # (seeds, N)
        return np.array([[lines[step].get(key, np.nan) for step in steps] for lines in by_step])

    values = table(column).astype(float)
    x = {key: table(key).astype(float).mean(axis=0) for key in X_COLUMNS}
    return Curve(
        name, column, len(by_step), x, values.mean(axis=0), values.min(axis=0), values.max(axis=0)
    )
