"""Loss curves to explore, of finished runs and of one that is training now."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import traitlets

from llmlab.display.figures.curves import X_COLUMNS, Curve, curves, thin
from llmlab.display.sources import module, styles
from llmlab.display.widgets.shared.widget import Widget

__all__ = ["LiveLoss", "LossCurves"]

MOST_POINTS = 800  # of one curve in the page; a column is about as many pixels wide
REFRESH = 0.3  # seconds between two updates of a live plot


class _Curves(Widget):
    """The traits and the module that finished and live curves share."""

    _esm = module("widgets/loss_curves/loss_curves.js")
    _css = styles("widgets/shared/theme.css", "widgets/loss_curves/loss_curves.css")

    # Six rows of N float32 for each series, one after another: the three x, then mean, low, high.
    data = traitlets.Bytes().tag(sync=True)
    series = traitlets.List(traitlets.Dict()).tag(sync=True)
    samples = traitlets.List(traitlets.Dict()).tag(sync=True)  # {"step", "text"}, in order
    unit = traitlets.Unicode("loss (nats per token)").tag(sync=True)
    floor = traitlets.Float(None, allow_none=True).tag(sync=True)
    live = traitlets.Bool(False).tag(sync=True)

    def _put(self, found: list[Curve], samples: Mapping[int, str]) -> None:
        """Send all of it to the page in one message, so that names and numbers always agree."""
        series, rows, names = [], [], list(dict.fromkeys(curve.name for curve in found))
        for curve in found:
            curve = thin(curve, MOST_POINTS)
            series.append(
                {
                    "label": curve.label,
                    "run": names.index(curve.name),
                    "train": curve.column == "loss",
                    "seeds": curve.seeds,
                    "points": len(curve.mean),
                }
            )
            rows += [curve.x[key] for key in X_COLUMNS] + [curve.mean, curve.low, curve.high]
        data = np.concatenate(rows).astype("<f4").tobytes() if rows else b""
        with self.hold_sync():
            self.series, self.data = series, data
            self.samples = [{"step": step, "text": samples[step]} for step in sorted(samples)]
            self.description = _in_words(found)


class LossCurves(_Curves):
    """Loss of one or more run records: hover or arrow keys read values, buttons change the axes.

    Runs with the same ``.name`` are seeds and become a line in a band from lowest to highest.
    ``columns`` says which columns of the record to draw, ``floor`` draws a dotted line that no
    model can get below, ``unit`` names the vertical axis. ``samples`` maps steps to texts that the
    model of the first run wrote then; a click on a ringed point, or Enter, opens its text. Raises
    ValueError if there is no curve, or no such step.
    """

    def __init__(
        self,
        runs: Any,
        *,
        columns: tuple[str, ...] = ("loss", "validation_loss"),
        title: str = "",
        unit: str = "loss (nats per token)",
        floor: float | None = None,
        samples: Mapping[int, str] | None = None,
    ):
        found = curves(runs, columns)
        if not found:
            raise ValueError(f"runs hold no line with {' or '.join(map(repr, columns))}.")
        steps = np.concatenate([curve.x["step"] for curve in found])
        for step in samples or ():
            if not steps.min() <= step <= steps.max():
                raise ValueError(
                    f"samples must be at steps from {steps.min():.0f} to {steps.max():.0f}:"
                    f" got {step}."
                )
        super().__init__(title=title, unit=unit, floor=floor)
        self._put(found, samples or {})


class LiveLoss(_Curves):
    """A loss curve that grows while a model trains: ``train(..., callbacks=[live])``.

    Display it first, then train. It is a callback ``live(model, line)`` and takes every line, but
    redraws at most every 0.3 seconds, at each evaluation, and when the cell ends. On a page without
    a kernel the last state it reached stays explorable.

    ``samples`` is a list to which ``evaluate`` appends a text that the model has written: the last
    one opens beside each evaluation's point.
    """

    def __init__(
        self,
        title: str = "",
        *,
        columns: tuple[str, ...] = ("loss", "validation_loss"),
        unit: str = "loss (nats per token)",
        floor: float | None = None,
        samples: Sequence[str] | None = None,
    ):
        super().__init__(title=title, unit=unit, floor=floor, live=True)
        self.description = "A loss curve that fills while a model trains in a running notebook."
        self.columns = columns
        self.name = ""
        self.lines: list[dict] = []
        self._written = samples if samples is not None else []
        self._samples: dict[int, str] = {}
        self._due = 0.0
        self._flush_when_cell_ends()

    def __call__(self, model: Any, line: dict) -> None:
        """Take one line of a run record; ``model`` is not looked at."""
        if self.lines and line["step"] <= self.lines[-1]["step"]:
            self.lines, self._samples = [], {}  # a new training starts: begin again
        self.lines.append(dict(line))
        evaluated = any(column in line for column in self.columns if column != "loss")
        if evaluated and self._written:
            self._samples[line["step"]] = self._written[-1]
        if evaluated or time.monotonic() >= self._due:
            self.flush()

    def flush(self) -> None:
        """Draw every line taken so far."""
        self._put(curves(self, self.columns), self._samples)
        self._due = time.monotonic() + REFRESH

    def _flush_when_cell_ends(self) -> None:
        """The last lines may fall between two updates; IPython says when the cell is done."""
        try:
            from IPython import get_ipython
        except ImportError:
            return
        shell = get_ipython()
        if shell is not None:
            shell.events.register("post_run_cell", lambda result: self.lines and self.flush())


def _in_words(found: list[Curve]) -> str:
    """Where each curve starts and ends, in one sentence."""
    if not found:
        return "Loss curves of a training that has not begun."
    each = (f"{curve.label}, {curve.mean[0]:.2f} to {curve.mean[-1]:.2f}" for curve in found)
    return f"Loss curves, from the first to the last step: {'; '.join(each)}."
