"""Tensor parallelism: each process computes some heads, and some hidden features, of each block.

Megatron-LM's cut (Shoeybi et al. 2019, section 3): the first matrix of attention and of the
feed-forward layer is cut along its outputs, the second along its inputs, and one sum over the
processes completes the block's part. Everything else is computed by all of them alike.
"""

from __future__ import annotations

from torch import nn
from torch.distributed.device_mesh import DeviceMesh
from torch.distributed.tensor.parallel import (
    ColwiseParallel,
    RowwiseParallel,
    parallelize_module,
)

from llmlab.models import ALiBi, Block, FeedForward, MultiHeadAttention, SwiGLU

# The layers of a part that are cut along their outputs; ``output`` is cut along its inputs.
_FIRST = {
    MultiHeadAttention: ("query", "key", "value"),
    FeedForward: ("expand",),
    SwiGLU: ("gate", "expand"),
}


def check_divisible(model: nn.Module, processes: int) -> None:
    """Raise ValueError if the heads or hidden features cannot be shared out evenly."""
    parts = _parts(model)
    if not parts:
        raise ValueError(
            f"the model must be made of blocks to be shared by heads: got {type(model).__name__}."
        )
    for part in parts:
        if isinstance(part, MultiHeadAttention):
            _check_norms(part)
            what, count = "heads", part.key_value_heads
        else:
            what, count = "the hidden width", part.output.in_features
        if count % processes:
            raise ValueError(
                f"{what} must be a multiple of {processes}, the number of processes that share a "
                f"layer: got {count}."
            )


def share_heads(model: nn.Module, mesh: DeviceMesh) -> None:
    """Cut the blocks of a model, in place; its other parameters stay whole."""
    for part in _parts(model):
        cut = {name: ColwiseParallel() for name in _FIRST[type(part)]}
        parallelize_module(part, mesh, {**cut, "output": RowwiseParallel()})
    for module in model.modules():
        if isinstance(module, ALiBi):  # a slope for each of the process's own heads
            module.slopes = module.slopes.chunk(mesh.size())[mesh.get_local_rank()]


def _check_norms(attention: MultiHeadAttention) -> None:
    """Raise ValueError for weights that serve all heads: a process has the gradient of its own."""
    for name in ("query_norm", "key_norm"):
        norm = getattr(attention, name)
        if norm is not None and list(norm.parameters()):
            raise ValueError(
                f"{name} must have no weights where processes share the heads: "
                f"got {type(norm).__name__}."
            )


def _parts(model: nn.Module) -> list[nn.Module]:
    """The layers of the blocks that can be cut."""
    blocks = [module for module in model.modules() if isinstance(module, Block)]
    parts = [part for block in blocks for part in (block.attention, block.feed_forward)]
    return [part for part in parts if type(part) in _FIRST]
