"""BERT: tokens in, some of them hidden; at each position the scores of the token that was there.

Devlin et al. 2019. The same attention as GPT without the causal mask, in post-norm blocks, with a
head for masked tokens.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn

from llmlab.checks import check_fraction, check_heads, check_sizes
from llmlab.models.attention import MultiHeadAttention
from llmlab.models.blocks import PostNormBlock
from llmlab.models.embedding import TokenEmbedding, check_length
from llmlab.models.feed_forward import FeedForward, gelu
from llmlab.models.gpt import normal_weights
from llmlab.models.norms import LayerNorm
from llmlab.models.positions import LearnedPositions

EPSILON = 1e-12  # of BERT's norms
SEGMENTS = 2  # BERT was trained on pairs of sentences; a text alone is segment 0


@dataclass(frozen=True)
class BERTConfig:
    """What a BERT is made of; vocab_size counts the mask token.

    Args:
        vocab_size: V.
        context: the most tokens it reads at once.
        layers: L.
        heads: H, which must divide the width.
        width: D.
        dropout: probability.

    Raises:
        ValueError: if a value is not accepted.
    """

    vocab_size: int
    context: int
    layers: int
    heads: int
    width: int
    dropout: float = 0.0

    def __post_init__(self):
        check_sizes(
            vocab_size=self.vocab_size,
            context=self.context,
            layers=self.layers,
            heads=self.heads,
            width=self.width,
        )
        check_heads(self.width, self.heads)
        check_fraction(dropout=self.dropout)


class BERT(nn.Module):
    """``BERT(config)(tokens)``: tokens (B, T) to logits (B, T, V) of the token at each position."""

    causal = False  # every position sees both sides: it fills in, and cannot write

    def __init__(self, config: BERTConfig):
        super().__init__()
        self.config = config
        c = config
        self.token_embedding = TokenEmbedding(c.vocab_size, c.width)
        self.position_embedding = LearnedPositions(c.context, c.width)
        self.segment_embedding = nn.Embedding(SEGMENTS, c.width)
        self.norm = LayerNorm(c.width, epsilon=EPSILON)
        self.dropout = nn.Dropout(c.dropout)
        self.blocks = nn.ModuleList(
            PostNormBlock(
                MultiHeadAttention(c.width, c.heads, mask=None, dropout=c.dropout),
                FeedForward(c.width, 4 * c.width, gelu, dropout=c.dropout),
                LayerNorm(c.width, epsilon=EPSILON),
                LayerNorm(c.width, epsilon=EPSILON),
            )
            for _ in range(c.layers)
        )
        self.head = MaskedTokenHead(c.vocab_size, c.width)
        self.apply(normal_weights)

    def forward(self, tokens: torch.Tensor, padding: torch.Tensor | None = None) -> torch.Tensor:
        """Logits (B, T, V) of the token that belongs at each position.

        Args:
            tokens: (B, T), whole numbers below V.
            padding: booleans (B, T) or (B, 1, 1, T), true at tokens and false at padding, such as
                ``padding_mask(lengths, T)``; None when there is no padding.

        Raises:
            TypeError, ValueError: if tokens or padding are not such.
        """
        return self.head(self.features(tokens, padding), self.token_embedding)

    def features(self, tokens: torch.Tensor, padding: torch.Tensor | None = None) -> torch.Tensor:
        """The last hidden states (B, T, D), from which logits or another head are computed."""
        x = self.embed(tokens)
        mask = None if padding is None else _key_mask(padding, tokens)
        for block in self.blocks:
            x = block(x, mask)
        return x

    def embed(self, tokens: torch.Tensor) -> torch.Tensor:
        """What the first block reads, (B, T, D): token, position and segment vectors, normed."""
        x = self.token_embedding(tokens)
        check_length(tokens.shape[1], self.config.context)
        x = x + self.position_embedding(tokens.shape[1]) + self.segment_embedding.weight[0]
        return self.dropout(self.norm(x))


class MaskedTokenHead(nn.Module):
    """Hidden states (B, T, D) to logits (B, T, V): a transform, then the token table and a bias."""

    def __init__(self, vocab_size: int, width: int):
        super().__init__()
        self.transform = nn.Linear(width, width)
        self.norm = LayerNorm(width, epsilon=EPSILON)
        self.bias = nn.Parameter(torch.zeros(vocab_size))

    def forward(self, x: torch.Tensor, embedding: TokenEmbedding) -> torch.Tensor:
        """The logits (B, T, V)."""
        return embedding.logits(self.norm(gelu(self.transform(x)))) + self.bias


def _key_mask(padding: torch.Tensor, tokens: torch.Tensor) -> torch.Tensor:
    batch, time = tokens.shape
    if padding.dtype != torch.bool:
        raise TypeError(f"padding must be boolean, true at real tokens: got {padding.dtype}.")
    if tuple(padding.shape) not in ((batch, time), (batch, 1, 1, time)):
        raise ValueError(
            f"padding must be (B, T) = {(batch, time)} or (B, 1, 1, T): got {tuple(padding.shape)}."
        )
    return padding.view(batch, 1, 1, time)
