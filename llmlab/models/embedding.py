"""The table that turns tokens into vectors, and the same table read backwards into logits."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

from llmlab.checks import check_sizes


class TokenEmbedding(nn.Embedding):
    """One vector a token of the vocabulary: tokens (B, T) to vectors (B, T, D).

    ``embedding.logits(x)`` scores vectors against the same table, so that input and output share
    their weights. Press and Wolf 2017.
    """

    def __init__(self, vocab_size: int, width: int):
        check_sizes(vocab_size=vocab_size, width=width)
        super().__init__(vocab_size, width)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        """The vectors (B, T, D) of tokens (B, T).

        Raises:
            TypeError, ValueError: if tokens are not whole numbers, not (B, T), or out of range. A
                GPU does not report the last: check there with ``tokens.max()`` before training.
        """
        if tokens.dtype not in (torch.int64, torch.int32):
            raise TypeError(f"tokens must be int64 or int32: got {tokens.dtype}.")
        if tokens.ndim != 2 or 0 in tokens.shape:
            raise ValueError(
                f"tokens must be (B, T), with B and T from 1: got shape {tuple(tokens.shape)}."
            )
        try:
            return super().forward(tokens)
        except IndexError:  # the lookup has looked at every token already: no pass of our own
            wrong = tokens[(tokens < 0) | (tokens >= self.num_embeddings)]
            raise ValueError(
                f"tokens must be from 0 to {self.num_embeddings - 1}, one less than vocab_size: "
                f"got {wrong[0].item()}."
            ) from None

    def logits(self, x: torch.Tensor) -> torch.Tensor:
        """The scores (..., V) of vectors (..., D) against every token's vector."""
        return F.linear(x, self.weight)


def check_length(time: int, context: int, cached: int = 0) -> None:
    """Tokens fit the context, together with those already cached; raises ValueError if not."""
    if cached + time > context:
        after = f" after {cached} cached" if cached else ""
        raise ValueError(f"tokens must be at most context={context} long: got {time}{after}.")
