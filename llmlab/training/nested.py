"""Batches of any shape: tensors in tuples, lists and dictionaries."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor


def map_tensors(batch: Any, function: Callable[[Tensor], Tensor]) -> Any:
    """Return a batch of the same shape, each of its tensors replaced by the function's result."""
    if isinstance(batch, Tensor):
        return function(batch)
    if isinstance(batch, tuple) and hasattr(batch, "_fields"):
        return type(batch)(*(map_tensors(part, function) for part in batch))
    if isinstance(batch, (tuple, list)):
        return type(batch)(map_tensors(part, function) for part in batch)
    if isinstance(batch, dict):
        return {name: map_tensors(part, function) for name, part in batch.items()}
    return batch


def move(batch: Any, device: torch.device) -> Any:
    """Return a batch (tensor, tuple, list or dictionary of such) with its tensors on ``device``."""

    def moved(tensor: Tensor) -> Tensor:
        if tensor.device.type == "cpu" and device.type == "cuda":
            return tensor.pin_memory().to(device, non_blocking=True)
        return tensor.to(device)

    return map_tensors(batch, moved)


def count_tokens(batch: Any) -> int:
    """Return how many tokens a batch holds: the size of its first tensor of integers.

    A batch without one (images, say) counts its rows instead.
    """
    tensors = list(_tensors(batch))
    for tensor in tensors:
        if not tensor.is_floating_point() and not tensor.is_complex():
            return tensor.numel()
    return len(tensors[0]) if tensors and tensors[0].ndim else 0


def fingerprint(batch: Any) -> str:
    """A hash of the tokens of a batch, and of the shapes of all its tensors.

    Other numbers do not count: machines round them differently.
    """
    digest = hashlib.sha256()
    for tensor in _tensors(batch):
        digest.update(f"{tensor.dtype} {tuple(tensor.shape)}".encode())
        if not tensor.is_floating_point() and not tensor.is_complex():
            digest.update(tensor.cpu().contiguous().numpy())
    return digest.hexdigest()[:16]


def _tensors(batch: Any) -> Iterator[Tensor]:
    if isinstance(batch, Tensor):
        yield batch
    elif isinstance(batch, (tuple, list, dict)):
        for part in batch.values() if isinstance(batch, dict) else batch:
            yield from _tensors(part)
