"""Which parameters decay, and which are matrices to be orthogonalised."""

from __future__ import annotations

from collections.abc import Iterable

from torch import Tensor, nn


def trainable(model: nn.Module) -> list[Tensor]:
    """The parameters that training changes.

    Raises ValueError if there are none.
    """
    found = [parameter for parameter in model.parameters() if parameter.requires_grad]
    if not found:
        raise ValueError("model has no parameter with requires_grad=True, so nothing can train.")
    return found


def parameter_groups(parameters: Iterable[Tensor], weight_decay: float) -> list[dict]:
    """Split parameters into those that decay and those that do not; empty groups are left out.

    Matrices (and embeddings) decay; biases and the gains of norms do not: pulling a gain towards
    zero would fight the normalisation instead of simplifying the function.
    """
    parameters = list(parameters)
    groups = [
        {"params": [p for p in parameters if p.ndim >= 2], "weight_decay": weight_decay},
        {"params": [p for p in parameters if p.ndim < 2], "weight_decay": 0.0},
    ]
    return [group for group in groups if group["params"]]


def hidden_matrices(model: nn.Module) -> list[Tensor]:
    """The trainable weights of linear layers: they map one hidden vector to another.

    Tables of vectors, one a token, are not among them: their rows are met one at a time.
    """
    layers = [module for module in model.modules() if isinstance(module, nn.Linear)]
    return [layer.weight for layer in layers if layer.weight.requires_grad]
