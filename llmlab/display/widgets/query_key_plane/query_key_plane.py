"""A query and a few keys as arrows in a plane: drag them, and the weights follow."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import traitlets

from llmlab.display.arrays import to_array
from llmlab.display.sources import module, styles
from llmlab.display.widgets.shared.widget import Widget

__all__ = ["QueryKeyPlane"]


class QueryKeyPlane(Widget):
    """One query, n keys and their values in two dimensions; drag any arrow, or move it by keys.

    ``keys`` and ``values`` are (n, 2), ``query`` is (2,), ``names`` are the n words that the keys
    belong to; ``features`` name the axes of the keys, ``meanings`` those of the values. The page
    shows the scores, their softmax and the average of the values that it weights.

    A plane has two dimensions, a head has many. With a ``width`` the page can stand for a head of
    that many: products of K independent features are √K in size, those of the plane √2, so the
    scores are the plane's times √(width / 2). ``scaled`` divides them by √width. Without a width
    the scores are the plane's own, and the page shows neither control.

    ``arrows`` (the query, then the keys), ``width`` and ``scaled`` can be read back and set. Raises
    ValueError where shapes do not fit.
    """

    _esm = module("widgets/query_key_plane/query_key_plane.js")
    _css = styles("widgets/shared/theme.css", "widgets/query_key_plane/query_key_plane.css")

    arrows = traitlets.List(traitlets.List(traitlets.Float())).tag(sync=True)  # query, then keys
    values = traitlets.List(traitlets.List(traitlets.Float())).tag(sync=True)
    names = traitlets.List(traitlets.Unicode()).tag(sync=True)
    features = traitlets.List(traitlets.Unicode()).tag(sync=True)
    meanings = traitlets.List(traitlets.Unicode()).tag(sync=True)
    width = traitlets.Int(None, allow_none=True).tag(sync=True)
    scaled = traitlets.Bool(False).tag(sync=True)
    reach = traitlets.Float().tag(sync=True)  # the plane shows -reach to reach

    def __init__(
        self,
        query: Any,
        keys: Any,
        values: Any,
        names: Sequence[str],
        *,
        features: Sequence[str] = ("first feature", "second feature"),
        meanings: Sequence[str] = ("first value", "second value"),
        width: int | None = None,
        scaled: bool = False,
        title: str = "",
    ):
        n = len(names)
        query, keys = _plane("query", query, (2,)), _plane("keys", keys, (n, 2))
        values = _plane("values", values, (n, 2))
        for name, given in (("features", features), ("meanings", meanings)):
            if len(given) != 2:
                raise ValueError(f"{name} must be two names, of the axes: got {list(given)}.")
        if width is not None and not (2 <= width <= 1024 and width & (width - 1) == 0):
            raise ValueError(f"width must be a power of two from 2 to 1024: got {width}.")
        arrows = np.vstack([query, keys])
        super().__init__(
            arrows=arrows.tolist(),
            values=values.tolist(),
            names=list(names),
            features=list(features),
            meanings=list(meanings),
            width=width,
            scaled=scaled,
            reach=math.floor(np.abs(arrows).max()) + 1.0,
            title=title,
        )
        self.description = f"A query and {n} keys as arrows in a plane: {self.sentence()}"

    def scores(self) -> np.ndarray:
        """The scores (n,) as the page computes them, of the arrows where they are now."""
        query, *keys = self.arrows
        scores = np.array(keys) @ np.array(query)
        if self.width is not None:
            scores = scores * math.sqrt(self.width / 2) / self._temperature()
        return scores

    def weights(self) -> np.ndarray:
        """The softmax of the scores (n,)."""
        powers = np.exp(self.scores() - self.scores().max())
        return powers / powers.sum()

    def answer(self) -> np.ndarray:
        """The average (2,) of the values, each weighted by its key's weight."""
        return self.weights() @ np.array(self.values)

    def entropy(self) -> float:
        """How spread the weights are, in nats: 0 if one key takes all, at most the log of n."""
        weights = self.weights()
        return float(-(weights * np.log(np.maximum(weights, 1e-300))).sum())

    def sentence(self) -> str:
        """What the widget says aloud."""
        weights, answer = self.weights(), self.answer()
        best = int(weights.argmax())
        of_width = ""
        if self.width is not None:
            divided = f"divided by {self._temperature():.2f}" if self.scaled else "not divided"
            of_width = f"Width {self.width}, scores {divided}: "
        return (
            f"{of_width}“{self.names[best]}” has the largest weight, {weights[best]:.2f}; the"
            f" entropy is {self.entropy():.2f} of at most {math.log(len(weights)):.2f} nats; the"
            f" answer is {self.meanings[0]} {answer[0]:.2f}, {self.meanings[1]} {answer[1]:.2f}."
        )

    def _temperature(self) -> float:
        return math.sqrt(self.width) if self.scaled and self.width is not None else 1.0


def _plane(name: str, given: Any, shape: tuple[int, ...]) -> np.ndarray:
    array = to_array(given)
    if array.shape != shape or not array.size:
        raise ValueError(f"{name} must have the shape {shape}, in a plane: got {array.shape}.")
    if not np.isfinite(array).all():
        raise ValueError(f"{name} must hold finite numbers: got {array.tolist()}.")
    return array.astype(float).round(6)
