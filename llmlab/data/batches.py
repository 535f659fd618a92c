"""Batches: how a long row of tokens becomes the tensors one training step sees.

Random batches are indexed by step: ``batches[step]`` depends on the seed and the step alone, so
any step can be rebuilt, and a resumed run sees exactly what an uninterrupted one would have seen.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from llmlab.checks import check_integers, check_sizes

Tokens = Sequence[int] | np.ndarray | Tensor

__all__ = [
    "IGNORE",
    "Batch",
    "MaskedWindows",
    "RandomWindows",
    "SequentialWindows",
    "mask_tokens",
    "pack",
]

IGNORE = -100
"""A target that is not predicted; the default ``ignore_index`` of ``torch.nn.functional``."""


class Batch(NamedTuple):
    """What a language model is given and what it should answer, both (B, T) of integers."""

    inputs: Tensor
    targets: Tensor


class RandomWindows:
    """Windows cut at random places, each token asked to predict the one after it.

    ``tokens`` is one long row (N,), as a list or a tensor; ``batches[step]`` is a
    :class:`Batch` of shape (B, T) with B ``batch_size`` and T ``context``.

    Raises:
        ValueError: fewer than ``context + 1`` tokens, or a size below one.
    """

    def __init__(
        self,
        tokens: Tokens,
        context: int,
        batch_size: int,
        seed: int = 0,
    ) -> None:
        self.tokens = one_row(tokens)
        self.context, self.batch_size, self.seed = context, batch_size, seed
        check_sizes(context=context, batch_size=batch_size)
        _check_enough(self.tokens, context + 1, "context + 1")

    def __getitem__(self, step: int) -> Batch:
        generator = _generator(self.seed, step)
        windows = _random_windows(self.tokens, self.context + 1, self.batch_size, generator)
        return Batch(windows[:, :-1].contiguous(), windows[:, 1:].contiguous())


class MaskedWindows:
    """Windows cut at random places, some tokens hidden, to be guessed from both sides.

    ``vocab_size`` is the tokenizer's, and ``mask_id`` usually equals it: ``[MASK]`` is one id
    more than the tokenizer knows. See :func:`mask_tokens` for what is hidden and how.

    Raises:
        ValueError: fewer than ``context`` tokens, a size below one, or a rate outside (0, 1].
    """

    def __init__(
        self,
        tokens: Tokens,
        context: int,
        batch_size: int,
        vocab_size: int,
        mask_id: int,
        rate: float = 0.15,
        seed: int = 0,
    ) -> None:
        self.tokens = one_row(tokens)
        self.context, self.batch_size, self.seed = context, batch_size, seed
        self.vocab_size, self.mask_id, self.rate = vocab_size, mask_id, rate
        check_sizes(context=context, batch_size=batch_size)
        _check_enough(self.tokens, context, "context")
        _check_masking(vocab_size, mask_id, rate)

    def __getitem__(self, step: int) -> Batch:
        generator = _generator(self.seed, step)
        windows = _random_windows(self.tokens, self.context, self.batch_size, generator)
        return mask_tokens(windows, self.mask_id, self.vocab_size, generator, self.rate)


class SequentialWindows:
    """The whole row in order: every token after the first is predicted exactly once.

    A finite iterable of :class:`Batch`. The last window is filled up with targets ``IGNORE``,
    and the last batch may hold fewer than ``batch_size`` windows.

    Raises:
        ValueError: fewer than two tokens, or a size below one.
    """

    def __init__(self, tokens: Tokens, context: int, batch_size: int) -> None:
        self.tokens = one_row(tokens)
        self.context, self.batch_size = context, batch_size
        check_sizes(context=context, batch_size=batch_size)
        _check_enough(self.tokens, 2, "one more than can be predicted")

    def __len__(self) -> int:
        windows = -(-(len(self.tokens) - 1) // self.context)
        return -(-windows // self.batch_size)

    def __iter__(self) -> Iterator[Batch]:
        reach = self.batch_size * self.context
        for start in range(0, len(self.tokens) - 1, reach):
            piece = self.tokens[start : start + reach + 1].long()
            missing = -(len(piece) - 1) % self.context
            inputs = torch.cat([piece[:-1], piece.new_zeros(missing)])
            targets = torch.cat([piece[1:], piece.new_full((missing,), IGNORE)])
            yield Batch(inputs.view(-1, self.context), targets.view(-1, self.context))


def mask_tokens(
    tokens: Tensor, mask_id: int, vocab_size: int, generator: torch.Generator, rate: float = 0.15
) -> Batch:
    """BERT's corruption (Devlin et al. 2019, section 3.1) of tokens (B, T).

    Each token is chosen with probability ``rate``. Of the chosen, 80 % become ``mask_id``, 10 %
    a random token below ``vocab_size`` and 10 % stay; all of them, and only they, are targets.
    At least one token of the batch is chosen, so that its loss is defined.

    Raises:
        ValueError: a rate outside (0, 1], a negative ``mask_id``, fewer than two words.
    """
    _check_masking(vocab_size, mask_id, rate)
    if tokens.numel() == 0:
        raise ValueError(f"tokens must hold one or more: got shape {tuple(tokens.shape)}.")
    chosen = torch.rand(tokens.shape, generator=generator) < rate
    if not chosen.any():
        lucky = torch.randint(tokens.numel(), (1,), generator=generator)
        chosen.view(-1)[lucky] = True
    # The random token is never [MASK] itself, even where the vocabulary counts it in.
    words = vocab_size - (0 <= mask_id < vocab_size)
    noise = torch.randint(words, tokens.shape, generator=generator)
    noise += noise >= mask_id
    fate = torch.rand(tokens.shape, generator=generator)
    chosen, noise, fate = (x.to(tokens.device) for x in (chosen, noise, fate))
    inputs = tokens.masked_fill(chosen & (fate < 0.8), mask_id)
    inputs = torch.where(chosen & (fate >= 0.9), noise.to(tokens.dtype), inputs)
    return Batch(inputs, tokens.masked_fill(~chosen, IGNORE))


def pack(documents: list[list[int]], context: int, separator: int) -> Tensor:
    """Documents laid end to end, a separator after each, cut into rows: (N, T), T ``context``.

    No token is lost; the last row is filled up with separators.

    Raises:
        ValueError: no documents, or a context below one.
    """
    check_sizes(context=context)
    if not documents:
        raise ValueError("documents must hold at least one document: got an empty list.")
    row = [token for document in documents for token in (*document, separator)]
    row += [separator] * (-len(row) % context)
    return torch.tensor(row, dtype=torch.long).view(-1, context)


def one_row(tokens: Tokens) -> Tensor:
    """Tokens as one row (N,) of integers.

    Raises:
        TypeError, ValueError: if they are not.
    """
    row = torch.as_tensor(tokens)
    if row.dim() != 1:
        raise ValueError(f"tokens must be one row (N,): got shape {tuple(row.shape)}.")
    if len(row) and (row.is_floating_point() or row.is_complex() or row.dtype == torch.bool):
        raise TypeError(f"tokens must be integers: got {row.dtype}.")
    return row


def _random_windows(tokens: Tensor, width: int, count: int, generator: torch.Generator) -> Tensor:
    """``count`` windows (count, width) of consecutive tokens; every start is equally likely."""
    starts = torch.randint(len(tokens) - width + 1, (count, 1), generator=generator)
    places = starts + torch.arange(width)
    return tokens[places.to(tokens.device)].long()


def _generator(seed: int, step: int) -> torch.Generator:
    """A generator keyed by seed and step: neighbouring steps share no random numbers."""
    if step < 0:
        raise IndexError(f"step must be 0 or more: got {step}.")
    key = np.random.SeedSequence((seed, step)).generate_state(1, np.uint32)[0]
    return torch.Generator().manual_seed(int(key))


def _check_enough(tokens: Tensor, needed: int, why: str) -> None:
    if len(tokens) < needed:
        raise ValueError(f"tokens must hold at least {needed} ({why}): got {len(tokens)}.")


def _check_masking(vocab_size: int, mask_id: int, rate: float) -> None:
    if vocab_size < 2:
        raise ValueError(f"vocab_size must be 2 or more to mask tokens: got {vocab_size}.")
    check_integers(0, mask_id=mask_id)
    if not 0 < rate <= 1:
        raise ValueError(f"rate must be above 0 and at most 1: got {rate}.")
