"""What all strategies of several processes share: who is who, rows, means, stopping together."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn

from llmlab.device import choose_device
from llmlab.training.distributed.alone import Alone
from llmlab.training.nested import map_tensors


def number_of_processes() -> int:
    """How many processes torchrun started, on all machines."""
    return int(os.environ["WORLD_SIZE"])


class Processes(Alone):
    """Several processes, of which groups of ``tensor_size`` see the same rows.

    They talk through gloo about tensors on a CPU and through NCCL about those on a GPU.
    """

    name: str

    def __init__(self, tensor_size: int = 1) -> None:
        if not dist.is_initialized():
            dist.init_process_group()
        self.rank, self.size = dist.get_rank(), dist.get_world_size()
        self.chief = self.rank == 0
        self.tensor_size = tensor_size
        self.replicas, self.replica = self.size // tensor_size, self.rank // tensor_size
        self._device = torch.device("cpu")

    def device(self, name: str) -> torch.device:
        """The GPU of this process's number on its machine, or the CPU."""
        if choose_device(name).type == "cpu":
            return torch.device("cpu")
        number, there = int(os.environ.get("LOCAL_RANK", 0)), torch.cuda.device_count()
        if number >= there:
            raise ValueError(
                f"device={name!r} needs one GPU for each process of a machine, and this one has "
                f"{there}: start fewer processes, or use device='cpu'."
            )
        self._device = torch.device("cuda", number)
        torch.cuda.set_device(self._device)
        return self._device

    def describe(self, device: str) -> str:
        """The device's name, and how many of them work in which way."""
        return f"{self.size} × {device}, {self.name}"

    def check(self, model: nn.Module, batch: Any) -> None:
        """Raise ValueError, in every process, if the model or the batch cannot be divided."""
        self.rows(batch)

    def rows(self, batch: Any) -> Any:
        """This process's part of a batch, whose tensors have a row for each of B examples."""
        return map_tensors(batch, self._rows)

    def _rows(self, tensor: Tensor) -> Tensor:
        if len(tensor) % self.replicas:
            raise ValueError(
                f"batch_size must be a multiple of {self.replicas}, the number of processes that "
                f"share a batch: got batch_size={len(tensor)}."
            )
        return tensor.chunk(self.replicas)[self.replica]

    def mean(self, values: Tensor) -> Tensor:
        """The mean over the replicas."""
        total = values.clone()
        dist.all_reduce(total, group=self._data_group())
        return total / self.replicas

    def all(self, answer: bool) -> bool:
        """Whether every process says yes."""
        noes = torch.tensor(int(not answer), device=self._device)
        dist.all_reduce(noes)
        return not noes.item()

    @contextmanager
    def hold_interrupts(self) -> Iterator[Callable[[], None]]:
        """Ctrl-C reaches processes at different moments; they stop where all have noticed."""
        interrupted: list[int] = []

        def stop_together() -> None:
            if not self.all(not interrupted):
                raise KeyboardInterrupt

        if threading.current_thread() is not threading.main_thread():
            yield stop_together
            return
        previous = signal.signal(signal.SIGINT, lambda number, _: interrupted.append(number))
        try:
            yield stop_together
        finally:
            signal.signal(signal.SIGINT, previous)

    def close(self) -> None:
        """Part with the other processes; nothing can be trained together after that."""
        dist.destroy_process_group()

    def _data_group(self) -> dist.ProcessGroup | None:
        """The processes among which a batch is divided; None for all."""
        return None
