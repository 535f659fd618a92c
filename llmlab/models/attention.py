"""Attention: each token asks a question, and gathers from the tokens whose keys answer it.

First the readable version, four lines of arithmetic that return the attention weights. Then the
masks, then ``MultiHeadAttention``, which does the same through PyTorch's fused kernel. Vaswani et
al. 2017, section 3.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import nn
from torch.nn import functional as F

from llmlab.checks import check_dropout, check_heads, check_sizes
from llmlab.models.linear import Linear
from llmlab.models.positions import AttentionPosition


def scaled_dot_product_attention(
    q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, mask: torch.Tensor | None = None
) -> tuple[torch.Tensor, torch.Tensor]:
    """softmax(q kᵀ / √K + mask) v, and the softmax itself. Vaswani et al. 2017, equation 1.

    Args:
        q: queries (..., T, K).
        k: keys (..., S, K).
        v: values (..., S, K).
        mask: None, or broadcastable to (..., T, S): booleans, true where a query may attend, or
            numbers that are added to the scores.

    Returns:
        The output (..., T, K) and the weights (..., T, S). Each row of weights sums to 1, or to 0
        where the mask leaves a query nothing to attend to; its output is then zero.
    """
    scores = q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])  # (..., T, S)
    if mask is None:
        weights = scores.softmax(dim=-1)
    else:
        scores = scores.masked_fill(~mask, -math.inf) if mask.dtype == torch.bool else scores + mask
        # A row without any key would be 0/0: NaN, which spreads through gradients even when unused.
        nothing = scores.isneginf().all(dim=-1, keepdim=True)
        weights = scores.masked_fill(nothing, 0.0).softmax(dim=-1).masked_fill(nothing, 0.0)
    return weights @ v, weights


def causal_mask(
    time: int, source: int | None = None, device: torch.device | str | None = None
) -> torch.Tensor:
    """Booleans (T, S), true where the key is not later than the query.

    The T queries are the last of the S positions; S = T unless given.
    """
    source = time if source is None else source
    check_sizes(time=time, source=source)
    return torch.ones(time, source, dtype=torch.bool, device=device).tril(source - time)


def padding_mask(lengths: Sequence[int] | torch.Tensor, time: int) -> torch.Tensor:
    """Booleans (B, 1, 1, T), true at the tokens of each text and false at the padding after it.

    It hides padded keys from every query; ``causal_mask(T) & padding_mask(lengths, T)`` does both.

    Raises:
        ValueError: if a length is not from 1 to T.
    """
    lengths = torch.as_tensor(lengths)
    if lengths.ndim != 1 or lengths.min() < 1 or lengths.max() > time:
        raise ValueError(
            f"lengths must be one number a text, from 1 to time={time}: got {lengths.tolist()}."
        )
    real = torch.arange(time, device=lengths.device) < lengths[:, None]  # (B, T)
    return real[:, None, None, :]


class MultiHeadAttention(nn.Module):
    """H attentions side by side, each K = D / H wide, mixed by a last linear layer.

    ``attention(x)`` maps (B, T, D) to (B, T, D). Vaswani et al. 2017, section 3.2.2.

    Args:
        width: D.
        heads: H, which must divide D.
        causal: whether a token sees only itself and earlier ones.
        position: rotary or ALiBi positions; None when the tokens carry their positions.
        bias: whether the linear layers have one.
        dropout: probability with which a weight, and a feature of the output, is dropped.

    Raises:
        ValueError: if a size is not positive or heads does not divide width.
    """

    def __init__(
        self,
        width: int,
        heads: int,
        causal: bool = True,
        position: AttentionPosition | None = None,
        bias: bool = True,
        dropout: float = 0.0,
    ):
        super().__init__()
        check_sizes(width=width, heads=heads)
        check_heads(width, heads)
        check_dropout(dropout)
        self.heads = heads
        self.head_width = width // heads
        self.causal = causal
        self.position = position
        self.dropout = dropout
        # One matrix for all three of all heads: one large product is faster than 3H small ones.
        self.query_key_value = Linear(width, 3 * width, bias=bias)
        self.output = Linear(width, width, bias=bias)
        self.output_dropout = nn.Dropout(dropout)
        self.kernel = F.scaled_dot_product_attention  # record_attention swaps it

    def forward(self, x: torch.Tensor, mask: torch.Tensor | None = None, cache=None):
        """Attend among x (B, T, D) and, with a cache, the tokens before it; returns (B, T, D).

        Args:
            x: one vector a token.
            mask: booleans (T, S) or broadcastable to (B, H, T, S), true where a query may attend;
                a causal attention applies its own mask as well.
            cache: this layer's cache: ``cache.length`` tokens already kept, and
                ``cache.append(k, v)`` that keeps (B, H, T, K) more and returns all (B, H, S, K).

        Raises:
            TypeError, ValueError: if the mask is not boolean or does not fit.
        """
        batch, time, _ = x.shape
        start = 0 if cache is None else cache.length
        q, k, v = self.query_key_value(x).chunk(3, dim=-1)  # (B, T, D) each
        split = (batch, time, -1, self.head_width)  # as many heads as this process has: tensor.py
        q, k, v = (part.view(split).transpose(1, 2) for part in (q, k, v))  # (B, H, T, K)
        if self.position is not None:
            q, k = self.position.rotate(q, k, start)
        if cache is not None:
            k, v = cache.append(k, v)  # (B, H, S, K)
        out = self._attend(q, k, v, mask)  # (B, H, T, K)
        out = out.transpose(1, 2).flatten(2)  # (B, T, D)
        return self.output_dropout(self.output(out))

    def _attend(self, q, k, v, mask: torch.Tensor | None) -> torch.Tensor:
        bias = None if self.position is None else self.position.bias(q.shape[-2], k.shape[-2])
        dropout = self.dropout if self.training else 0.0
        if mask is None and bias is None and q.shape == k.shape:
            # Telling the kernel "causal" instead of giving it a mask lets it skip half the work.
            return self.kernel(q, k, v, None, dropout, self.causal)
        return self.kernel(q, k, v, self._seen(q, k, mask, bias), dropout)

    def _seen(self, q, k, mask, bias) -> torch.Tensor | None:
        """Everything that decides what a query sees, in one mask: booleans, numbers, or None."""
        time, source = q.shape[-2], k.shape[-2]
        if mask is not None:
            _check_mask(mask, (*q.shape[:-1], source))
        if self.causal and time > 1:
            causal = causal_mask(time, source, device=q.device)
            mask = causal if mask is None else mask & causal
        if bias is None:
            return mask
        bias = bias.to(q.dtype)
        return bias if mask is None else bias.masked_fill(~mask, -math.inf)


def _check_mask(mask: torch.Tensor, shape: tuple[int, ...]) -> None:
    if mask.dtype != torch.bool:
        raise TypeError(f"mask must be boolean, true where a query may attend: got {mask.dtype}.")
    wrong = mask.ndim not in (2, 4)  # (B, T, S) would silently be read as (H, T, S)
    pairs = zip(reversed(mask.shape), reversed(shape), strict=False)
    if wrong or any(have not in (1, want) for have, want in pairs):
        raise ValueError(
            f"mask must be (T, S) or broadcastable to (B, H, T, S) = {tuple(shape)}: "
            f"got {tuple(mask.shape)}."
        )
