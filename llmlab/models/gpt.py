"""GPT: tokens in, at each position the scores of the next token out.

Radford et al. 2019 (GPT-2), with the position scheme, norm and feed-forward of later models on
request. Read the parts first: ``attention``, ``positions``, ``norms``, ``feed_forward``,
``blocks``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import nn

from llmlab.checks import check_choice, check_fraction, check_heads, check_sizes
from llmlab.models.attention import MultiHeadAttention
from llmlab.models.blocks import Block
from llmlab.models.cache import Cache, KeyValueCache
from llmlab.models.embedding import TokenEmbedding, check_length
from llmlab.models.feed_forward import FEED_FORWARDS, feed_forward_named
from llmlab.models.norms import NORMS, norm_named
from llmlab.models.positions import POSITIONS, attention_position, embedded_position

Caches = KeyValueCache | Sequence[Cache]  # of all layers, first to last


@dataclass(frozen=True)
class GPTConfig:
    """What a GPT is made of.

    Args:
        vocab_size: V.
        context: the most tokens it reads at once.
        layers: L.
        heads: H, which must divide the width.
        width: D.
        position: "learned", "sinusoidal", "rotary", "alibi" or "none".
        norm: "layer" or "rms".
        feed_forward: "gelu", "gelu_tanh" (GPT-2 as published), "relu2" or "swiglu".
        bias: whether linear layers and norms have one.
        dropout: probability; 0 for models that see each text about once.

    Raises:
        ValueError: if a value is not accepted.
    """

    vocab_size: int
    context: int
    layers: int
    heads: int
    width: int
    position: str = "learned"
    norm: str = "layer"
    feed_forward: str = "gelu"
    bias: bool = True
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
        check_choice("position", self.position, POSITIONS)
        check_choice("norm", self.norm, NORMS)
        check_choice("feed_forward", self.feed_forward, FEED_FORWARDS)
        check_fraction(dropout=self.dropout)


class GPT(nn.Module):
    """``GPT(config)(tokens)``: tokens (B, T) to logits (B, T, V) of the token after each.

    A model reads at most ``config.context`` tokens. To try one on longer texts than it was trained
    on, load its weights into a GPT of a longer context; only learned positions do not allow it.

    Raises:
        ValueError: if rotary positions meet an odd head width, sinusoidal ones an odd width.
    """

    causal = True  # a position sees no later one, so the model can write

    def __init__(self, config: GPTConfig):
        super().__init__()
        self.config = config
        c = config
        self.token_embedding = TokenEmbedding(c.vocab_size, c.width)
        self.position_embedding = embedded_position(c.position, c.context, c.width)
        self.dropout = nn.Dropout(c.dropout)
        position = attention_position(c.position, c.context, c.heads, c.width // c.heads)
        self.blocks = nn.ModuleList(
            Block(
                MultiHeadAttention(
                    c.width, c.heads, position=position, bias=c.bias, dropout=c.dropout
                ),
                feed_forward_named(c.feed_forward, c.width, c.bias, c.dropout),
                norm_named(c.norm, c.width, c.bias),
                norm_named(c.norm, c.width, c.bias),
            )
            for _ in range(c.layers)
        )
        self.norm = norm_named(c.norm, c.width, c.bias)
        self._initialise()

    def forward(self, tokens: torch.Tensor, cache: Caches | None = None) -> torch.Tensor:
        """Logits (B, T, V); softmax over V gives the probabilities of the next token.

        Args:
            tokens: (B, T), whole numbers below V.
            cache: as ``new_cache`` makes it; the tokens then follow those that it knows, and it
                keeps theirs.

        Raises:
            TypeError, ValueError: if the tokens are not such numbers, or too many.
        """
        return self.logits(self.features(tokens, cache))

    def features(self, tokens: torch.Tensor, cache: Caches | None = None) -> torch.Tensor:
        """The last hidden states (B, T, D), from which logits or another head are computed."""
        if cache is not None and len(cache) != len(self.blocks):
            raise ValueError(
                f"cache must have one entry for each of {len(self.blocks)} layers: "
                f"got {len(cache)}."
            )
        x = self.embed(tokens, start=0 if cache is None else cache[0].length)  # (B, T, D)
        for layer, block in enumerate(self.blocks):
            x = block(x, cache=None if cache is None else cache[layer])
        return self.norm(x)

    def logits(self, features: torch.Tensor) -> torch.Tensor:
        """The logits (..., V) of hidden states (..., D)."""
        return self.token_embedding.logits(features)

    def embed(self, tokens: torch.Tensor, start: int = 0) -> torch.Tensor:
        """What the first block reads, (B, T, D): token vectors, plus positions if those are added.

        ``start`` is the position of the first token.
        """
        x = self.token_embedding(tokens)
        check_length(tokens.shape[1], self.config.context, start)
        if self.position_embedding is not None:
            x = x + self.position_embedding(tokens.shape[1], start)
        return self.dropout(x)

    def new_cache(self, capacity: int = 0) -> KeyValueCache:
        """Empty caches for every layer, with room for ``capacity`` tokens where they need room.

        Raises:
            TypeError: if a block's attention has been replaced by a part that has no cache.
        """
        parts = [block.attention for block in self.blocks]
        for layer, part in enumerate(parts):
            if not hasattr(part, "new_cache"):
                raise TypeError(
                    f"attention of layer {layer} must have new_cache, or be used without a cache: "
                    f"got {type(part).__name__}."
                )
        return KeyValueCache(part.new_cache(capacity) for part in parts)

    def _initialise(self) -> None:
        """GPT-2's: normal, deviation 0.02; what is added to the stream, smaller by √(2L).

        2L terms are summed along the stream; so scaled, its variance does not grow with depth.
        Radford et al. 2019, section 2.3. Its published code draws learned positions with 0.01.
        """
        self.apply(normal_weights)
        for block in self.blocks:
            for part in (block.attention, block.feed_forward):
                nn.init.normal_(part.output.weight, std=0.02 / math.sqrt(2 * self.config.layers))


def normal_weights(module: nn.Module) -> None:
    """Draw the weights of a linear layer or an embedding with deviation 0.02; biases are zero."""
    if isinstance(module, nn.Linear | nn.Embedding):
        nn.init.normal_(module.weight, std=0.02)
    if isinstance(module, nn.Linear) and module.bias is not None:
        nn.init.zeros_(module.bias)
