"""Sharding: a process keeps pieces of the parameters, and of their optimizer state.

The pieces are PyTorch's distributed tensors (``DTensor``), which optimizers move as they move any
other: what is done to each number alone needs nothing else.
"""

from __future__ import annotations

import copy
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.checkpoint.state_dict import StateDictOptions, get_model_state_dict
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.distributed.fsdp.sharded_grad_scaler import ShardedGradScaler
from torch.distributed.tensor import DTensor, distribute_tensor

from llmlab.models import Block
from llmlab.training.distributed.processes import Processes
from llmlab.training.distributed.tensor import check_divisible, share_heads
from llmlab.training.wrappers import unwrapped


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

    def place(self, model: nn.Module, device: torch.device) -> tuple[nn.Module, nn.Module]:
        """A copy of the model is cut and trained; ``gather`` fills the model itself."""
        self._model = unwrapped(model)
        self._trained = copy.deepcopy(self._model).to(device)
        sizes, names = (self.replicas, self.tensor_size), ("data", "tensor")
        self._mesh = init_device_mesh(device.type, sizes, mesh_dim_names=names)
        if self.tensor_size > 1:
            share_heads(self._trained, self._mesh["tensor"])
        else:
            blocks = [module for module in self._trained.modules() if isinstance(module, Block)]
            for module in [*blocks, self._trained]:
                fully_shard(module, mesh=self._mesh["data"])
        return self._trained, self._trained

    def gather(self) -> nn.Module:
        """The model that was placed, with the weights as training has left them, whole."""
        options = StateDictOptions(full_state_dict=True)
        self._model.load_state_dict(get_model_state_dict(self._trained, options=options))
        return self._model

    def _beside(self, parameter: Tensor, tensor: Tensor) -> Tensor:
        """Of a tensor that belongs to a whole parameter, what belongs to this process's piece."""
        if not isinstance(parameter, DTensor) or tensor.ndim == 0:
            return tensor
        mesh, placements = parameter.device_mesh, parameter.placements
        piece = distribute_tensor(tensor, mesh, placements, src_data_rank=None)  # sends nothing
        return piece.clone()  # a view would keep all of it in memory

    @contextmanager
    def micro_batch(self, last: bool) -> Iterator[None]:
        """fully_shard averages after each backward; in the end gradients lie as their weights."""
        yield
        if not last:
            return
        for parameter in self._trained.parameters():
            gradient, placements = parameter.grad, getattr(parameter, "placements", None)
            if isinstance(gradient, DTensor) and gradient.placements != placements:
                parameter.grad = gradient.redistribute(placements=placements)

    def clip(self, parameters: Sequence[Tensor], bound: float) -> Tensor:
        """Scale the gradients to a norm of at most ``bound``; return the norm before that."""
        kinds: defaultdict[type, list[Tensor]] = defaultdict(list)  # PyTorch does not mix them
        for parameter in parameters:
            if parameter.grad is not None:
                kinds[type(parameter.grad)].append(parameter)
        norms = [nn.utils.get_total_norm([p.grad for p in same]) for same in kinds.values()]
        whole = [norm.full_tensor() if isinstance(norm, DTensor) else norm for norm in norms]
        norm = torch.stack(whole).norm()
        for same in kinds.values():
            nn.utils.clip_grads_with_norm_(same, bound, norm)
        return norm

    def scaler(self, device: torch.device, enabled: bool) -> torch.amp.GradScaler:
        """One that skips an update in all processes if a gradient overflows in one."""
        return ShardedGradScaler(device.type, enabled=enabled)

    def _data_group(self) -> dist.ProcessGroup:
        return self._mesh["data"].get_group()
