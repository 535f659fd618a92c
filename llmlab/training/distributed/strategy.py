"""Strategies of training: what the loop asks of one, and the simplest, a single process."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from llmlab.device import choose_device
from llmlab.training.interrupts import termination_interrupts
from llmlab.training.wrappers import plain_name, unwrapped

PARALLEL = ("ddp", "fsdp", "tensor")


class SingleProcess:
    """This process holds the whole model, sees the whole batch, and waits for nobody.

    It is also what every strategy offers. ``is_main_process`` says whether this process is the one
    that speaks and writes. A batch is cut into ``replicas`` parts, and this process takes part
    number ``replica``. A strategy serves one training at a time.
    """

    is_main_process = True
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

    def place(self, model: nn.Module, device: torch.device) -> tuple[nn.Module, nn.Module]:
        """Bring a model to the device; return the model to train, and the module to call for it.

        The parameters of the first are what optimizers move: the model's own, or pieces of them.
        """
        self._trained = self._model = unwrapped(model.to(device))
        return self._model, model

    def gather(self) -> nn.Module:
        """The model that was placed, with the weights as training has left them, whole."""
        return self._model

    def optimizer_state(self, optimizers: Sequence[Optimizer]) -> dict[str, Tensor]:
        """What the optimizers remember, whole, by ``<parameter name>/<state name>``.

        Every process must call it; of several, the main process alone gets the answer.
        """
        names = {parameter: name for name, parameter in self._named_parameters().items()}
        return {
            f"{names[parameter]}/{key}": value
            for optimizer in optimizers
            for parameter, state in optimizer.state.items()
            for key, value in state.items()
        }

    def load_optimizer_state(
        self, optimizers: Sequence[Optimizer], tensors: Mapping[str, Tensor]
    ) -> None:
        """Put back what ``optimizer_state`` returned, each tensor beside its parameter.

        Raises ValueError if a tensor belongs to no parameter that the optimizers move.
        """
        owners = {
            parameter: optimizer
            for optimizer in optimizers
            for group in optimizer.param_groups
            for parameter in group["params"]
        }
        named = self._named_parameters()
        for full_name, tensor in tensors.items():
            name, _, key = full_name.rpartition("/")
            parameter = named.get(name)
            if parameter not in owners:
                raise ValueError(
                    f"the optimizer state names {name!r}, which the model does not have."
                )
            state = owners[parameter].state[parameter]
            state[key] = self._beside(parameter, tensor.to(parameter.device))

    def _beside(self, parameter: Tensor, tensor: Tensor) -> Tensor:
        """Of a tensor that belongs to a whole parameter, what belongs to this process's piece."""
        return tensor

    def _named_parameters(self) -> dict[str, Tensor]:
        return {plain_name(name): tensor for name, tensor in self._trained.named_parameters()}

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
        """Inside, SIGTERM and SIGHUP interrupt as Ctrl-C does, by a kind of KeyboardInterrupt.

        Where processes can only stop together, both wait for the function that is yielded. Called
        by every process at the same moment, it raises in all of them if one was interrupted.
        """
        with termination_interrupts():
            yield lambda: None

    def close(self) -> None:
        """Part with the other processes; nothing can be trained together after that."""


def choose_parallel(name: str | None = None) -> SingleProcess:
    """Return how the processes that ``torchrun`` started share a training.

    All three do the arithmetic of one process, and differ in what a process keeps:

    - "ddp" (Li et al. 2020): the whole model and its optimizer; each takes its rows of a batch.
    - "fsdp" (Zhao et al. 2023): 1/n of every weight and of its optimizer state; layers are
      collected while they compute. Rows as before.
    - "tensor" (Shoeybi et al. 2019, Megatron-LM): some of the heads and of the hidden features of
      each block, for all rows of the batch.

    No name means "ddp", or without torchrun this process alone.

    Raises ValueError for an unknown name, and for one without torchrun.
    """
    if name is not None and name not in PARALLEL:
        raise ValueError(f"parallel must be one of {', '.join(PARALLEL)}: got parallel={name!r}.")
    if not _launched():
        if name is None:
            return SingleProcess()
        raise ValueError(
            "parallel needs several processes, as started by "
            "`torchrun --nproc-per-node 2 -m llmlab train`: this is a single one."
        )
    from llmlab.training.distributed.processes import Replicated, number_of_processes
    from llmlab.training.distributed.sharded import Sharded

    if name == "fsdp":
        return Sharded()
    return Sharded(tensor_size=number_of_processes()) if name == "tensor" else Replicated()


def _launched() -> bool:
    return "RANK" in os.environ and "WORLD_SIZE" in os.environ
