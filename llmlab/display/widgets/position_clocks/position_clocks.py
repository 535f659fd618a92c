"""Positions as clock hands: each pair of features is a clock, and a position winds them all."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
import traitlets

from llmlab.display.arrays import to_array
from llmlab.display.sources import module, styles
from llmlab.display.widgets.shared.widget import Widget
from llmlab.models.positions import Rotary

__all__ = ["PositionClocks"]


class PositionClocks(Widget):
    """Two positions on K / 2 clocks: wind a hand, drag a position, or shift both by one amount.

    With ``query`` and ``key``, both (K,), the clocks show rotary positions: the hands are their
    feature pairs, turned, and the page shows the score at these positions and at every distance.
    Without them the hands are the sinusoidal positions of width ``width`` themselves, and their
    product takes the place of the score.

    All angles come from :class:`llmlab.models.Rotary`, which pairs feature i with i + K/2. ``at``
    are the two positions shown first, below ``context``; it can be read back and set. Raises
    ValueError where shapes or positions do not fit.
    """

    _esm = module("widgets/position_clocks/position_clocks.js")
    _css = styles("widgets/shared/theme.css", "widgets/position_clocks/position_clocks.css")

    cos = traitlets.Bytes().tag(sync=True)  # float32 (T, K/2), as Rotary holds them
    sin = traitlets.Bytes().tag(sync=True)
    speeds = traitlets.List(traitlets.Float()).tag(sync=True)  # radians a token, one a pair
    vectors = traitlets.Bytes().tag(sync=True)  # float32 (2, K): query and key
    at = traitlets.List(traitlets.Int()).tag(sync=True)
    context = traitlets.Int().tag(sync=True)
    rotary = traitlets.Bool().tag(sync=True)

    def __init__(
        self,
        query: Any = None,
        key: Any = None,
        *,
        width: int = 8,
        context: int = 128,
        at: tuple[int, int] = (7, 4),
        title: str = "",
    ):
        if (query is None) != (key is None):
            raise ValueError("query and key must be given together, or neither: got one of them.")
        rotary = query is not None
        vectors = _pair(query, key) if rotary else _upright(width)
        if context < 2:
            raise ValueError(f"context must be at least 2 positions: got {context}.")
        if len(at) != 2 or not all(0 <= position < context for position in at):
            raise ValueError(
                f"at must be two positions between 0 and {context - 1}: got {list(at)}."
            )
        turn = Rotary(vectors.shape[1], context)
        super().__init__(
            cos=turn.cos.numpy().astype("<f4").tobytes(),
            sin=turn.sin.numpy().astype("<f4").tobytes(),
            speeds=torch.atan2(turn.sin[1], turn.cos[1]).tolist(),
            vectors=vectors.astype("<f4").tobytes(),
            at=list(at),
            context=context,
            rotary=rotary,
            title=title,
        )
        self.description = f"Two positions on {turn.cos.shape[1]} clocks: {self.sentence()}"

    def score(self) -> float:
        """The product of the two vectors, each turned by its position."""
        vectors = torch.from_numpy(np.frombuffer(self.vectors, "<f4").reshape(2, -1).copy())
        turn = Rotary(vectors.shape[1], self.context)
        query, key = (turn(vectors[i, None], self.at[i])[0] for i in (0, 1))
        return float(query @ key)

    def sentence(self) -> str:
        """What the widget says aloud."""
        first, second, product = (
            ("Query", "key", "score") if self.rotary else ("One word", "the other", "product")
        )
        here, there = self.at
        said = (
            f"{first} at {here}, {second} at {there}, distance {here - there}:"
            f" {product} {self.score():.3f}."
        )
        return said.replace("-", "−")


def _upright(width: int) -> np.ndarray:
    """Two vectors (2, K) whose every hand stands at twelve: turned, they are the sinusoids."""
    if width < 2 or width % 2:
        raise ValueError(f"width must be even, at least 2: got {width}.")
    return np.repeat([[1.0, 0.0]], width // 2, axis=1).repeat(2, axis=0)


def _pair(query: Any, key: Any) -> np.ndarray:
    """Query and key as one array (2, K)."""
    query, key = to_array(query), to_array(key)
    if query.ndim != 1 or query.shape != key.shape or len(query) % 2 or not len(query):
        raise ValueError(
            "query and key must be vectors of one length, which is even: got shapes"
            f" {query.shape} and {key.shape}."
        )
    if not (np.isfinite(query).all() and np.isfinite(key).all()):
        raise ValueError("query and key must hold finite numbers: got NaN or infinity.")
    return np.stack([query, key])
