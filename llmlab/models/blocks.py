"""A block: attention moves information between tokens, a feed-forward layer works on each.

A block is handed its parts, so a chapter that changes one of them swaps a module and not a flag.
Each part *adds* to the stream of vectors that runs through the model.
"""

from __future__ import annotations

import torch
from torch import nn

from llmlab.models.cache import Cache


class Block(nn.Module):
    """Pre-norm: each part reads a normed copy of the stream, which itself is never normed.

    (B, T, D) to (B, T, D), as in GPT-2; Xiong et al. 2020 tell why it can train without warm-up.

    Args:
        attention: called as ``attention(x, mask, cache)``.
        feed_forward: called as ``feed_forward(x)``.
        attention_norm: what attention reads through.
        feed_forward_norm: what the feed-forward layer reads through.
    """

    def __init__(
        self,
        attention: nn.Module,
        feed_forward: nn.Module,
        attention_norm: nn.Module,
        feed_forward_norm: nn.Module,
    ):
        super().__init__()
        self.attention_norm = attention_norm
        self.attention = attention
        self.feed_forward_norm = feed_forward_norm
        self.feed_forward = feed_forward

    def forward(
        self,
        x: torch.Tensor,
        mask: torch.Tensor | None = None,
        cache: Cache | None = None,
    ) -> torch.Tensor:
        """The stream (B, T, D) after this block; mask and cache go to attention."""
        x = x + self.attention(self.attention_norm(x), mask, cache)
        return x + self.feed_forward(self.feed_forward_norm(x))


class PostNormBlock(Block):
    """Post-norm: the stream itself is normed after each part. Vaswani et al. 2017; BERT."""

    def forward(
        self,
        x: torch.Tensor,
        mask: torch.Tensor | None = None,
        cache: Cache | None = None,
    ) -> torch.Tensor:
        """The stream (B, T, D) after this block; mask and cache go to attention."""
        x = self.attention_norm(x + self.attention(x, mask, cache))
        return self.feed_forward_norm(x + self.feed_forward(x))
