"""How well a model predicts text: loss, perplexity, bits per character and per byte.

Losses per token cannot be compared between tokenizers: longer tokens are harder to guess. Bits
per character and per byte can, since they divide by something the tokenizer does not choose.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import nn

from llmlab.checks import check_causal, check_sizes
from llmlab.data.batches import IGNORE, Batch, SequentialWindows, Tokens, one_row
from llmlab.models.modes import evaluating

_MOST_LOGITS = 2**24  # of one call of the model: 64 MB


class Evaluation(NamedTuple):
    """What ``evaluate`` measured.

    ``loss`` is in nats a token, ``perplexity`` is exp(loss), ``tokens`` counts the predictions.
    The bits are None unless the number of characters or bytes was given.
    """

    loss: float
    perplexity: float
    bits_per_character: float | None
    bits_per_byte: float | None
    tokens: int


def evaluate(
    model: nn.Module,
    tokens: Tokens,
    context: int | None = None,
    batch_size: int = 32,
    characters: int | None = None,
    bytes: int | None = None,
) -> Evaluation:
    """Predict every token (N,) after the first exactly once, and say how well that went.

    The text is read in windows of ``context`` tokens side by side, so a token sees between 1 and
    ``context`` tokens before it, half of them on average.

    Args:
        model: a causal language model, tokens (B, T) to logits (B, T, V).
        tokens: the text, at least 2 tokens.
        context: tokens a window, by default as many as the model can read (64 if any number).
        batch_size: windows at a time, fewer where they have more than 16 million logits; it changes
            the time taken, not the result.
        characters, bytes: how many the tokens spell; gives bits per character and per byte. The
            first token, which nothing predicts, is counted at the average of the others.

    Raises:
        ValueError: if there are fewer than 2 tokens or a count is below 1.
        TypeError: if the model does not predict the next token.
    """
    counts = {"characters": characters, "bytes": bytes}
    check_sizes(**{name: count for name, count in counts.items() if count is not None})
    context = context or _context(model)
    nats, count = _total_loss(model, SequentialWindows(tokens, context, batch_size))
    loss = nats / count
    bits = loss * len(tokens) / math.log(2)
    return Evaluation(
        loss=loss,
        perplexity=math.exp(loss) if loss < 700 else math.inf,  # exp overflows beyond
        bits_per_character=None if characters is None else bits / characters,
        bits_per_byte=None if bytes is None else bits / bytes,
        tokens=count,
    )


def validation(
    tokens: Tokens,
    context: int | None = None,
    batch_size: int = 32,
    limit: int | None = None,
) -> Callable[[nn.Module], dict[str, float]]:
    """A function for ``train(evaluate=...)``: model in, ``{"validation_loss": nats}`` out.

    With a limit only that many tokens from the start are read: the same ones each time, so that
    a curve of them is comparable within a run.

    Raises:
        ValueError: if limit is below 2.
    """
    if limit is not None and limit < 2:
        raise ValueError(f"limit must be None or 2 tokens or more: got {limit}.")
    tokens = one_row(tokens)[:limit]
    return lambda model: {"validation_loss": evaluate(model, tokens, context, batch_size).loss}


@torch.no_grad()
def _total_loss(model: nn.Module, batches: Iterable[Batch]) -> tuple[float, int]:
    """Sum of the losses in nats, and the number of tokens predicted."""
    device = next(model.parameters()).device
    nats, count = 0.0, 0
    with evaluating(model):
        for inputs, targets in _in_parts(model, batches):
            logits = model(inputs.to(device)).float().flatten(0, 1)
            targets = targets.to(device).flatten()
            nats += F.cross_entropy(logits, targets, ignore_index=IGNORE, reduction="sum").item()
            count += int((targets != IGNORE).sum())
    return nats, count


def _in_parts(model: nn.Module, batches: Iterable[Batch]) -> Iterator[Batch]:
    """The batches, cut so that looking at a model takes less memory than training it."""
    vocabulary = getattr(getattr(model, "config", None), "vocab_size", 1)
    for batch in batches:
        rows = max(1, _MOST_LOGITS // (batch.inputs.shape[1] * vocabulary))
        yield from map(Batch, batch.inputs.split(rows), batch.targets.split(rows))


def _context(model: nn.Module) -> int:
    check_causal(model)
    return getattr(model.config, "context", None) or 64
