"""Feed-forward layers: what each token does alone with what attention brought it.

A wider layer, an activation, and back: D → F → D, with F = 4D unless said otherwise.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from torch import nn
from torch.nn import functional as F

from llmlab.checks import check_choice, check_fraction, check_sizes

gelu = F.gelu
"""x Φ(x), exactly. Hendrycks and Gimpel 2016. Hugging Face runs BERT's weights with it."""

gelu_tanh = partial(F.gelu, approximate="tanh")
"""GELU through a tanh, up to 5e-4 from the exact one: that of BERT's and of GPT-2's own code. On a
CPU it takes about twice as long."""


def squared_relu(x: torch.Tensor) -> torch.Tensor:
    """max(x, 0)². So et al. 2021 (Primer)."""
    return F.relu(x).square()


ACTIVATIONS = {"gelu": gelu, "gelu_tanh": gelu_tanh, "relu2": squared_relu}
FEED_FORWARDS = (*ACTIVATIONS, "swiglu")


class FeedForward(nn.Module):
    """output(activation(expand(x))): (B, T, D) to (B, T, D), through (B, T, F).

    Args:
        width: D.
        hidden: F.
        activation: a function of a tensor.
        bias: whether the linear layers have one.
        dropout: probability with which a feature of the output is dropped.
    """

    def __init__(
        self,
        width: int,
        hidden: int,
        activation: Callable[[torch.Tensor], torch.Tensor],
        bias: bool = True,
        dropout: float = 0.0,
    ):
        super().__init__()
        check_sizes(width=width, hidden=hidden)
        check_fraction(dropout=dropout)
        self.expand = nn.Linear(width, hidden, bias=bias)
        self.activation = activation
        self.output = nn.Linear(hidden, width, bias=bias)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """What each token (B, T, D) makes of itself; same shape."""
        return self.dropout(self.output(self.activation(self.expand(x))))


class SwiGLU(nn.Module):
    """output(silu(gate(x)) × expand(x)): (B, T, D) to (B, T, D). Shazeer 2020, equation 6."""

    def __init__(self, width: int, hidden: int, bias: bool = True, dropout: float = 0.0):
        super().__init__()
        check_sizes(width=width, hidden=hidden)
        check_fraction(dropout=dropout)
        self.gate = nn.Linear(width, hidden, bias=bias)
        self.expand = nn.Linear(width, hidden, bias=bias)
        self.output = nn.Linear(hidden, width, bias=bias)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """What each token (B, T, D) makes of itself; same shape."""
        hidden = F.silu(self.gate(x)) * self.expand(x)  # (B, T, F)
        return self.dropout(self.output(hidden))


def hidden_width(name: str, width: int) -> int:
    """F of the feed-forward of that name: 4D, or for SwiGLU 8D/3 to the next multiple of 8.

    SwiGLU has three matrices instead of two; at 2/3 of the width it has as many parameters.
    """
    return -(-8 * width // 24) * 8 if name == "swiglu" else 4 * width


def feed_forward_named(
    name: str, width: int, bias: bool = True, dropout: float = 0.0
) -> FeedForward | SwiGLU:
    """The feed-forward of that name: "gelu", "gelu_tanh", "relu2" or "swiglu"."""
    check_choice("feed_forward", name, FEED_FORWARDS)
    hidden = hidden_width(name, width)
    if name == "swiglu":
        return SwiGLU(width, hidden, bias=bias, dropout=dropout)
    return FeedForward(width, hidden, ACTIVATIONS[name], bias=bias, dropout=dropout)
