"""Attention: each token asks a question, and gathers from the tokens whose keys answer it.

First the readable version, a few lines of arithmetic that return the attention weights; then
``MultiHeadAttention``, which does the same through PyTorch's fused kernel, and is made of parts:
what a token may see (``masks``), how order gets in (``positions``), norms. Vaswani et al. 2017,
section 3.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import nn
from torch.nn import functional as F

from llmlab.checks import check_fraction, check_heads, check_sizes
from llmlab.models.cache import Cache
from llmlab.models.masks import CausalMask
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


class MultiHeadAttention(nn.Module):
    """H attentions side by side, each K wide, mixed by a last linear layer.

    ``attention(x)`` maps (B, T, D) to (B, T, D). Vaswani et al. 2017, section 3.2.2. Keys and
    values may have fewer heads than queries: each of the G serves H / G neighbouring query heads
    (grouped-query attention, Ainslie et al. 2023; with G = 1 multi-query, Shazeer 2019).

    Args:
        width: D.
        heads: H.
        mask: what a token may see of the text; None for all of it.
        position: rotary or ALiBi positions; None when the tokens carry their positions.
        bias: whether the linear layers have one.
        dropout: probability with which a weight, and a feature of the output, is dropped.
        key_value_heads: G, which must divide H; H unless given.
        head_width: K; D / H unless given.
        query_norm: what queries (B, H, T, K) pass through before they get positions.
        key_norm: the same for keys (B, G, T, K).

    Raises:
        ValueError: if a size is not positive or does not divide the other.
    """

    def __init__(
        self,
        width: int,
        heads: int,
        mask: CausalMask | None = CausalMask(),
        position: AttentionPosition | None = None,
        bias: bool = True,
        dropout: float = 0.0,
        *,
        key_value_heads: int | None = None,
        head_width: int | None = None,
        query_norm: nn.Module | None = None,
        key_norm: nn.Module | None = None,
    ):
        super().__init__()
        key_value_heads = heads if key_value_heads is None else key_value_heads
        check_sizes(width=width, heads=heads, key_value_heads=key_value_heads)
        if head_width is None:
            check_heads(width, heads)
            head_width = width // heads
        check_sizes(head_width=head_width)
        if heads % key_value_heads:
            raise ValueError(
                f"key_value_heads must divide heads: got {key_value_heads=}, {heads=}."
            )
        check_fraction(dropout=dropout)
        self.heads = heads
        self.key_value_heads = key_value_heads
        self.head_width = head_width
        self.mask = mask
        self.position = position
        self.query = nn.Linear(width, heads * head_width, bias=bias)
        self.key = nn.Linear(width, key_value_heads * head_width, bias=bias)
        self.value = nn.Linear(width, key_value_heads * head_width, bias=bias)
        self.query_norm = query_norm
        self.key_norm = key_norm
        # What combines queries, keys and values; analysis puts another in its place to look inside.
        self.kernel: Callable[..., torch.Tensor] = F.scaled_dot_product_attention
        self.dropout = dropout
        self.output = nn.Linear(heads * head_width, width, bias=bias)
        self.output_dropout = nn.Dropout(dropout)

    def forward(
        self,
        x: torch.Tensor,
        mask: torch.Tensor | None = None,
        cache: Cache | None = None,
    ) -> torch.Tensor:
        """Attend among x (B, T, D) and, with a cache, the tokens before it; returns (B, T, D).

        Args:
            x: one vector a token.
            mask: booleans (T, S) or broadcastable to (B, H, T, S), true where a query may attend;
                they come on top of the attention's own mask.
            cache: this layer's, from ``new_cache()``; the tokens then follow those that it has
                read, and it keeps theirs.

        Raises:
            TypeError, ValueError: if the mask is not boolean or does not fit.
        """
        start = 0 if cache is None else cache.length
        q, k, v = self._heads(self.query(x)), self._heads(self.key(x)), self._heads(self.value(x))
        if self.query_norm is not None:
            q = self.query_norm(q)  # (B, H, T, K)
        if self.key_norm is not None:
            k = self.key_norm(k)  # (B, G, T, K)
        if self.position is not None:
            q, k = self.position.rotate(q, k, start)
        if cache is not None:
            k, v = cache.append(k, v)  # (B, G, S, K)
        out = self._attend(q, k, v, mask)  # (B, H, T, K)
        out = out.transpose(1, 2).flatten(2)  # (B, T, H K)
        return self.output_dropout(self.output(out))

    def new_cache(self, capacity: int = 0) -> Cache:
        """An empty cache for this layer, with room for so many tokens at first.

        Raises:
            ValueError: if tokens see later ones, so that nothing about a token is final.
        """
        if self.mask is None:
            raise ValueError("mask must hide later tokens from a query with a cache: got None.")
        return self.mask.new_cache(capacity)

    def _heads(self, x: torch.Tensor) -> torch.Tensor:
        """(B, T, heads × K) to (B, heads, T, K), as many heads as this process has: tensor.py."""
        batch, time, _ = x.shape
        return x.view(batch, time, -1, self.head_width).transpose(1, 2)

    def _attend(self, q, k, v, mask: torch.Tensor | None) -> torch.Tensor:
        time, source = q.shape[-2], k.shape[-2]
        bias = None if self.position is None else self.position.bias(time, source)
        options = {"dropout_p": self.dropout if self.training else 0.0}
        if self.key_value_heads < self.heads:
            options["enable_gqa"] = True
        if mask is None and bias is None and self.mask and self.mask.is_causal(time, source):
            # Telling the kernel "causal" instead of giving it a mask lets it skip half the work.
            return self.kernel(q, k, v, is_causal=True, **options)
        return self.kernel(q, k, v, attn_mask=self._visible(q, k, mask, bias), **options)

    def _visible(self, q, k, mask, bias) -> torch.Tensor | None:
        """Everything that decides what a query sees, in one mask: booleans, numbers, or None."""
        time, source = q.shape[-2], k.shape[-2]
        if mask is not None:
            _check_mask(mask, (*q.shape[:-1], source))
        own = None if self.mask is None else self.mask(time, source, q.device)
        if own is not None:
            mask = own if mask is None else mask & own
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
