"""Masks: which keys a query may see. Booleans, true where it may.

First as functions, then as the parts that an attention is made with. Such a part also knows which
cache is enough for it: what no later query may see need not be kept.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

from llmlab.checks import check_device, check_sizes
from llmlab.models.cache import LayerCache, WindowCache


def causal_mask(
    time: int, source: int | None = None, device: torch.device | str | None = None
) -> torch.Tensor:
    """Booleans (T, S), true where the key is not later than the query.

    The T queries are the last of the S positions; S = T unless given.
    """
    source = time if source is None else source
    check_sizes(time=time, source=source)
    check_device(device)
    return torch.ones(time, source, dtype=torch.bool, device=device).tril(source - time)


def window_mask(
    window: int,
    time: int,
    source: int | None = None,
    device: torch.device | str | None = None,
) -> torch.Tensor:
    """Booleans (T, S), true at the query's own key and the ``window - 1`` before it.

    The T queries are the last of the S positions; S = T unless given. Beltagy, Peters and Cohan
    2020 (Longformer), section 3.1.
    """
    source = time if source is None else source
    check_sizes(window=window)
    return causal_mask(time, source, device).triu(source - time - window + 1)


def padding_mask(lengths: Sequence[int] | torch.Tensor, time: int) -> torch.Tensor:
    """Booleans (B, 1, 1, T), true at the tokens of each text and false at the padding after it.

    It hides padded keys from every query; ``causal_mask(T) & padding_mask(lengths, T)`` does both.

    Raises:
        ValueError: if a length is not from 1 to T.
    """
    lengths = torch.as_tensor(lengths)
    if lengths.ndim != 1 or len(lengths) == 0 or lengths.min() < 1 or lengths.max() > time:
        raise ValueError(
            f"lengths must be one number a text, from 1 to time={time}: got {lengths.tolist()}."
        )
    real = torch.arange(time, device=lengths.device) < lengths[:, None]  # (B, T)
    return real[:, None, None, :]


# --- As parts of an attention ----------------------------------------------------------------


class CausalMask:
    """A query sees itself and everything before it."""

    def __call__(self, time: int, source: int, device: torch.device) -> torch.Tensor | None:
        """Booleans (T, S) for the last T of S positions; None where nothing is hidden."""
        return causal_mask(time, source, device) if time > 1 else None

    def is_causal(self, time: int, source: int) -> bool:
        """Whether this is the mask that PyTorch's kernel knows by that name: it hides no more."""
        return time == source

    def new_cache(self, capacity: int = 0) -> LayerCache:
        """An empty cache of one layer, with room for so many tokens at first."""
        return LayerCache(capacity)


class WindowMask(CausalMask):
    """A query sees itself and the ``window - 1`` tokens before it.

    What lies further back reaches it through the layers in between, a window a layer.
    """

    def __init__(self, window: int):
        check_sizes(window=window)
        self.window = window

    def __call__(self, time: int, source: int, device: torch.device) -> torch.Tensor | None:
        """Booleans (T, S) for the last T of S positions; None where nothing is hidden."""
        if source <= self.window:
            return super().__call__(time, source, device)
        return window_mask(self.window, time, source, device)

    def is_causal(self, time: int, source: int) -> bool:
        """Whether this is the mask that PyTorch's kernel knows by that name: it hides no more."""
        return time == source <= self.window

    def new_cache(self, capacity: int = 0) -> WindowCache:
        """An empty cache of one layer, which never keeps more than the window."""
        return WindowCache(self.window)
