"""Tensor parallelism: each process computes some heads, and some hidden features, of each block.

Megatron-LM's cut (Shoeybi et al. 2019, section 3): the first matrix of attention and of the
feed-forward layer is cut along its outputs, the second along its inputs, and one sum over the
processes completes the block's part. Everything else is computed by all of them alike.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.distributed.device_mesh import DeviceMesh
from torch.distributed.tensor.parallel import (
    ColwiseParallel,
    RowwiseParallel,
    parallelize_module,
)

from llmlab.models import ALiBi, Block, FeedForward, MultiHeadAttention, SwiGLU

# Matrices that are several in one, stacked along their outputs: queries, keys and values; SwiGLU's
# gate and value.
_STACKED = {MultiHeadAttention: ("query_key_value", 3), SwiGLU: ("expand", 2)}
_FIRST_AND_SECOND = {
    MultiHeadAttention: ("query_key_value", "output"),
    FeedForward: ("expand", "output"),
    SwiGLU: ("expand", "output"),
}


def check_divisible(model: nn.Module, processes: int) -> None:
    """Raise ValueError if the heads or hidden features cannot be shared out evenly."""
    parts = list(_parts(model).values())
    if not parts:
        raise ValueError(
            f"the model must be made of blocks to be shared by heads: got {type(model).__name__}."
        )
    for part in parts:
        if isinstance(part, MultiHeadAttention):
            what, count = "heads", part.heads
        else:
            what, count = "the hidden width", part.output.in_features
        if count % processes:
            raise ValueError(
                f"{what} must be a multiple of {processes}, the number of processes that share a "
                f"layer: got {count}."
            )


def share_heads(model: nn.Module, mesh: DeviceMesh) -> dict[str, tuple[int, int]]:
    """Cut the blocks of a model, in place; its other parameters stay whole.

    Returns for each parameter that holds several matrices how many, and for how many processes
    their rows were sorted first (see ``interleave``).
    """
    stacked = {}
    for name, part in _parts(model).items():
        first, second = _FIRST_AND_SECOND[type(part)]
        if type(part) in _STACKED:
            _, matrices = _STACKED[type(part)]
            for kind, parameter in getattr(part, first).named_parameters():
                parameter.data = interleave(parameter.data, matrices, mesh.size())
                stacked[f"{name}.{first}.{kind}"] = (matrices, mesh.size())
        parallelize_module(part, mesh, {first: ColwiseParallel(), second: RowwiseParallel()})
    for module in model.modules():
        if isinstance(module, ALiBi):  # a slope for each of the process's own heads
            module.slopes = module.slopes.chunk(mesh.size())[mesh.get_local_rank()]
    return stacked


def interleave(rows: Tensor, matrices: int, processes: int) -> Tensor:
    """Sort the rows of stacked matrices by process: the first share of each, the second, and so on.

    Cut evenly, [q; k; v] would give the first process all queries and some keys. Sorted, its piece
    is the queries, keys and values of its own heads, stacked as the whole was. ``matrices`` and
    ``processes`` exchanged, the same sorts them back.
    """
    return rows.unflatten(0, (matrices, processes, -1)).transpose(0, 1).flatten(0, 2)


def _parts(model: nn.Module) -> dict[str, nn.Module]:
    """The layers of the blocks that can be cut, by name."""
    return {
        f"{name}.{part}": getattr(block, part)
        for name, block in model.named_modules()
        if isinstance(block, Block)
        for part in ("attention", "feed_forward")
        if type(getattr(block, part)) in _FIRST_AND_SECOND
    }
