"""Norms: bring each token's vector to a common scale, on which what reads it can rely.

Both are written out once as a readable function and once as a module on PyTorch's fused kernel.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

from llmlab.checks import check_choice, check_numbers, check_sizes

NORMS = ("layer", "rms")


def layer_norm(
    x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None = None, epsilon: float = 1e-5
) -> torch.Tensor:
    """Each vector of x (..., D) to mean 0 and variance 1, then × weight (D,) + bias (D,).

    Ba, Kiros and Hinton 2016. The variance divides by D, not D - 1.
    """
    centred = x - x.mean(dim=-1, keepdim=True)
    variance = centred.square().mean(dim=-1, keepdim=True)
    normed = centred / torch.sqrt(variance + epsilon) * weight
    return normed if bias is None else normed + bias


def rms_norm(x: torch.Tensor, weight: torch.Tensor, epsilon: float = 1e-5) -> torch.Tensor:
    """Each vector of x (..., D) to root mean square 1, then × weight (D,). No centring, no bias.

    Zhang and Sennrich 2019, equation 4.
    """
    return x / torch.sqrt(x.square().mean(dim=-1, keepdim=True) + epsilon) * weight


class LayerNorm(nn.Module):
    """``layer_norm`` with a trained weight and, if wanted, bias: (..., D) to (..., D)."""

    def __init__(self, width: int, bias: bool = True, epsilon: float = 1e-5):
        super().__init__()
        check_sizes(width=width)
        check_numbers(epsilon=epsilon)
        self.weight = nn.Parameter(torch.ones(width))
        self.bias = nn.Parameter(torch.zeros(width)) if bias else None
        self.epsilon = epsilon

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The normed vectors (..., D)."""
        return F.layer_norm(x, self.weight.shape, self.weight, self.bias, self.epsilon)


class RMSNorm(nn.Module):
    """``rms_norm`` with a trained weight: (..., D) to (..., D)."""

    def __init__(self, width: int, epsilon: float = 1e-5):
        super().__init__()
        check_sizes(width=width)
        check_numbers(epsilon=epsilon)
        self.weight = nn.Parameter(torch.ones(width))
        self.epsilon = epsilon

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The normed vectors (..., D)."""
        return F.rms_norm(x, self.weight.shape, self.weight, self.epsilon)


def norm_named(name: str, width: int, bias: bool = True) -> nn.Module:
    """The norm of that name, "layer" or "rms"; only the first may have a bias."""
    check_choice("norm", name, NORMS)
    return LayerNorm(width, bias=bias) if name == "layer" else RMSNorm(width)
