"""What the display reads: tensors and lists as float32 arrays, attention maps, tokens as text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

_VISIBLE = {"\n": "↵", "\t": "⇥", "\r": "␍", " ": "␣", "": "∅"}


def to_array(values: Any) -> np.ndarray:
    """A float32 array of a tensor (on any device, with or without gradient), array or list."""
    if hasattr(values, "detach"):
        values = values.detach().float().cpu()
    return np.asarray(values, dtype=np.float32)


def visible(token: str) -> str:
    """A token as it can be seen: a space as ␣, a line break as ↵."""
    return "".join(_VISIBLE.get(letter, letter) for letter in token) if token else "∅"


def attention_array(maps: Any, tokens: Sequence[str]) -> np.ndarray:
    """Attention maps as one array (L, H, T, T), checked against ``tokens``.

    ``maps`` is a list over layers of (H, T, T) or (1, H, T, T), a tensor (L, H, T, T), or a single
    (T, T) map. Raises ValueError where a shape does not fit or a row does not sum to 1.
    """
    if isinstance(tokens, str) or not all(isinstance(token, str) for token in tokens):
        raise TypeError(f"tokens must be a list of strings: got {type(tokens).__name__}.")
    if not len(maps):
        raise ValueError("maps must hold at least one layer: got none.")
    layers = [to_array(layer) for layer in maps]
    if layers[0].ndim == 1:  # the rows of a single map
        layers = [np.stack(layers)[None]]
    layers = [layer[0] if layer.ndim == 4 and len(layer) == 1 else layer for layer in layers]
    layers = [layer[None] if layer.ndim == 2 else layer for layer in layers]
    T = len(tokens)
    for index, layer in enumerate(layers):
        if layer.ndim != 3 or layer.shape[1:] != (T, T) or len(layer) != len(layers[0]):
            raise ValueError(
                f"maps[{index}] must be (H, T, T) with T={T} tokens and H={len(layers[0])} heads,"
                f" of one text: got shape {layer.shape}."
            )
    weights = np.stack(layers)
    sums = weights.sum(-1)
    if not np.allclose(sums, 1, atol=1e-2):
        worst = float(sums.flat[np.abs(sums - 1).argmax()])
        raise ValueError(f"maps must hold weights whose rows sum to 1: got a row sum of {worst:g}.")
    return weights
