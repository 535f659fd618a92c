"""The most memory that a training step takes at one moment: counted, without taking it.

A step of the real loss and the real optimizer runs on fake tensors, which have a shape and no
numbers, and every buffer is counted from when an operation makes it until nothing refers to it.
"""

from __future__ import annotations

import weakref
from typing import Any

import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_map_only

from llmlab.data.batches import Batch
from llmlab.training.config import TrainConfig
from llmlab.training.objectives import causal_loss
from llmlab.training.optimizers import make_optimizers


def peak_of_training(model: nn.Module, tokens: torch.Tensor) -> int:
    """Bytes at the fullest moment of training on tokens (B, T): weights, state and all else.

    The model and the tokens are fake, and the optimizer is AdamW. That moment mostly comes in the
    backward pass, when little of what the forward pass kept is free and gradients begin to come.
    """
    optimizers = make_optimizers(model, TrainConfig(steps=1, device="cpu"))
    parameters = list(model.parameters())
    with LiveBytes(parameters) as live:
        for _ in range(2):  # the optimizer's state is there from the second step on
            loss, metrics = causal_loss(model, Batch(tokens, tokens))
            loss.backward()
            nn.utils.clip_grad_norm_(parameters, 1.0)
            for optimizer in optimizers:
                optimizer.step()
                optimizer.zero_grad()
            del loss, metrics
    return live.most


class LiveBytes(TorchDispatchMode):
    """Inside, how many bytes the buffers take ``now``, and the ``most`` they took at one moment."""

    def __init__(self, there: list[torch.Tensor]) -> None:
        super().__init__()
        self.now = self.most = 0
        self._counted: set[int] = set()
        for tensor in there:
            self._count(tensor)

    def __torch_dispatch__(self, function, types, args=(), kwargs=None) -> Any:
        """Run an operation and count what it makes."""
        result = function(*args, **(kwargs or {}))
        tree_map_only(torch.Tensor, self._count, result)
        return result

    def _count(self, tensor: torch.Tensor) -> None:
        storage = tensor.untyped_storage()
        key = storage._cdata
        if key not in self._counted:
            self._counted.add(key)
            self.now += storage.nbytes()
            self.most = max(self.most, self.now)
            weakref.finalize(storage, self._forget, key, storage.nbytes())

    def _forget(self, key: int, size: int) -> None:
        self._counted.discard(key)
        self.now -= size
