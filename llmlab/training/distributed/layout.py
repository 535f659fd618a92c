"""Where the pieces of one parameter lie."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

import torch
from torch import Tensor
from torch.distributed.device_mesh import DeviceMesh
from torch.distributed.tensor import DTensor, distribute_tensor

from llmlab.training.distributed.tensor import interleave


@dataclass(frozen=True)
class Layout:
    """How a parameter is cut over processes, which holds for all that has its shape.

    ``stacked`` says how many matrices the parameter holds, whose rows were sorted for how many
    processes before it was cut (see ``interleave``).
    """

    mesh: DeviceMesh
    placements: tuple
    shape: torch.Size
    stride: tuple[int, ...]
    stacked: tuple[int, int] = (1, 1)

    @classmethod
    def of(cls, parameter: DTensor, stacked: tuple[int, int] = (1, 1)) -> Layout:
        """The layout of a parameter that has been cut."""
        mesh, placements = parameter.device_mesh, parameter.placements
        return cls(mesh, placements, parameter.shape, parameter.stride(), stacked)

    @property
    def pieces(self) -> int:
        """How many different pieces there are; processes beyond that hold copies."""
        sizes = zip(self.placements, self.mesh.shape, strict=True)
        return prod(size for placement, size in sizes if placement.is_shard())

    def whole(self, piece: Tensor) -> Tensor:
        """Collect the pieces of all processes. Every one of them must call this."""
        cut = DTensor.from_local(
            piece,
            self.mesh,
            self.placements,
            run_check=False,
            shape=self.shape,
            stride=self.stride,
        )
        return interleave(cut.full_tensor(), *reversed(self.stacked))

    def piece(self, whole: Tensor) -> Tensor:
        """This process's own piece; nothing is sent."""
        rows = interleave(whole, *self.stacked)
        cut = distribute_tensor(rows, self.mesh, self.placements, src_data_rank=None)
        return cut.to_local().clone()  # a view would keep all of it in memory
