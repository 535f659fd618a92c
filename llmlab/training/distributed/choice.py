"""From a name, and from what torchrun says, to the strategy of a training."""

from __future__ import annotations

import os

from llmlab.training.distributed.alone import Alone

PARALLEL = ("ddp", "fsdp", "tensor")


def choose_parallel(name: str | None = None, tensor_size: int | None = None) -> Alone:
    """Return how the processes that ``torchrun`` started share a training.

    All three do the arithmetic of one process, and differ in what a process keeps:

    - "ddp" (Li et al. 2020): the whole model and its optimizer; each takes its rows of a batch.
    - "fsdp" (Zhao et al. 2023): 1/n of every weight and of the optimizer's memory of it; layers are
      collected while they compute. Rows as before.
    - "tensor" (Shoeybi et al. 2019, Megatron-LM): some of the heads and of the hidden features of
      each block, for all rows of the batch.

    ``tensor_size`` is how many processes share the heads of one model. With "tensor" it is all of
    them; with "fsdp", 1 unless given, and the batch is divided among the groups of that size. No
    name means "ddp", or without torchrun this process alone.

    Raises ValueError for an unknown name, for one without torchrun, and where ``tensor_size``
    does not divide the number of processes.
    """
    if name is not None and name not in PARALLEL:
        raise ValueError(f"parallel must be one of {', '.join(PARALLEL)}: got parallel={name!r}.")
    if not _launched():
        if name is None and tensor_size is None:
            return Alone()
        raise ValueError(
            "parallel needs several processes, as started by "
            "`torchrun --nproc-per-node 2 -m llmlab train`: this is a single one."
        )
    from llmlab.training.distributed.processes import number_of_processes
    from llmlab.training.distributed.replicated import Replicated
    from llmlab.training.distributed.sharded import Sharded

    processes = number_of_processes()
    sizes = {"fsdp": _divisors(processes), "tensor": [processes]}.get(name, [1])
    tensor_size = sizes[0] if tensor_size is None else tensor_size
    if tensor_size not in sizes:
        accepted = ", ".join(map(str, sizes))
        raise ValueError(
            f"tensor_size must be one of {accepted} with {processes} processes and "
            f"{name or 'ddp'}: got tensor_size={tensor_size}."
        )
    return Sharded(tensor_size) if name in ("fsdp", "tensor") else Replicated()


def _launched() -> bool:
    return "RANK" in os.environ and "WORLD_SIZE" in os.environ


def _divisors(number: int) -> list[int]:
    return [size for size in range(1, number + 1) if number % size == 0]
