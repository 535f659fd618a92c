"""What optimizers remember, as named tensors: for checkpoints that hold no Python objects."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from torch import Tensor
from torch.optim import Optimizer

Convert = Callable[[Tensor, Tensor], Tensor]


def as_it_is(parameter: Tensor, tensor: Tensor) -> Tensor:
    """What belongs to a parameter that is whole needs no conversion."""
    return tensor


def optimizer_tensors(
    optimizers: Sequence[Optimizer], named: Mapping[str, Tensor], whole: Convert = as_it_is
) -> dict[str, Tensor]:
    """Return the optimizers' memory as named tensors: ``<parameter name>/<state name>``.

    ``named`` are the parameters that the optimizers move. Where those are pieces,
    ``whole(parameter, tensor)`` completes a tensor that belongs to one.
    """
    names = {parameter: name for name, parameter in named.items()}
    return {
        f"{names[parameter]}/{key}": whole(parameter, value)
        for optimizer in optimizers
        for parameter, state in optimizer.state.items()
        for key, value in state.items()
    }


def load_optimizer_tensors(
    optimizers: Sequence[Optimizer],
    named: Mapping[str, Tensor],
    tensors: dict[str, Tensor],
    piece: Convert = as_it_is,
) -> None:
    """Put back what :func:`optimizer_tensors` returned, each beside its parameter.

    ``piece(parameter, tensor)`` takes of a tensor what belongs to a parameter that is a piece.

    Raises ValueError if a tensor belongs to no parameter that the optimizers move.
    """
    owners = {
        parameter: optimizer
        for optimizer in optimizers
        for group in optimizer.param_groups
        for parameter in group["params"]
    }
    for full_name, tensor in tensors.items():
        name, _, key = full_name.rpartition("/")
        parameter = named.get(name)
        if parameter not in owners:
            raise ValueError(f"the optimizer state names {name!r}, which the model does not have.")
        owners[parameter].state[parameter][key] = piece(parameter, tensor.to(parameter.device))
