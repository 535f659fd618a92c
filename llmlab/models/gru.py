"""A recurrent language model: what one used before attention, as the baseline to beat.

It reads one token after the other into a state of fixed size: no step can start before the one
before it has ended, and what the state forgets is gone. Cho et al. 2014.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn

from llmlab.checks import check_fraction, check_sizes
from llmlab.models.embedding import TokenEmbedding


@dataclass(frozen=True)
class GRUConfig:
    """What a GRU language model is made of; it has no context limit.

    Args:
        vocab_size: V.
        width: D, of the token vectors and of the state.
        layers: L.
        dropout: probability, between layers and before the logits.

    Raises:
        ValueError: if a value is not accepted.
    """

    vocab_size: int
    width: int
    layers: int = 1
    dropout: float = 0.0

    def __post_init__(self):
        check_sizes(vocab_size=self.vocab_size, width=self.width, layers=self.layers)
        check_fraction(dropout=self.dropout)


class GRULanguageModel(nn.Module):
    """``GRULanguageModel(config)(tokens)``: tokens (B, T) to logits (B, T, V) of the next token."""

    causal = True

    def __init__(self, config: GRUConfig):
        super().__init__()
        self.config = config
        self.token_embedding = TokenEmbedding(config.vocab_size, config.width)
        between = config.dropout if config.layers > 1 else 0.0  # PyTorch warns of it otherwise
        self.recurrence = nn.GRU(
            config.width, config.width, config.layers, batch_first=True, dropout=between
        )
        self.dropout = nn.Dropout(config.dropout)
        # As large as the recurrence's own weights: with GPT's 0.02 the gates see next to nothing.
        nn.init.normal_(self.token_embedding.weight, std=config.width**-0.5)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        """Logits (B, T, V) of the token after each.

        Raises:
            TypeError, ValueError: if the tokens are not (B, T) whole numbers below V.
        """
        return self.logits(self.features(tokens))

    def features(self, tokens: torch.Tensor) -> torch.Tensor:
        """The state (B, T, D) after each token."""
        states, _ = self.recurrence(self.token_embedding(tokens))
        return self.dropout(states)

    def logits(self, features: torch.Tensor) -> torch.Tensor:
        """The logits (..., V) of states (..., D)."""
        return self.token_embedding.logits(features)
