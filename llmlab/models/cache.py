"""The key-value cache: what lets a model write its next token without re-reading the text.

A causal model never changes its mind about earlier positions, so their keys and values can be
kept. One new token then costs one row of attention, and memory grows by 2 L G K numbers a token.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

import torch

from llmlab.checks import check_integers, check_sizes


class Cache(Protocol):
    """A layer's cache, with length and append."""

    length: int

    def append(self, keys: torch.Tensor, values: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Keep keys and values (B, G, T, K) of new tokens; return all that they may look at."""


class LayerCache:
    """Keys and values of one layer, in buffers that double when they are full.

    Appending writes into spare room, so n appends copy O(n) numbers in all and not O(n²).
    It is meant for inference: call the model under ``torch.inference_mode`` or ``torch.no_grad``.
    """

    def __init__(self, capacity: int = 0):
        check_integers(0, capacity=capacity)
        self.length = 0
        self._capacity = capacity
        self._keys: torch.Tensor | None = None
        self._values: torch.Tensor | None = None

    def append(self, keys: torch.Tensor, values: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Keep keys and values (B, G, T, K) of T new tokens; return those of every token so far.

        What comes back, (B, G, S, K) twice, are views of the buffers: read them, do not write.

        Raises:
            ValueError: if the new tensors do not fit what is already kept.
        """
        self._make_room(keys, values)
        end = self.length + keys.shape[-2]
        self._keys[..., self.length : end, :] = keys
        self._values[..., self.length : end, :] = values
        self.length = end
        return self._keys[..., :end, :], self._values[..., :end, :]

    @property
    def nbytes(self) -> int:
        """Bytes that the buffers take, spare room included."""
        return sum(b.nbytes for b in (self._keys, self._values) if b is not None)

    def _make_room(self, keys: torch.Tensor, values: torch.Tensor) -> None:
        needed = self.length + keys.shape[-2]
        if self._keys is None:
            self._capacity = max(self._capacity, needed)
            self._keys = _with_time(keys, self._capacity)
            self._values = _with_time(values, self._capacity)
            return
        _check_fit(keys, self._keys, values, self._values)
        if needed > self._capacity:
            self._capacity = max(2 * self._capacity, needed)
            self._keys = self._moved(self._keys)
            self._values = self._moved(self._values)

    def _moved(self, buffer: torch.Tensor) -> torch.Tensor:
        larger = _with_time(buffer, self._capacity)
        larger[..., : self.length, :] = buffer[..., : self.length, :]
        return larger


class WindowCache:
    """Keys and values of one layer whose queries see ``window`` tokens, their own the last of them.

    Used like ``LayerCache``. ``length`` counts every token, so that positions go on; kept are the
    last ``window - 1``, all that a later query may see.
    """

    def __init__(self, window: int):
        check_sizes(window=window)
        self.length = 0
        self._window = window
        self._keys: torch.Tensor | None = None
        self._values: torch.Tensor | None = None

    def append(self, keys: torch.Tensor, values: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Take keys and values (B, G, T, K) of T new tokens; return them after the ones in sight.

        What comes back is (B, G, S, K) twice, S at most T + window - 1.

        Raises:
            ValueError: if the new tensors do not fit what is already kept.
        """
        time = keys.shape[-2]
        if self._keys is not None:
            _check_fit(keys, self._keys, values, self._values)
            keys = torch.cat([self._keys, keys], dim=-2)
            values = torch.cat([self._values, values], dim=-2)
        first = max(0, keys.shape[-2] - self._window + 1)
        # copies, because views of the last few tokens would keep all of a long prompt in memory
        self._keys, self._values = (part[..., first:, :].clone() for part in (keys, values))
        self.length += time
        return keys, values

    @property
    def nbytes(self) -> int:
        """Bytes that the kept keys and values take."""
        return sum(b.nbytes for b in (self._keys, self._values) if b is not None)


class KeyValueCache:
    """The caches of a model's layers, first to last; ``model.new_cache()`` makes one.

    Give it to the model with the tokens that follow: ``model(new_tokens, cache=cache)``.
    """

    def __init__(self, layers: Iterable[Cache]):
        self._layers = list(layers)
        if wrong := [each for each in self._layers if not hasattr(each, "append")]:
            raise TypeError(f"layers must be caches: got {type(wrong[0]).__name__}.")

    def __getitem__(self, layer: int) -> Cache:
        return self._layers[layer]

    def __len__(self) -> int:
        return len(self._layers)

    @property
    def length(self) -> int:
        """Tokens that every layer has read."""
        return self._layers[-1].length

    @property
    def nbytes(self) -> int:
        """Bytes that the caches of all layers take."""
        return sum(layer.nbytes for layer in self._layers)


def _check_fit(keys, kept_keys, values, kept_values) -> None:
    for name, new, kept in (("keys", keys, kept_keys), ("values", values, kept_values)):
        if _without_time(new) != _without_time(kept):
            raise ValueError(
                f"{name} must have the batch, heads and width of those already cached, "
                f"{_without_time(kept)}: got {_without_time(new)}."
            )


def _with_time(like: torch.Tensor, time: int) -> torch.Tensor:
    return like.new_empty((*like.shape[:-2], time, like.shape[-1]))


def _without_time(tensor: torch.Tensor) -> tuple[int, ...]:
    return (*tensor.shape[:-2], tensor.shape[-1])
