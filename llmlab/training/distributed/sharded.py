"""Sharding: a process keeps pieces of the parameters, and of what the optimizer remembers of them.

The optimizers never see that a parameter is cut. They move this process's piece of it, a plain
tensor; AdamW and Lion, which treat each number alone, then need nothing else.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.distributed.fsdp.sharded_grad_scaler import ShardedGradScaler
from torch.distributed.tensor import DTensor
from torch.optim import Optimizer

from llmlab.models import Block
from llmlab.training.distributed.layout import Layout
from llmlab.training.distributed.processes import Processes
from llmlab.training.distributed.tensor import check_divisible, share_heads


class Sharded(Processes):
    """PyTorch's fully_shard over all processes, or its tensor parallelism within each block."""

    @property
    def name(self) -> str:
        """Which of the two it is."""
        return "tensor" if self.tensor_size > 1 else "fsdp"

    def check(self, model: nn.Module, batch) -> None:
        """Raise ValueError, in every process, if the model or the batch cannot be divided."""
        super().check(model, batch)
        if self.tensor_size > 1:
            check_divisible(model, self.tensor_size)

    def place(
        self, model: nn.Module, optimizers: Sequence[Optimizer], device: torch.device
    ) -> tuple[nn.Module, nn.Module]:
        """A copy of the model is cut and trained; ``gather`` fills the model itself."""
        self._model, self._cut = model, copy.deepcopy(model).to(device)
        sizes, names = (self.replicas, self.tensor_size), ("data", "tensor")
        self._mesh = init_device_mesh(device.type, sizes, mesh_dim_names=names)
        stacked: dict[str, tuple[int, int]] = {}
        if self.tensor_size > 1:
            stacked = share_heads(self._cut, self._mesh["tensor"])
        else:
            blocks = [module for module in self._cut.modules() if isinstance(module, Block)]
            for module in [*blocks, self._cut]:
                fully_shard(module, mesh=self._mesh["data"])
        self._layouts = {
            name: Layout.of(parameter, stacked.get(name, (1, 1)))
            for name, parameter in self._cut.named_parameters()
            if isinstance(parameter, DTensor)
        }
        self._hand_over(optimizers)
        return self._cut, self._cut

    @torch.no_grad()
    def _hand_over(self, optimizers: Sequence[Optimizer]) -> None:
        """Give the optimizers this process's pieces instead of the whole model's parameters."""
        names = {parameter: name for name, parameter in self._model.named_parameters()}
        cut = dict(self._cut.named_parameters())
        self._pieces: dict[Tensor, Tensor] = {}  # what an optimizer moves, and what backward fills
        self._layout_of: dict[Tensor, Layout] = {}
        for group in (group for optimizer in optimizers for group in optimizer.param_groups):
            for index, parameter in enumerate(group["params"]):
                name = names[parameter]
                piece = nn.Parameter(_local(cut[name]))  # the same memory
                self._pieces[piece] = cut[name]
                if name in self._layouts:
                    self._layout_of[piece] = self._layouts[name]
                group["params"][index] = piece

    @torch.no_grad()
    def gather(self) -> nn.Module:
        """The model that was placed, with the weights as training has left them, whole."""
        own = self._model.state_dict()
        for name, value in self._cut.state_dict().items():
            layout = self._layouts.get(name)
            own[name].copy_(layout.whole(_local(value)) if layout else value)
        return self._model

    def whole(self, parameter: Tensor, piece: Tensor) -> Tensor:
        """From what belongs to a process's piece of a parameter, what belongs to all of it."""
        layout = self._layout_of.get(parameter)
        return layout.whole(piece) if layout and piece.ndim else piece

    def piece(self, parameter: Tensor, whole: Tensor) -> Tensor:
        """The inverse of ``whole``."""
        layout = self._layout_of.get(parameter)
        return layout.piece(whole) if layout and whole.ndim else whole

    @contextmanager
    def micro_batch(self, last: bool) -> Iterator[None]:
        """fully_shard averages after each backward; at the end the pieces get their gradients."""
        yield
        if not last:
            return
        for piece, parameter in self._pieces.items():
            gradient, parameter.grad = parameter.grad, None
            if isinstance(gradient, DTensor) and gradient.placements != parameter.placements:
                gradient = gradient.redistribute(placements=parameter.placements)
            piece.grad = gradient if gradient is None else _local(gradient)

    def clip(self, parameters: Sequence[Tensor], bound: float) -> Tensor:
        """Scale the gradients to a norm of at most ``bound``; return the norm before that."""
        moved = [parameter for parameter in parameters if parameter.grad is not None]
        norms = torch.stack(torch._foreach_norm([parameter.grad for parameter in moved]))
        layouts = [self._layout_of.get(parameter) for parameter in moved]
        pieces = norms.new_tensor([layout.pieces if layout else 1 for layout in layouts])
        # of each piece there are size / pieces copies, which must count once in the sum over all
        square = (norms.square() * pieces / self.size).sum()
        dist.all_reduce(square)
        norm = square.sqrt()
        nn.utils.clip_grads_with_norm_(moved, bound, norm)
        return norm

    def scaler(self, device: torch.device, enabled: bool) -> torch.amp.GradScaler:
        """One that skips an update in all processes if a gradient overflows in one."""
        return ShardedGradScaler(device.type, enabled=enabled)

    def _data_group(self) -> dist.ProcessGroup:
        return self._mesh["data"].get_group()


def _local(tensor: Tensor) -> Tensor:
    return tensor.to_local().detach() if isinstance(tensor, DTensor) else tensor.detach()
