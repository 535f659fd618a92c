"""Writing text: one prompt or many, all at once or streamed, with or without the cache.

**Beyond the context.** A model sees at most ``context`` tokens. When the text outgrows that, the
window jumps forward by half a context and its tokens get positions 0, 1, 2, ... anew, so the model
always sees between half a context and a whole one. Jumping by halves is what keeps the cache
useful: keys and values must be computed anew at each jump (they depend on tokens that are gone),
which costs about one extra token for each one written; sliding by one would cost a whole context.

**Prompts of different length** are not padded. The batch starts where the shortest prompt ends;
longer prompts dictate their own tokens until they too are used up. Positions are then those of
each prompt alone, and since each row has its own random numbers, so is its text.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import nn

from llmlab.checks import check_causal
from llmlab.inference.linear import QuickProducts
from llmlab.inference.sampling import Sampling, choose, control_repetition
from llmlab.inference.writer import TextWriter
from llmlab.models import KeyValueCache
from llmlab.models.modes import evaluating

LONGEST = 10_000_000  # tokens at once: hours of writing, and what a slip of the hand would ask for


def generate(
    model: nn.Module,
    tokenizer,
    prompt: str | Sequence[str],
    length: int,
    sampling: Sampling = Sampling(),
    *,
    stop: str | Sequence[str] = (),
    use_cache: bool = True,
) -> str | list[str]:
    """The text with which the model continues a prompt, or a list of them for a list of prompts.

    Args:
        model: a causal language model, tokens (B, T) to logits (B, T, V).
        tokenizer: the one the model was trained with.
        prompt: text to continue; "" starts from a newline, or where the tokenizer has none from its
            first token. The prompt is not in what is returned.
        length: tokens to write, 0 or more.
        sampling: how each token is chosen, and the seed; by default from the model's own
            distribution.
        stop: strings at which the text ends; the stop string itself is left out.
        use_cache: keep keys and values. It changes the time taken, not the text.

    Raises:
        ValueError, TypeError: if an argument is out of range, the tokenizer does not know a
            character, or the tokenizer is not the model's.
    """
    prompts = [prompt] if isinstance(prompt, str) else list(prompt)
    if not prompts:
        return []
    writers = [TextWriter(tokenizer, stop) for _ in prompts]
    rows = [_encode(model, tokenizer, text) for text in prompts]
    texts = ["" for _ in prompts]
    for new in _continue(model, rows, length, sampling, use_cache):
        for row, token in enumerate(new):
            if token is not None:
                texts[row] += writers[row].write(token)
        if all(writer.stopped for writer in writers):
            break
    texts = [text + writer.finish() for text, writer in zip(texts, writers, strict=True)]
    return texts[0] if isinstance(prompt, str) else texts


def stream(
    model: nn.Module,
    tokenizer,
    prompt: str,
    length: int,
    sampling: Sampling = Sampling(),
    *,
    stop: str | Sequence[str] = (),
    use_cache: bool = True,
) -> Iterator[str]:
    """The text of ``generate`` for one prompt, in pieces as they are written.

    A piece always holds whole characters, and is held back while it could begin a stop string.
    Arguments are those of ``generate``, and are checked before the first piece is asked for.
    """
    if not isinstance(prompt, str):
        raise TypeError(f"prompt must be one string to be streamed: got {type(prompt).__name__}.")
    writer = TextWriter(tokenizer, stop)
    rows = [_encode(model, tokenizer, prompt)]
    steps = _continue(model, rows, length, sampling, use_cache)
    return _pieces(steps, writer)


def generate_tokens(
    model: nn.Module,
    tokens: torch.Tensor,
    length: int,
    sampling: Sampling = Sampling(),
    *,
    use_cache: bool = True,
) -> torch.Tensor:
    """Tokens (B, T + length): the given tokens (B, T) and their continuation.

    Arguments are those of ``generate``; there is no text here, hence no stop string.
    """
    if tokens.ndim != 2 or 0 in tokens.shape:
        raise ValueError(f"tokens must be (B, T) with B and T from 1: got {tuple(tokens.shape)}.")
    rows = tokens.tolist()
    new = list(_continue(model, rows, length, sampling, use_cache))
    if not new:
        return tokens.clone()
    return torch.cat([tokens, torch.tensor(new, device=tokens.device).T], dim=1)


def window_start(seen: int, context: int | None) -> int:
    """The first of ``seen`` tokens that a model with this context reads; see the module's text."""
    if context is None or seen <= context:
        return 0
    hop = max(1, context // 2)
    return -(-(seen - context) // hop) * hop


class NextLogits:
    """Asks a model for the logits after a growing text, and feeds it only what it has not read.

    Call it with tokens (B, T), each time the ones before and more; it returns logits (B, V). The
    model runs in PyTorch's inference mode, which spares its many small operations some bookkeeping:
    no gradient can be taken through the logits, nor through anything the model keeps of the call.
    """

    def __init__(self, model: nn.Module, use_cache: bool = True):
        check_causal(model)
        self._model = model
        self._context = getattr(model.config, "context", None)
        self._use_cache = use_cache and hasattr(model, "new_cache")
        self._quick_products = QuickProducts(model)
        self._cache: KeyValueCache | None = None
        self._start = 0

    @torch.inference_mode()
    def __call__(self, tokens: torch.Tensor) -> torch.Tensor:
        """Logits (B, V) of the token after tokens (B, T)."""
        start = window_start(tokens.shape[1], self._context)
        if not self._use_cache:
            return self._read(tokens[:, start:])
        if self._cache is None or start != self._start:
            self._start = start
            self._cache = self._model.new_cache(self._context or 0)
        return self._read(tokens[:, start + self._cache.length :], cache=self._cache)

    @property
    def device(self) -> torch.device:
        """Where the model is, and its tokens must be."""
        return next(self._model.parameters()).device

    def _read(self, tokens: torch.Tensor, **cache: KeyValueCache) -> torch.Tensor:
        if not self._model.training:
            return self._last_logits(tokens, **cache)
        with evaluating(self._model):  # a sample in the middle of training must not see dropout
            return self._last_logits(tokens, **cache)

    def _last_logits(self, tokens: torch.Tensor, **cache: KeyValueCache) -> torch.Tensor:
        if not hasattr(self._model, "features"):
            return self._model(tokens, **cache)[:, -1]
        with self._quick_products:
            # the head is the largest matrix of a small model: show it the last token alone
            return self._model.logits(self._model.features(tokens, **cache)[:, -1])


def _pieces(steps: Iterator[list[int | None]], writer: TextWriter) -> Iterator[str]:
    for (token,) in steps:
        piece = writer.write(token)
        if piece:
            yield piece
        if writer.stopped:
            return
    rest = writer.finish()
    if rest:
        yield rest


def _continue(
    model: nn.Module,
    rows: list[list[int]],
    length: int,
    sampling: Sampling,
    use_cache: bool,
) -> Iterator[list[int | None]]:
    """Each row's new token, step by step; None while a row is in its prompt, or has finished."""
    if length != int(length) or length < 0:
        raise ValueError(f"length must be a whole number of tokens, 0 or more: got {length}.")
    if length > LONGEST:
        raise ValueError(f"length must be at most {LONGEST:,} tokens: got {length:,}.")
    generators = [torch.Generator().manual_seed(seed) for seed in sampling.seeds(len(rows))]
    return _steps(NextLogits(model, use_cache), rows, int(length), sampling, generators)


def _steps(
    next_logits: NextLogits,
    rows: list[list[int]],
    length: int,
    sampling: Sampling,
    generators: list[torch.Generator],
) -> Iterator[list[int | None]]:
    shortest, longest = min(map(len, rows)), max(map(len, rows))
    tokens = torch.zeros((len(rows), longest + length), dtype=torch.long)
    for row, prompt in enumerate(rows):
        tokens[row, : len(prompt)] = torch.tensor(prompt)
    tokens = tokens.to(next_logits.device)
    for now in range(shortest, longest + length if length else 0):
        writing = [len(prompt) <= now < len(prompt) + length for prompt in rows]
        logits = control_repetition(next_logits(tokens[:, :now]), tokens[:, :now], sampling)
        uniforms = [
            torch.rand((), generator=generator, dtype=torch.float64).item() if active else 0.0
            for generator, active in zip(generators, writing, strict=True)
        ]
        drawn = choose(logits, sampling, uniforms).tolist()
        for row, prompt in enumerate(rows):
            if now >= len(prompt):
                tokens[row, now] = drawn[row]
        yield [token if active else None for token, active in zip(drawn, writing, strict=True)]


def _encode(model: nn.Module, tokenizer, text: str) -> list[int]:
    if not isinstance(text, str):
        raise TypeError(f"prompt must be text or a list of texts: got {type(text).__name__}.")
    check_causal(model)
    if not all(hasattr(tokenizer, name) for name in ("encode", "decode", "vocab_size")):
        raise TypeError(f"tokenizer must encode and decode text: got {type(tokenizer).__name__}.")
    if tokenizer.vocab_size != model.config.vocab_size:
        raise ValueError(
            f"tokenizer must be the model's: it has vocab_size={tokenizer.vocab_size}, "
            f"the model {model.config.vocab_size}."
        )
    if text:
        return tokenizer.encode(text)
    try:
        return tokenizer.encode("\n")
    except ValueError:  # of a text without lines
        return [0]
