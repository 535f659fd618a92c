"""From a name, and from what torchrun says, to the strategy of a training."""

from __future__ import annotations

import os

from llmlab.training.distributed.alone import Alone

PARALLEL = ("ddp", "fsdp", "tensor")


def choose_parallel(name: str | None = None) -> Alone:
    """Return how the processes that ``torchrun`` started share a training.

    All three do the arithmetic of one process, and differ in what a process keeps:

    - "ddp" (Li et al. 2020): the whole model and its optimizer; each takes its rows of a batch.
    - "fsdp" (Zhao et al. 2023): 1/n of every weight and of the optimizer's memory of it; layers are
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
            return Alone()
        raise ValueError(
            "parallel needs several processes, as started by "
            "`torchrun --nproc-per-node 2 -m llmlab train`: this is a single one."
        )
    from llmlab.training.distributed.processes import number_of_processes
    from llmlab.training.distributed.replicated import Replicated
    from llmlab.training.distributed.sharded import Sharded

    if name == "fsdp":
        return Sharded()
    return Sharded(tensor_size=number_of_processes()) if name == "tensor" else Replicated()


def _launched() -> bool:
    return "RANK" in os.environ and "WORLD_SIZE" in os.environ
