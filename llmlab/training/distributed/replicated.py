"""Data parallelism: every process holds the model, and they average their gradients."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext

import torch
from torch import nn
from torch.nn.parallel import DistributedDataParallel
from torch.optim import Optimizer

from llmlab.training.distributed.processes import Processes


class Replicated(Processes):
    """PyTorch's DistributedDataParallel: gradients are averaged while backward still runs."""

    name = "ddp"

    def place(
        self, model: nn.Module, optimizers: Sequence[Optimizer], device: torch.device
    ) -> tuple[nn.Module, nn.Module]:
        """The model itself is trained, and called through the wrapper that averages."""
        self._model = model.to(device)
        self._wrapper = DistributedDataParallel(self._model)
        return self._model, self._wrapper

    @contextmanager
    def micro_batch(self, last: bool) -> Iterator[None]:
        """Average once, after the last micro-batch."""
        with nullcontext() if last else self._wrapper.no_sync():
            yield
