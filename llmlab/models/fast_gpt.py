"""FastGPT: a GPT built to learn in as few seconds as possible.

The blocks are those of ``gpt``; what differs is what surrounds the matrix products.
``benchmarks/ladder.py`` takes one thing away at a time. At the size and length of the preset
``shakespeare-char-fast`` it is the convolution that lowers the loss (beside Muon, the optimizer).
The norm of queries and keys, the cap on the logits, the squared ReLU and the start at zero make no
difference there that three seeds can show; they stand here because larger and longer trainings
have been reported to need them.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn

from llmlab.checks import check_heads, check_sizes
from llmlab.models.attention import MultiHeadAttention
from llmlab.models.blocks import Block
from llmlab.models.embedding import TokenEmbedding, check_length
from llmlab.models.feed_forward import feed_forward_named
from llmlab.models.positions import Rotary

LOGIT_CAP = 15.0


@dataclass(frozen=True)
class FastGPTConfig:
    """The sizes of a FastGPT; everything else about it is fixed.

    Args:
        vocab_size: V.
        context: the most tokens it reads at once.
        layers: L.
        heads: H, which must divide the width.
        width: D.
        lookback: how many tokens before it each token is mixed with before the first block.

    Raises:
        ValueError: if a value is not accepted.
    """

    vocab_size: int
    context: int
    layers: int
    heads: int
    width: int
    lookback: int = 3

    def __post_init__(self):
        check_sizes(
            vocab_size=self.vocab_size,
            context=self.context,
            layers=self.layers,
            heads=self.heads,
            width=self.width,
            lookback=self.lookback,
        )
        check_heads(self.width, self.heads)


class ShortConvolution(nn.Module):
    """Add to each vector a learned share, feature by feature, of the few vectors before it.

    (B, T, D) to (B, T, D). A block needs a trained head to look one token back; this does it at
    once, so that the first block already sees pairs and triples of tokens. Shares start at zero.
    Allen-Zhu 2025 ("Canon layers") adds such convolutions throughout a model.
    """

    def __init__(self, width: int, lookback: int):
        super().__init__()
        check_sizes(width=width, lookback=lookback)
        self.shares = nn.Parameter(torch.zeros(lookback, width))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Each vector (B, T, D) with shares of those before it; before the first there is zero."""
        mixed = x
        for distance, share in enumerate(self.shares, start=1):
            earlier = nn.functional.pad(x, (0, 0, distance, 0))[:, : x.shape[1]]
            mixed = mixed + share * earlier
        return mixed


class FastGPT(nn.Module):
    """``FastGPT(config)(tokens)``: tokens (B, T) to logits (B, T, V) of the token after each.

    - Norms only rescale: root mean square 1, no weights to learn.
    - Each token's vector is mixed with the few before it: ``ShortConvolution``.
    - Queries and keys are normed before they are turned, so that no score exceeds √K, the root of a
      head's width (Henry et al. 2020; Dehghani et al. 2023).
    - Squared ReLU in the feed-forward layers (So et al. 2021).
    - What a block adds starts at zero, and so do the logits: the first prediction is uniform.
    - Logits are bent into ±15 by a tanh (Gemma Team 2024, into ±30), and have a table of their own.
    """

    causal = True

    def __init__(self, config: FastGPTConfig):
        super().__init__()
        self.config = config
        c = config
        self.token_embedding = TokenEmbedding(c.vocab_size, c.width)
        self.convolution = ShortConvolution(c.width, c.lookback)
        self.norm = nn.RMSNorm(c.width, elementwise_affine=False)
        head_width = c.width // c.heads
        norm = nn.RMSNorm(head_width, elementwise_affine=False)
        position = Rotary(head_width, c.context)
        self.blocks = nn.ModuleList(
            Block(
                MultiHeadAttention(
                    c.width,
                    c.heads,
                    position=position,
                    bias=False,
                    query_norm=norm,
                    key_norm=norm,
                ),
                feed_forward_named("relu2", c.width, bias=False),
                self.norm,
                self.norm,
            )
            for _ in range(c.layers)
        )
        self.head = TokenEmbedding(c.vocab_size, c.width)
        self._initialise()

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        """Logits (B, T, V); softmax over V gives the probabilities of the next token.

        Raises:
            TypeError, ValueError: if the tokens are not whole numbers below V, or too many.
        """
        return self.logits(self.features(tokens))

    def features(self, tokens: torch.Tensor) -> torch.Tensor:
        """The last hidden states (B, T, D), from which logits or another head are computed."""
        check_length(tokens.shape[1], self.config.context)
        x = self.norm(self.convolution(self.token_embedding(tokens)))  # (B, T, D)
        for block in self.blocks:
            x = block(x)
        return self.norm(x)

    def logits(self, features: torch.Tensor) -> torch.Tensor:
        """The logits (..., V) of hidden states (..., D)."""
        return LOGIT_CAP * torch.tanh(self.head.logits(features).float() / LOGIT_CAP)

    def _initialise(self) -> None:
        bound = (3 / self.config.width) ** 0.5  # deviation 1/√D
        for block in self.blocks:
            attention, feed_forward = block.attention, block.feed_forward
            for layer in (attention.query, attention.key, attention.value, feed_forward.expand):
                nn.init.uniform_(layer.weight, -bound, bound)
            for layer in (attention.output, feed_forward.output):
                nn.init.zeros_(layer.weight)
        nn.init.zeros_(self.head.weight)
