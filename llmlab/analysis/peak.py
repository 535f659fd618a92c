"""The most memory that a training step takes at one moment: counted, without taking it.

A step of the real loss and the real optimizer runs on fake tensors, which have a shape and no
numbers, and every buffer counts from when an operation makes it until nothing refers to it.
"""

from __future__ import annotations

import weakref
from collections.abc import Iterable
from typing import Any

import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_map_only

from llmlab.data.batches import Batch
from llmlab.training.config import TrainConfig
from llmlab.training.objectives import causal_loss
from llmlab.training.optimizers import make_optimizers

# glibc's malloc keeps freed buffers up to this size for others (mallopt(3), M_MMAP_THRESHOLD).
LARGEST_IN_HEAP = 32 << 20


class Buffers(TorchDispatchMode):
    """Inside, the buffers of all tensors are counted, beside those that are there.

    ``most`` is how many bytes they took at the fullest moment, ``most_in_heap`` how many of these
    were in buffers of at most LARGEST_IN_HEAP bytes.
    """

    def __init__(self, there: Iterable[torch.Tensor] = ()) -> None:
        super().__init__()
        self.most = self.most_in_heap = 0
        self._sizes: dict[int, int] = {}
        self._now = self._in_heap = 0
        for tensor in there:
            self._note(tensor)

    def __torch_dispatch__(self, function, types, args=(), kwargs=None) -> Any:
        """Run an operation and count what it makes."""
        result = function(*args, **(kwargs or {}))
        tree_map_only(torch.Tensor, self._note, result)
        return result

    def _note(self, tensor: torch.Tensor) -> None:
        storage = tensor.untyped_storage()  # fake tensors have no address of their own
        key = storage._cdata
        if key not in self._sizes:
            self._sizes[key] = storage.nbytes()
            weakref.finalize(storage, self._forget, key)
            self._add(storage.nbytes())

    def _forget(self, key: int) -> None:
        self._add(-self._sizes.pop(key))

    def _add(self, size: int) -> None:
        self._now += size
        self._in_heap += size if abs(size) <= LARGEST_IN_HEAP else 0
        if self._now > self.most:
            self.most, self.most_in_heap = self._now, self._in_heap


def count_training(model: nn.Module, tokens: torch.Tensor) -> Buffers:
    """The buffers of training on tokens (B, T) with AdamW; the model and the tokens are fake.

    The fullest moment mostly comes early in the backward pass, when little of what the forward
    pass kept is free again.
    """
    optimizers = make_optimizers(model, TrainConfig(steps=1, device="cpu"))
    parameters = list(model.parameters())
    with Buffers(parameters) as buffers:
        for _ in range(2):  # the optimizer's state is there from the second step on
            loss, _metrics = causal_loss(model, Batch(tokens, tokens))
            loss.backward()
            nn.utils.clip_grad_norm_(parameters, 1.0)
            for optimizer in optimizers:
                optimizer.step()
                optimizer.zero_grad()
            del loss, _metrics
    return buffers
