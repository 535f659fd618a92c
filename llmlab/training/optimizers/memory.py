"""What optimizers remember, as named tensors: for checkpoints that hold no Python objects."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn
from torch.optim import Optimizer


def optimizer_tensors(optimizers: Sequence[Optimizer], model: nn.Module) -> dict[str, Tensor]:
    """Return the optimizers' memory as named tensors: ``<parameter name>/<state name>``."""
    names = {parameter: name for name, parameter in model.named_parameters()}
    return {
        f"{names[parameter]}/{key}": value
        for optimizer in optimizers
        for parameter, state in optimizer.state.items()
        for key, value in state.items()
    }


def load_optimizer_tensors(
    optimizers: Sequence[Optimizer], model: nn.Module, tensors: dict[str, Tensor]
) -> None:
    """Put back what :func:`optimizer_tensors` returned.

    Raises ValueError if a tensor belongs to no parameter that the optimizers move.
    """
    parameters = dict(model.named_parameters())
    owners = {
        parameter: optimizer
        for optimizer in optimizers
        for group in optimizer.param_groups
        for parameter in group["params"]
    }
    for full_name, tensor in tensors.items():
        name, _, key = full_name.rpartition("/")
        parameter = parameters.get(name)
        if parameter not in owners:
            raise ValueError(f"the optimizer state names {name!r}, which the model does not have.")
        owners[parameter].state[parameter][key] = tensor.to(parameter.device)
