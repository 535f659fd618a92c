"""The attention map: who looks at whom, in every head of every layer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import traitlets

from llmlab.display.arrays import attention_array, visible
from llmlab.display.sources import module, styles
from llmlab.display.widgets.shared.widget import Widget

__all__ = ["AttentionMap"]


class AttentionMap(Widget):
    """Tokens x tokens heat map with a picker of layer and head; hover, tap or arrow keys move.

    ``maps`` is a list over layers of (H, T, T) weights (a batch of one, (1, H, T, T), will do), as
    ``record_attention`` gives them; ``tokens`` are the T pieces of text. ``layer``, ``head`` and
    ``query`` choose what is shown first, can be read back and can be set. Raises ValueError where
    shapes do not fit or rows do not sum to 1.
    """

    _esm = module("widgets/attention_map/attention_map.js")
    _css = styles("widgets/shared/theme.css", "widgets/attention_map/attention_map.css")

    weights = traitlets.Bytes().tag(sync=True)
    shape = traitlets.List(traitlets.Int()).tag(sync=True)  # L, H, T
    tokens = traitlets.List(traitlets.Unicode()).tag(sync=True)
    layer = traitlets.Int(0).tag(sync=True)
    head = traitlets.Int(0).tag(sync=True)
    query = traitlets.Int(0).tag(sync=True)

    def __init__(
        self,
        maps: Any,
        tokens: Sequence[str],
        *,
        layer: int = 0,
        head: int = 0,
        query: int | None = None,
        title: str = "",
    ):
        weights = attention_array(maps, tokens)
        L, H, T, _ = weights.shape
        query = T - 1 if query is None else query
        for name, value, end in (("layer", layer, L), ("head", head, H), ("query", query, T)):
            if not 0 <= value < end:
                raise ValueError(f"{name} must be between 0 and {end - 1}: got {value}.")
        # Twelve bits of fraction are more than an eye can tell, and compress to half the size.
        coarse = np.round(weights * 4096) / 4096
        super().__init__(
            weights=coarse.astype("<f4").tobytes(),
            shape=[L, H, T],
            tokens=list(tokens),
            layer=layer,
            head=head,
            query=query,
            title=title,
            description=f"A map of where each of {T} tokens looks, in {L} layers of {H} heads.",
        )

    def sentence(self) -> str:
        """What the widget says aloud: where the chosen token looks in the chosen head."""
        L, H, T = self.shape
        weights = np.frombuffer(self.weights, "<f4").reshape(L, H, T, T)
        row = weights[self.layer, self.head, self.query]
        best = int(row.argmax())
        return (
            f"Layer {self.layer}, head {self.head}: token “{visible(self.tokens[self.query])}”"
            f" looks most at “{visible(self.tokens[best])}” ({row[best]:.2f})."
        )
