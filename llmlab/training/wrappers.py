"""Models inside others that only change how they are called: compiled, or shared by processes."""

from __future__ import annotations

from torch import nn
from torch.nn.parallel import DataParallel, DistributedDataParallel
from torch.optim.swa_utils import AveragedModel

_COMPILED = "_orig_mod"  # where torch.compile keeps the model


def unwrapped(model: nn.Module) -> nn.Module:
    """The model itself: what its checkpoints describe, under the names that it has alone."""
    while True:
        if isinstance(model, (DataParallel, DistributedDataParallel, AveragedModel)):
            model = model.module
        elif _COMPILED in model._modules:
            model = model._modules[_COMPILED]
        else:
            return model


def plain_name(name: str) -> str:
    """A weight's name without the compiled parts around it: ``blocks.0._orig_mod.norm.weight``."""
    return name.replace(f"{_COMPILED}.", "")
