"""Products of a few vectors with a large matrix, as when a model writes token by token.

A product with many vectors keeps the cores calculating. A product with one vector uses each weight
once, so it takes as long as reading the weights from memory, and one core cannot draw all that
memory gives. Yet with the usual call such a skinny product is read at about the pace of one core.
Cutting the matrix into slices, as a batch of smaller products, lets every core read.
"""

from __future__ import annotations

from functools import partial

import torch
from torch import nn
from torch.nn import functional as F

from llmlab.models import TokenEmbedding

FEW_VECTORS = 64
MANY_WEIGHTS = 1 << 18  # a megabyte: what lies in a core's cache needs no second reader
SLICES_A_THREAD = 4  # several, so that no core is left waiting for the other's last one
LARGEST_SLICE = 1 << 19  # weights, two megabytes: larger ones slow products with tens of vectors


class QuickProducts:
    """A context in which a model's linear layers and its head go through :func:`linear`.

    The model itself is not changed: its parts are called differently, and afterwards as before.
    Layers whose weights are too few to gain by it are left alone.
    """

    def __init__(self, model: nn.Module):
        self._layers = [m for m in model.modules() if type(m) is nn.Linear and _is_large(m.weight)]
        tables = (module for module in model.modules() if isinstance(module, TokenEmbedding))
        self._heads = [table for table in tables if _is_large(table.weight)]

    def __enter__(self) -> None:
        for layer in self._layers:
            layer.forward = partial(linear, weight=layer.weight, bias=layer.bias)
        for head in self._heads:
            head.logits = partial(linear, weight=head.weight)

    def __exit__(self, *error: object) -> None:
        for layer in self._layers:
            del layer.forward
        for head in self._heads:
            del head.logits


def linear(x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None = None) -> torch.Tensor:
    """x Wᵀ + b for vectors x (..., D), a weight W (N, D) and a bias b (N,); returns (..., N).

    On a CPU, without gradients, a few vectors meet a large matrix slice by slice; otherwise this is
    ``torch.nn.functional.linear``. The results differ in the last bits, as sums in another order.
    """
    few = not torch.is_grad_enabled() and x.shape[:-1].numel() <= FEW_VECTORS
    if few and _is_large(weight):
        slices = max(SLICES_A_THREAD * torch.get_num_threads(), weight.numel() // LARGEST_SLICE)
        return _in_slices(x, weight, bias, slices)
    return F.linear(x, weight, bias)


def _is_large(weight: torch.Tensor) -> bool:
    return weight.numel() >= MANY_WEIGHTS and weight.is_cpu and weight.dtype == torch.float32


def _in_slices(x, weight, bias, slices: int) -> torch.Tensor:
    outputs, width = weight.shape
    even = outputs - outputs % slices
    if even < outputs:
        first, rest = (None, None) if bias is None else (bias[:even], bias[even:])
        parts = (_in_slices(x, weight[:even], first, slices), F.linear(x, weight[even:], rest))
        return torch.cat(parts, dim=-1)
    rows = x.reshape(-1, width).expand(slices, -1, -1)  # (slices, M, D)
    matrices = weight.view(slices, -1, width).mT
    if bias is None:
        out = torch.bmm(rows, matrices)  # (slices, M, N / slices)
    else:
        out = torch.baddbmm(bias.view(slices, 1, -1), rows, matrices)
    return out.transpose(0, 1).reshape(*x.shape[:-1], outputs)
