"""Attention: each token asks a question, and gathers from the tokens whose keys answer it.

First the readable version, four lines of arithmetic that return the attention weights. Then the
masks, then ``MultiHeadAttention``, which does the same through PyTorch's fused kernel; who wants to
see the weights gives it the readable one (``llmlab.analysis.record_attention``). Vaswani et al.
2017, section 3.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from torch import nn
from torch.nn import functional as F

from llmlab.checks import check_dropout, check_heads, check_sizes
from llmlab.models.cache import LayerCache, WindowCache
from llmlab.models.positions import AttentionPosition

Kernel = Callable[..., torch.Tensor]  # as torch.nn.functional.scaled_dot_product_attention


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
    time: int,
    source: int | None = None,
    device: torch.device | str | None = None,
    window: int | None = None,
) -> torch.Tensor:
    """Booleans (T, S), true where the key is not later than the query.

    The T queries are the last of the S positions; S = T unless given. With a window, a query sees
    only that many keys: itself and those right before it.
    """
    source = time if source is None else source
    check_sizes(time=time, source=source)
    seen = torch.ones(time, source, dtype=torch.bool, device=device).tril(source - time)
    return seen if window is None else seen.triu(source - time - window + 1)


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
    """H attentions side by side, each K wide, mixed by a last linear layer.

    ``attention(x)`` maps (B, T, D) to (B, T, D). Vaswani et al. 2017, section 3.2.2. With G below
    H, each H / G heads share their keys and values: grouped-query attention, Ainslie et al. 2023.

    Args:
        width: D.
        heads: H.
        causal: whether a token sees only itself and earlier ones.
        position: rotary or ALiBi positions, or norms of queries and keys (``NormedQueriesKeys``);
            None when the tokens carry their positions.
        bias: whether the linear layers have one.
        dropout: probability with which a weight, and a feature of the output, is dropped.
        key_value_heads: G, which must divide H; H unless given.
        head_width: K; D / H unless given.
        window: how many tokens, itself included, a token of a causal attention sees; all of them
            unless given. Beltagy et al. 2020, section 3.1.

    Raises:
        ValueError: if a size is not positive, if heads does not divide width and head_width is not
            given, if key_value_heads does not divide heads, or for a window that is not causal.
    """

    def __init__(
        self,
        width: int,
        heads: int,
        causal: bool = True,
        position: AttentionPosition | None = None,
        bias: bool = True,
        dropout: float = 0.0,
        *,
        key_value_heads: int | None = None,
        head_width: int | None = None,
        window: int | None = None,
    ):
        super().__init__()
        check_sizes(width=width, heads=heads)
        check_dropout(dropout)
        if head_width is None:
            check_heads(width, heads)
            head_width = width // heads
        self.heads = heads
        self.key_value_heads = heads if key_value_heads is None else key_value_heads
        self.head_width = head_width
        self.causal = causal
        self.position = position
        self.dropout = dropout
        self.window = window
        self._check_shape()
        self.query = nn.Linear(width, heads * head_width, bias=bias)
        self.key = nn.Linear(width, self.key_value_heads * head_width, bias=bias)
        self.value = nn.Linear(width, self.key_value_heads * head_width, bias=bias)
        self.output = nn.Linear(heads * head_width, width, bias=bias)
        self.output_dropout = nn.Dropout(dropout)
        # What combines queries, keys and values; analysis puts another in its place to look inside.
        self.kernel: Kernel = F.scaled_dot_product_attention

    def forward(self, x: torch.Tensor, mask: torch.Tensor | None = None, cache=None):
        """Attend among x (B, T, D) and, with a cache, the tokens before it; returns (B, T, D).

        Args:
            x: one vector a token.
            mask: booleans (T, S) or broadcastable to (B, H, T, S), true where a query may attend;
                a causal attention applies its own mask as well.
            cache: this layer's cache, as ``new_cache`` makes it.

        Raises:
            TypeError, ValueError: if the mask is not boolean or does not fit.
        """
        start = 0 if cache is None else cache.length
        q, k, v = (self._heads(layer(x)) for layer in (self.query, self.key, self.value))
        if self.position is not None:  # q is (B, H, T, K), k and v are (B, G, T, K)
            q, k = self.position.rotate(q, k, start)
        if cache is not None:
            k, v = cache.append(k, v)  # (B, G, S, K)
        out = self._attend(q, k, v, mask).transpose(1, 2).flatten(2)  # (B, T, H K)
        return self.output_dropout(self.output(out))

    def new_cache(self, capacity: int = 0) -> LayerCache:
        """An empty cache for this layer, with room for ``capacity`` tokens; it grows beyond that.

        ``cache.length`` tokens are known to it, and ``cache.append(k, v)`` adds (B, G, T, K) more
        and returns those that the last T tokens can see: with a window, no more than it needs.
        """
        return LayerCache(capacity) if self.window is None else WindowCache(self.window)

    def _heads(self, x: torch.Tensor) -> torch.Tensor:
        """(B, T, heads × K) to (B, heads, T, K), as many heads as this process has: tensor.py."""
        return x.unflatten(-1, (-1, self.head_width)).transpose(1, 2)

    def _attend(self, q, k, v, mask: torch.Tensor | None) -> torch.Tensor:
        bias = None if self.position is None else self.position.bias(q.shape[-2], k.shape[-2])
        options = {"dropout_p": self.dropout if self.training else 0.0}
        if q.shape[1] != k.shape[1]:
            options["enable_gqa"] = True
        plain = mask is None and bias is None and self.window is None
        if plain and q.shape[-2] == k.shape[-2]:
            # Telling the kernel "causal" instead of giving it a mask lets it skip half the work.
            return self.kernel(q, k, v, is_causal=self.causal, **options)
        return self.kernel(q, k, v, attn_mask=self._seen(q, k, mask, bias), **options)

    def _seen(self, q, k, mask, bias) -> torch.Tensor | None:
        """Everything that decides what a query sees, in one mask: booleans, numbers, or None."""
        time, source = q.shape[-2], k.shape[-2]
        if mask is not None:
            _check_mask(mask, (*q.shape[:-1], source))
        if self.causal and (time > 1 or self.window is not None):
            causal = causal_mask(time, source, device=q.device, window=self.window)
            mask = causal if mask is None else mask & causal
        if bias is None:
            return mask
        bias = bias.to(q.dtype)
        return bias if mask is None else bias.masked_fill(~mask, -math.inf)

    def _check_shape(self) -> None:
        check_sizes(head_width=self.head_width, key_value_heads=self.key_value_heads)
        if self.heads % self.key_value_heads:
            raise ValueError(
                "key_value_heads must divide heads: got "
                f"key_value_heads={self.key_value_heads}, heads={self.heads}."
            )
        if self.window is not None:
            check_sizes(window=self.window)
            if not self.causal:
                raise ValueError(f"window must be None without causal: got window={self.window}.")


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
