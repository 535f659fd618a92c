"""A linear layer that is quick for a few vectors too, as when a model writes token by token.

A product with many vectors keeps the cores calculating. A product with one vector uses each weight
once, so it takes as long as reading the weights from memory, and one core cannot draw all that
memory gives. Yet with the usual call such a skinny product is read at about the pace of one core.
Cutting the matrix into slices, as a batch of smaller products, lets every core read.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

FEW_VECTORS = 64
MANY_WEIGHTS = 1 << 18  # a megabyte: what lies in a core's cache needs no second reader
SLICES_A_THREAD = 4  # several, so that no core is left waiting for the other's last one
LARGEST_SLICE = 1 << 19  # weights, two megabytes: larger ones slow products with tens of vectors


class Linear(nn.Linear):
    """``torch.nn.Linear``, through :func:`linear`: vectors (..., D) to (..., N)."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """x Wᵀ + b."""
        return linear(x, self.weight, self.bias)


def linear(x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None = None) -> torch.Tensor:
    """x Wᵀ + b for vectors x (..., D), a weight W (N, D) and a bias b (N,); returns (..., N).

    On a CPU, without gradients, a few vectors meet a large matrix slice by slice; otherwise this is
    ``torch.nn.functional.linear``. The results differ in the last bits, as sums in another order.
    """
    few = not torch.is_grad_enabled() and x.shape[:-1].numel() <= FEW_VECTORS
    if few and weight.numel() >= MANY_WEIGHTS and weight.is_cpu and weight.dtype == torch.float32:
        slices = max(SLICES_A_THREAD * torch.get_num_threads(), weight.numel() // LARGEST_SLICE)
        return _in_slices(x, weight, bias, slices)
    return F.linear(x, weight, bias)


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
