"""From a run's config to its optimizers: which of them moves which parameters, and how fast."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from llmlab.training.config import TrainConfig
from llmlab.training.optimizers.lion import Lion
from llmlab.training.optimizers.muon import Muon
from llmlab.training.wrappers import plain_name


def make_optimizers(model: nn.Module, config: TrainConfig) -> list[Optimizer]:
    """Return what ``config.optimizer`` and ``config.groups`` name, each with its parameter groups.

    "muon" moves :func:`hidden_matrices` and leaves all other parameters to AdamW. Matrices (and
    embeddings) decay; biases and the gains of norms do not: pulling a gain towards zero would fight
    the normalisation instead of simplifying the function. Every group keeps its peak learning rate
    as ``initial_lr``, which the schedule multiplies.

    Raises ValueError if the model has nothing to train.
    """
    hidden = hidden_matrices(model)
    groups: defaultdict[str, dict[tuple, dict[str, Any]]] = defaultdict(dict)
    for name, parameter in trainable(model).items():
        settings = config.settings_of(name)
        optimizer = settings.get("optimizer", config.optimizer)
        if optimizer == "muon" and name not in hidden:
            optimizer = "adamw"
        rate = settings.get("learning_rate", config.learning_rate)
        decay = settings.get("weight_decay", config.weight_decay if parameter.ndim >= 2 else 0.0)
        # whole tensors and pieces of distributed ones do not mix in one call
        key = (rate, decay, type(parameter.data))
        group = {"params": [], "lr": rate, "initial_lr": rate, "weight_decay": decay}
        groups[optimizer].setdefault(key, group)["params"].append(parameter)
    order = [name for name in ("muon", "lion", "adamw") if name in groups]
    return [_optimizer(name, list(groups[name].values()), config) for name in order]


def _optimizer(name: str, groups: list[dict[str, Any]], config: TrainConfig) -> Optimizer:
    if name == "muon":
        return Muon(groups)
    if name == "lion":
        return Lion(groups, betas=config.betas)
    # AdamW (Loshchilov & Hutter 2019). The fused kernel updates all parameters in one pass; on a
    # CPU it takes a third of the time of PyTorch's default loop over parameters.
    return torch.optim.AdamW(groups, betas=config.betas, fused=True)


def trainable(model: nn.Module) -> dict[str, Tensor]:
    """The parameters that training changes, by name.

    Raises ValueError if there are none.
    """
    named = model.named_parameters()
    found = {plain_name(name): tensor for name, tensor in named if tensor.requires_grad}
    if not found:
        raise ValueError("model has no parameter with requires_grad=True, so nothing can train.")
    return found


def hidden_matrices(model: nn.Module) -> set[str]:
    """The names of the matrices that map hidden vectors to hidden vectors.

    They are the weights of linear layers, and parameters (E, M, N) that stack the matrices of E
    experts. Not among them are the tables of embeddings, whose rows are met one at a time, and
    matrices of one row or column, such as a head that gives one number: they have one direction.
    """
    linear = {
        plain_name(f"{name}.weight") if name else "weight"
        for name, module in model.named_modules()
        if isinstance(module, nn.Linear)
    }
    return {
        name
        for name, parameter in trainable(model).items()
        if (parameter.ndim == 3 or name in linear) and min(parameter.shape[-2:]) > 1
    }
