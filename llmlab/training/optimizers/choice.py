"""From a run's config to its optimizers."""

from __future__ import annotations

from torch import nn
from torch.optim import Optimizer

from llmlab.training.config import TrainConfig
from llmlab.training.optimizers.adamw import adamw
from llmlab.training.optimizers.groups import hidden_matrices, parameter_groups, trainable
from llmlab.training.optimizers.lion import Lion
from llmlab.training.optimizers.muon import Muon, Pieces


def make_optimizers(
    model: nn.Module, config: TrainConfig, pieces: Pieces | None = None
) -> list[Optimizer]:
    """Return what ``config.optimizer`` names; "muon" leaves to AdamW all that is no hidden matrix.

    ``pieces`` completes matrices of which a process holds a part (see :class:`Muon`).

    Raises ValueError if the model has nothing to train.
    """
    parameters = trainable(model)
    if config.optimizer == "adamw":
        return [adamw(parameters, config)]
    if config.optimizer == "lion":
        groups = parameter_groups(parameters, config.weight_decay)
        return [Lion(groups, config.learning_rate, config.betas)]
    matrices = hidden_matrices(model)
    chosen = set(map(id, matrices))
    others = [parameter for parameter in parameters if id(parameter) not in chosen]
    found: list[Optimizer] = []
    if matrices:
        settings = {"weight_decay": config.weight_decay, "pieces": pieces}
        found.append(Muon(matrices, config.learning_rate, **settings))
    return [*found, adamw(others, config)] if others else found
