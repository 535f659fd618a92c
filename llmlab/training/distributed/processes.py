"""Several processes: who is who, rows, means, stopping together; and data parallelism.

All of them act in one order, or they wait for each other forever: whatever they gather goes through
PyTorch's ``distributed.checkpoint.state_dict``, which sees to that.
"""

from __future__ import annotations

import atexit
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.checkpoint.state_dict import StateDictOptions, get_optimizer_state_dict
from torch.nn.parallel import DistributedDataParallel
from torch.optim import Optimizer

from llmlab.device import choose_device
from llmlab.training.distributed.strategy import SingleProcess
from llmlab.training.interrupts import TERMINATING, Terminated, interrupts_noted
from llmlab.training.nested import map_tensors
from llmlab.training.wrappers import unwrapped

PATIENCE = timedelta(minutes=10)  # with the others; one that is gone must not be waited for


def number_of_processes() -> int:
    """How many processes torchrun started, on all machines."""
    return int(os.environ["WORLD_SIZE"])


class Processes(SingleProcess):
    """Several processes, of which groups of ``tensor_size`` see the same rows.

    They talk through gloo about tensors on a CPU and through NCCL about those on a GPU.
    """

    name: str

    def __init__(self, tensor_size: int = 1) -> None:
        if not dist.is_initialized():
            dist.init_process_group(timeout=PATIENCE)
            # whatever happens: gloo's threads must be gone before the interpreter is
            atexit.register(leave)
        self.rank, self.size = dist.get_rank(), dist.get_world_size()
        self.is_main_process = self.rank == 0
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
        """Signals reach processes at different moments; they stop where all have noticed."""
        with interrupts_noted() as noted:

            def stop_together() -> None:
                strongest = torch.tensor(max(noted, default=0), device=self._device)
                dist.all_reduce(strongest, dist.ReduceOp.MAX)
                if number := strongest.item():
                    raise Terminated(number) if number in TERMINATING else KeyboardInterrupt

            yield stop_together

    def optimizer_state(self, optimizers: Sequence[Optimizer]) -> dict[str, Tensor]:
        """What the optimizers remember, whole, by ``<parameter name>/<state name>``.

        Every process must call it; the main process alone gets the answer.
        """
        if not any(optimizer.state for optimizer in optimizers):  # before the first step
            return {}
        options = StateDictOptions(full_state_dict=True, cpu_offload=True)
        found = get_optimizer_state_dict(self._trained, list(optimizers), options=options)
        return {
            f"{name}/{key}": value
            for name, state in found.get("state", {}).items()
            for key, value in state.items()
        }

    def close(self) -> None:
        """Part with the other processes, when all are ready; nothing can be trained after that."""
        dist.barrier()
        leave()

    def _data_group(self) -> dist.ProcessGroup | None:
        """The processes among which a batch is divided; None for all."""
        return None


def leave() -> None:
    """Part with the other processes, if that has not happened yet."""
    if dist.is_initialized():
        dist.destroy_process_group()


class Replicated(Processes):
    """Data parallelism: every process holds the model, and they average their gradients.

    PyTorch's DistributedDataParallel averages while backward still runs.
    """

    name = "ddp"

    def place(self, model: nn.Module, device: torch.device) -> tuple[nn.Module, nn.Module]:
        """The model itself is trained, and called through the wrapper that averages."""
        self._trained = self._model = unwrapped(model).to(device)
        self._wrapper = DistributedDataParallel(self._model)
        return self._model, self._wrapper

    @contextmanager
    def micro_batch(self, last: bool) -> Iterator[None]:
        """Average once, after the last micro-batch."""
        with nullcontext() if last else self._wrapper.no_sync():
            yield
