"""Figures: run records, tensors or plain numbers in, a Matplotlib figure out. Nothing trains here.

Every function returns a figure for :func:`llmlab.display.show`; take ``figure.axes`` to add to it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, to_rgb
from matplotlib.figure import Figure

from llmlab.display.arrays import to_array, visible
from llmlab.display.figures.curves import X_COLUMNS, Curve, after, curves, thin
from llmlab.display.figures.style import (
    COLOURS,
    DASHES,
    INK,
    MARKERS,
    PALETTE,
    WIDTHS,
    legend_above,
    new_figure,
    plain_log,
)

__all__ = [
    "SIGNED",
    "STRENGTH",
    "attention_figure",
    "bar_figure",
    "heat_figure",
    "line_figure",
    "loss_figure",
]

MOST_MARKERS = 12  # points on a line up to which each gets its own marker


# Heat maps fade into the page instead of into white, so they read the same in the dark.
STRENGTH = LinearSegmentedColormap.from_list(
    "llmlab", [(*to_rgb(PALETTE["blue"]), 0.0), (*to_rgb(PALETTE["blue"]), 1.0)]
)
SIGNED = LinearSegmentedColormap.from_list(
    "llmlab-signed",
    [
        (0.0, (*to_rgb(PALETTE["vermilion"]), 1.0)),
        (0.5, (*to_rgb(PALETTE["vermilion"]), 0.0)),
        (0.5, (*to_rgb(PALETTE["blue"]), 0.0)),
        (1.0, (*to_rgb(PALETTE["blue"]), 1.0)),
    ],
)


def loss_figure(
    runs: Any,
    x: str = "step",
    y: Sequence[str] = ("loss", "validation_loss"),
    *,
    log: bool = False,
    floor: float | None = None,
    floor_label: str = "floor",
    title: str = "",
    ylabel: str = "loss (nats per token)",
) -> Figure:
    """Loss against ``x`` ("step", "tokens" or "seconds"), one colour a run name.

    Runs with the same ``.name`` are seeds: a line for their mean in a band from the lowest to the
    highest. Training loss is drawn thin, other columns strong with markers. ``log`` makes both
    axes logarithmic, ``floor`` draws a dotted line nothing can get below.
    """
    if x not in X_COLUMNS:
        raise ValueError(f"x must be one of {', '.join(X_COLUMNS)}: got {x!r}.")
    y = (y,) if isinstance(y, str) else tuple(y)
    found = [thin(curve, 1000) for curve in curves(runs, y)]
    if log:  # the untrained model, at step 0, has no place on a logarithmic axis
        found = [after(curve, x) for curve in found]
    if not found:
        raise ValueError(f"runs hold no line with {' or '.join(map(repr, y))}.")
    figure, axes = new_figure()
    names = list(dict.fromkeys(curve.name for curve in found))
    for curve in found:
        # One run: its columns differ in colour. Several: a run is a colour, training is thin.
        index = y.index(curve.column) if len(names) == 1 else names.index(curve.name)
        _draw_curve(axes, curve, x, index % len(COLOURS), len(names) > 1 and len(y) > 1)
    if len(names) > 1 and len(y) > 1:
        axes.plot([], [], color=INK, linewidth=1.0, alpha=0.75, label="thin: training")
    if floor is not None:
        axes.axhline(floor, color=INK, linestyle=":", linewidth=1.2, label=floor_label)
    if log:
        plain_log(axes, "x")
        plain_log(axes, "y")
    _label(axes, title, X_COLUMNS[x], ylabel)
    legend_above(axes)
    return figure


def _draw_curve(axes: Axes, curve: Curve, x: str, index: int, by_run: bool) -> None:
    """One mean with its band; where colour tells runs apart, training is thin and unnamed."""
    at = curve.x[x]
    seeds = f" ({curve.seeds} seeds)" if curve.seeds > 1 else ""
    style = {"color": COLOURS[index], "linestyle": DASHES[index]}
    if by_run and curve.column == "loss":
        axes.plot(at, curve.mean, color=COLOURS[index], linestyle="-", linewidth=0.8, alpha=0.7)
    else:
        marker = MARKERS[index] if len(at) <= 3 * MOST_MARKERS else None
        label = (curve.name if by_run else curve.label) + seeds
        axes.plot(at, curve.mean, marker=marker, label=label, **style)
    if curve.seeds > 1:
        axes.fill_between(at, curve.low, curve.high, color=COLOURS[index], alpha=0.18, linewidth=0)


def line_figure(
    x: Sequence[float] | np.ndarray,
    lines: Mapping[str, Any],
    *,
    title: str = "",
    xlabel: str = "",
    ylabel: str = "",
    logx: bool = False,
    logy: bool = False,
    height: float = 3.1,
) -> Figure:
    """One line for each entry of ``lines``, a mapping from label to N values or (seeds, N) values.

    Two-dimensional values are drawn as their mean in a band from lowest to highest.
    """
    x = to_array(x)
    if not lines:
        raise ValueError("lines must hold at least one series: got none.")
    figure, axes = new_figure(height=height)
    for index, (label, given) in enumerate(lines.items()):
        values = np.atleast_2d(to_array(given))
        if values.ndim != 2 or values.shape[1] != len(x):
            raise ValueError(
                f"lines[{label!r}] must hold {len(x)} values, one for each x:"
                f" got shape {to_array(given).shape}."
            )
        colour = COLOURS[index % len(COLOURS)]
        marker = MARKERS[index % len(MARKERS)] if len(x) <= MOST_MARKERS else None
        dash = DASHES[index % len(DASHES)]
        axes.plot(x, values.mean(0), color=colour, linestyle=dash, marker=marker, label=label)
        if len(values) > 1:
            axes.fill_between(
                x, values.min(0), values.max(0), color=colour, alpha=0.18, linewidth=0
            )
    if logx:
        plain_log(axes, "x", ticks=x if len(x) <= 8 else ())
    if logy:
        plain_log(axes, "y")
    _label(axes, title, xlabel, ylabel)
    if len(lines) > 1 or next(iter(lines)):
        legend_above(axes)
    return figure


def bar_figure(
    labels: Sequence[str],
    values: Any,
    *,
    errors: Any = None,
    reference: float | None = None,
    reference_label: str = "",
    title: str = "",
    xlabel: str = "",
    format: str = "{:.2f}",
    highlight: Sequence[str] = (),
) -> Figure:
    """Horizontal bars with their number at the end, first label on top.

    ``errors`` is (2, N) or (N,): lowest and highest value, or a symmetric spread. ``reference``
    draws a labelled vertical line, ``highlight`` names the labels to colour differently.
    """
    values = to_array(values)
    if values.ndim != 1 or len(labels) != len(values) or not len(values):
        raise ValueError(
            f"labels and values must be equally many: got {len(labels)} labels and values of shape"
            f" {values.shape}."
        )
    figure, axes = new_figure(height=0.75 + 0.36 * len(values))
    rows = np.arange(len(values))
    colours = [PALETTE["vermilion" if label in highlight else "blue"] for label in labels]
    spread = None if errors is None else to_array(errors)
    if spread is not None and spread.ndim == 2:
        spread = np.abs(spread - values)
    axes.barh(rows, values, height=0.66, color=colours, xerr=spread, ecolor=INK, capsize=2.5)
    above = values if spread is None else values + (spread[1] if spread.ndim == 2 else spread)
    span = max(float(above.max()), 0.0) - min(float(values.min()), 0.0) or 1.0
    for row, value, end in zip(rows, values, above, strict=True):
        number = format.format(value).replace("-", "−")
        axes.text(max(end, 0) + 0.015 * span, row, number, va="center", fontsize=9.5)
    axes.set_yticks(rows, labels)
    axes.set_ylim(len(values) - 0.45, -0.55)
    if values.min() >= 0:
        axes.set_xlim(left=0)
    axes.set_xlim(right=max(float(above.max()), 0.0) + 0.13 * span)
    axes.grid(visible=False, axis="y")
    axes.grid(visible=True, axis="x")
    axes.spines["left"].set_visible(values.min() >= 0)
    if reference is not None:
        axes.axvline(reference, color=INK, linestyle=":", linewidth=1.2, label=reference_label)
    _label(axes, title, xlabel, "")
    if reference_label:
        legend_above(axes)
    return figure


def heat_figure(
    matrix: Any,
    *,
    rows: Sequence[str] = (),
    columns: Sequence[str] = (),
    title: str = "",
    xlabel: str = "",
    ylabel: str = "",
    numbers: bool = False,
    low: float | None = None,
    high: float | None = None,
    width: str | float = "column",
    height: float | None = None,
) -> Figure:
    """A matrix as colours: white-to-blue in the page's sense, or two hues where values are signed.

    ``rows`` and ``columns`` name its lines (else they are numbered), ``numbers`` writes each value
    into its cell.
    """
    matrix = to_array(matrix)
    if matrix.ndim != 2:
        raise ValueError(f"matrix must have two dimensions: got shape {matrix.shape}.")
    figure, axes = new_figure(width, height=height or _heat_height(matrix, width))
    image = _draw_heat(axes, matrix, rows, columns, low, high)
    if numbers:
        for (row, column), value in np.ndenumerate(matrix):
            axes.text(column, row, f"{value:.2f}", ha="center", va="center", fontsize=9)
    bar = figure.colorbar(image, ax=axes, shrink=0.8, aspect=22, pad=0.02)
    bar.outline.set_visible(False)
    _label(axes, title, xlabel, ylabel)
    return figure


def attention_figure(
    weights: Any, tokens: Sequence[str], *, titles: Sequence[str] = (), title: str = ""
) -> Figure:
    """Attention weights as a heat map: (T, T) one map, (H, T, T) a panel for each head.

    Rows ask (queries), columns answer (keys), and one scale from 0 to 1 serves all panels.
    """
    weights = to_array(weights)
    if weights.ndim == 2:
        weights = weights[None]
    T = len(tokens)
    if weights.ndim != 3 or weights.shape[1:] != (T, T):
        raise ValueError(
            f"weights must be (T, T) or (H, T, T) for T={T} tokens: got shape {weights.shape}."
        )
    heads = len(weights)
    across = min(heads, 1 if heads == 1 else 2 if heads in (2, 4) else 3)
    down = -(-heads // across)
    width = 4.6 if heads == 1 else 6.2
    figure, axes = new_figure(width, down * width / across * 0.98, across, down, squeeze=False)
    names = [visible(token) for token in tokens]
    for index, panel in enumerate(axes.flat):
        if index >= heads:
            panel.set_axis_off()
            continue
        _draw_heat(panel, weights[index], names, names, 0.0, 1.0)
        name = titles[index] if titles else f"head {index}" if heads > 1 else title
        row, column = divmod(index, across)
        query, key = ("query" if column == 0 else ""), ("key" if row == down - 1 else "")
        _label(panel, name, key, query)
    if title and heads > 1:
        figure.suptitle(title, x=0.01, ha="left", fontsize=11, fontweight="bold")
    return figure


def _draw_heat(axes: Axes, matrix: np.ndarray, rows, columns, low, high):
    """Draw ``matrix`` into ``axes``; a signed one gets a scale symmetric about 0."""
    signed = matrix.min() < 0 if low is None else low < 0
    most = float(np.abs(matrix).max()) or 1.0
    low = (-most if signed else 0.0) if low is None else low
    high = most if high is None else high
    image = axes.imshow(
        matrix, cmap=SIGNED if signed else STRENGTH, vmin=low, vmax=high, aspect="auto"
    )
    if matrix.shape[0] == matrix.shape[1]:
        axes.set_aspect("equal")
    axes.grid(visible=False)
    for side in axes.spines.values():
        side.set_visible(False)
    if len(columns):
        turned = max(map(len, columns)) > 1
        axes.set_xticks(range(len(columns)), columns, rotation=90 if turned else 0)
        _shrink(axes.get_xticklabels(), len(columns))
    if len(rows):
        axes.set_yticks(range(len(rows)), rows)
        _shrink(axes.get_yticklabels(), len(rows))
    return image


def _shrink(labels, count: int) -> None:
    size = 9.5 if count <= 14 else 8 if count <= 24 else 6.5
    for label in labels:
        label.set_fontsize(size)


def _heat_height(matrix: np.ndarray, width: str | float) -> float:
    """The height in inches that gives square cells, within what a column can hold."""
    down, across = matrix.shape
    inches = WIDTHS[width] if width in WIDTHS else float(width)
    return float(np.clip((inches - 1.5) * down / across + 0.7, 1.8, 5.4))


def _label(axes: Axes, title: str, xlabel: str, ylabel: str) -> None:
    if title:
        axes.set_title(title)
    axes.set_xlabel(xlabel)
    axes.set_ylabel(ylabel)
