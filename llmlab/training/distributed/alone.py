"""Training in one process: what the loop asks of a strategy, answered in the simplest way."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from llmlab.device import choose_device


class Alone:
    """This process holds the whole model, sees the whole batch, and waits for nobody.

    ``chief`` says whether this process is the one that speaks and writes. A batch is cut into
    ``replicas`` parts, and this process takes part number ``replica``. A strategy serves one
    training at a time.
    """

    chief = True
    replicas = 1
    replica = 0

    def device(self, name: str) -> torch.device:
        """Where this process computes, for the ``device`` of a config. Raises ValueError."""
        return choose_device(name)

    def describe(self, device: str) -> str:
        """The device's name, and how many of them work in which way."""
        return device

    def check(self, model: nn.Module, batch: Any) -> None:
        """Raise ValueError, in every process, if the model or the batch cannot be divided."""

    def rows(self, batch: Any) -> Any:
        """This process's part of a batch."""
        return batch

    def place(
        self, model: nn.Module, optimizers: Sequence[Optimizer], device: torch.device
    ) -> tuple[nn.Module, nn.Module]:
        """Bring a model to the device; return the model to train, and the module to call for it.

        The optimizers were made for the model's own parameters. Afterwards they move this process's
        pieces of them.
        """
        self._model = model.to(device)
        return self._model, self._model

    def gather(self) -> nn.Module:
        """The model that was placed, with the weights as training has left them, whole."""
        return self._model

    def whole(self, parameter: Tensor, piece: Tensor) -> Tensor:
        """From what belongs to a process's piece of a parameter, what belongs to all of it."""
        return piece

    def piece(self, parameter: Tensor, whole: Tensor) -> Tensor:
        """The inverse of ``whole``."""
        return whole

    @contextmanager
    def micro_batch(self, last: bool) -> Iterator[None]:
        """Surrounds forward and backward; gradients are complete after the last micro-batch.

        They are then the mean over the replicas of what each has summed up.
        """
        yield

    def mean(self, values: Tensor) -> Tensor:
        """The mean over the replicas."""
        return values

    def clip(self, parameters: Sequence[Tensor], bound: float) -> Tensor:
        """Scale the gradients to a norm of at most ``bound``; return the norm before that."""
        return nn.utils.clip_grad_norm_(parameters, bound)

    def scaler(self, device: torch.device, enabled: bool) -> torch.amp.GradScaler:
        """What keeps the gradients of fp16 from vanishing."""
        return torch.amp.GradScaler(device.type, enabled=enabled)

    def all(self, answer: bool) -> bool:
        """Whether every process says yes."""
        return answer

    @contextmanager
    def hold_interrupts(self) -> Iterator[Callable[[], None]]:
        """Where processes can only stop together, Ctrl-C waits for the function that is yielded.

        Called by every process at the same moment, it raises KeyboardInterrupt in all of them if
        one was interrupted.
        """
        yield lambda: None

    def close(self) -> None:
        """Part with the other processes; nothing can be trained together after that."""
