"""Products of a few vectors with a large matrix, as when a model writes token by token.

A product with many vectors keeps the cores calculating. A product with one vector uses each weight
once, so it takes as long as reading the weights from memory, and one core cannot draw all that
memory gives. Yet with the usual call such a skinny product is read at about the pace of one core.
Cutting the matrix into slices, as a batch of smaller products, lets every core read.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

from llmlab.models import TokenEmbedding

FEW_VECTORS = 64
MANY_WEIGHTS = 1 << 18  # a megabyte: what lies in a core's cache needs no second reader
SLICES_A_THREAD = 4  # several, so that no core is left waiting for the other's last one
LARGEST_SLICE = 1 << 19  # weights, two megabytes: larger ones slow products with tens of vectors


class QuickProducts:
    """A context in which a model's linear layers and its head compute slice by slice.

    The model itself is not changed: its parts are called differently, and afterwards as before.
    Layers whose weights are too few to gain by it are left alone.
    """

    def __init__(self, model: nn.Module):
        layers = [m for m in model.modules() if type(m) is nn.Linear and _is_large(m.weight)]
        tables = [m for m in model.modules() if isinstance(m, TokenEmbedding)]
        self._layers = [(layer, SlicedLinear(layer.weight, layer.bias)) for layer in layers]
        self._heads = [(t, SlicedLinear(t.weight)) for t in tables if _is_large(t.weight)]

    def __enter__(self) -> None:
        for layer, sliced in self._layers:
            layer.forward = sliced
        for head, sliced in self._heads:
            head.logits = sliced

    def __exit__(self, *error: object) -> None:
        for layer, _ in self._layers:
            del layer.forward
        for head, _ in self._heads:
            del head.logits


class SlicedLinear:
    """x Wᵀ + b for vectors x (..., D), a weight W (N, D) and a bias b (N,); returns (..., N).

    A few vectors, without gradients, meet the matrix slice by slice; otherwise this is
    ``torch.nn.functional.linear``. The results differ in the last bits, as sums in another order.
    The slices are views, cut once: cutting anew for every token would take as long as a few of the
    smaller products.
    """

    def __init__(self, weight: torch.Tensor, bias: torch.Tensor | None = None):
        self._weight, self._bias = weight, bias
        slices = max(SLICES_A_THREAD * torch.get_num_threads(), weight.numel() // LARGEST_SLICE)
        self._parts = _cut(weight.detach(), None if bias is None else bias.detach(), slices)

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        """The products (..., N)."""
        if torch.is_grad_enabled() or x.shape[:-1].numel() > FEW_VECTORS:
            return F.linear(x, self._weight, self._bias)
        rows = x.reshape(1, -1, x.shape[-1])  # (1, M, D)
        parts = [_product(rows, matrices, bias) for matrices, bias in self._parts]
        out = parts[0] if len(parts) == 1 else torch.cat(parts, dim=-1)
        return out.view(*x.shape[:-1], -1)


def _cut(weight: torch.Tensor, bias: torch.Tensor | None, slices: int) -> list[tuple]:
    """Equal slices (slices, D, N / slices) and their biases, and a last one of the rows left."""
    outputs, width = weight.shape
    rest = outputs % slices
    even = outputs - rest
    parts = [] if rest == outputs else [(slices, slice(0, even))]
    parts += [(1, slice(even, outputs))] if rest else []
    return [
        (
            weight[rows].view(count, -1, width).mT,
            None if bias is None else bias[rows].view(count, 1, -1),
        )
        for count, rows in parts
    ]


def _product(rows: torch.Tensor, matrices: torch.Tensor, bias: torch.Tensor | None) -> torch.Tensor:
    """Vectors (1, M, D) times each of the slices, side by side: (M, N)."""
    rows = rows.expand(len(matrices), -1, -1)  # (slices, M, D)
    out = torch.bmm(rows, matrices) if bias is None else torch.baddbmm(bias, rows, matrices)
    return out.transpose(0, 1).flatten(1)  # from (slices, M, N / slices)


def _is_large(weight: torch.Tensor) -> bool:
    return weight.numel() >= MANY_WEIGHTS and weight.is_cpu and weight.dtype == torch.float32
