"""From logits to one token: temperature, top-k, top-p, repetition control, and the draw itself."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from llmlab.checks import check_seed


@dataclass(frozen=True)
class Sampling:
    """How each next token is chosen.

    Args:
        temperature: logits are divided by it; 0 is greedy, 1 is the model's own distribution.
        top_k: keep only the k most probable tokens (Fan et al., 2018).
        top_p: keep the fewest most probable tokens that hold at least p of the probability
            (nucleus sampling, Holtzman et al., 2020).
        repetition_penalty: logits of tokens already in the text are divided by it if positive and
            multiplied if negative (Keskar et al., 2019, CTRL, section 4.1). It suits vocabularies
            of word pieces: in a text of characters every letter has been used.
        no_repeat_ngram: never write the same n tokens twice (Paulus et al., 2018); this is the
            repetition control that suits characters, with n of 10 or so.
        seed: of the random numbers: one for all prompts, so that each gives the text that it gives
            alone, or one a prompt.

    Raises:
        ValueError: if a value is outside its range.
    """

    temperature: float = 1.0
    top_k: int | None = None
    top_p: float | None = None
    repetition_penalty: float = 1.0
    no_repeat_ngram: int | None = None
    seed: int | Sequence[int] = 0

    def __post_init__(self) -> None:
        if not (math.isfinite(self.temperature) and self.temperature >= 0):
            raise ValueError(
                f"temperature must be a finite number, 0 (greedy) or more: got {self.temperature}."
            )
        for name, value in (("top_k", self.top_k), ("no_repeat_ngram", self.no_repeat_ngram)):
            if value is not None and (value != int(value) or value < 1):
                raise ValueError(f"{name} must be None or a whole number from 1: got {value}.")
        if self.top_p is not None and not 0 < self.top_p <= 1:
            raise ValueError(f"top_p must be None or above 0 and at most 1: got {self.top_p}.")
        if not (math.isfinite(self.repetition_penalty) and self.repetition_penalty > 0):
            raise ValueError(
                "repetition_penalty must be a finite number above 0 (1 is off): "
                f"got {self.repetition_penalty}."
            )
        for seed in self.seed if isinstance(self.seed, Sequence) else [self.seed]:
            check_seed(seed)

    def seeds(self, rows: int) -> list[int]:
        """The seed of each of so many prompts.

        Raises:
            ValueError: if there are seeds for another number of prompts.
        """
        seeds = [self.seed] * rows if isinstance(self.seed, int) else list(self.seed)
        if len(seeds) != rows:
            raise ValueError(
                f"seed must be an integer, or one for each of {rows} prompts: got {self.seed}."
            )
        return seeds


def next_token_probabilities(logits: torch.Tensor, sampling: Sampling = Sampling()) -> torch.Tensor:
    """Probabilities (..., V) that the next token is drawn from, given logits (..., V).

    Temperature comes first, then top-k, then top-p among what top-k left. Tokens that were cut
    have probability exactly 0, the others sum to 1. Equal logits are ranked by token id, so that
    top-k keeps exactly k.

    Raises:
        ValueError: if the largest logit is NaN or infinite.
    """
    temperature, top_k, top_p = sampling.temperature, sampling.top_k, sampling.top_p
    largest = logits.amax(dim=-1, keepdim=True)
    _check_largest(largest)
    # Taking the largest logit off first keeps tiny temperatures from overflowing.
    logits = logits.double() - largest
    if temperature == 0:
        top_k = 1
    else:
        logits = logits / temperature
    if top_k is not None and top_k < logits.shape[-1]:
        logits = logits.masked_fill(~_largest(logits, int(top_k)), -math.inf)
    probabilities = logits.softmax(dim=-1)
    if top_p is not None and top_p < 1:
        probabilities = _nucleus(probabilities, top_p)
    return probabilities


def _largest(logits: torch.Tensor, k: int) -> torch.Tensor:
    """Booleans (..., V), true at the k largest; of equal ones the first. Finding needs no sort."""
    least = logits.topk(k).values[..., -1:]
    above, equal = logits > least, logits == least
    wanted = k - above.sum(dim=-1, keepdim=True)
    return above | (equal & (equal.cumsum(dim=-1) <= wanted))


def _nucleus(probabilities: torch.Tensor, p: float) -> torch.Tensor:
    """The fewest probabilities (..., V), from the largest down, that hold p; rescaled to sum 1."""
    ranked, order = probabilities.sort(dim=-1, descending=True, stable=True)
    before = ranked.cumsum(dim=-1) - ranked
    ranked = ranked.masked_fill(before >= p, 0.0)
    ranked = ranked / ranked.sum(dim=-1, keepdim=True)
    return torch.zeros_like(ranked).scatter_(-1, order, ranked)


def choose(logits: torch.Tensor, sampling: Sampling, uniforms: Sequence[float]) -> torch.Tensor:
    """The next token (B,) of each row of logits (B, V), given one number in [0, 1) a row.

    At temperature 0 it is the first of the largest logits, and no distribution is worked out.

    Raises:
        ValueError: if the largest logit is NaN or infinite.
    """
    if sampling.temperature == 0:
        largest, tokens = logits.max(dim=-1)  # NaN, if there is one; of equal ones the first
        _check_largest(largest)
        return tokens
    return draw(next_token_probabilities(logits, sampling), uniforms)


def control_repetition(
    logits: torch.Tensor, tokens: torch.Tensor, sampling: Sampling
) -> torch.Tensor:
    """Logits (B, V) with repetition made less likely, given each row's text so far (B, T).

    Raises:
        ValueError: if there are texts for another number of rows.
    """
    if tokens.shape[:1] != logits.shape[:1]:
        raise ValueError(
            f"tokens must have as many rows as logits {tuple(logits.shape)}: "
            f"got {tuple(tokens.shape)}."
        )
    if sampling.repetition_penalty != 1:
        seen = torch.zeros_like(logits, dtype=torch.bool).scatter_(1, tokens, True)
        penalty = sampling.repetition_penalty
        weaker = torch.where(logits > 0, logits / penalty, logits * penalty)
        logits = torch.where(seen, weaker, logits)
    if sampling.no_repeat_ngram is not None:
        logits = torch.stack(
            [
                _ban_repeats(row, text, sampling.no_repeat_ngram)
                for row, text in zip(logits, tokens, strict=True)
            ]
        )
    return logits


def _ban_repeats(logits: torch.Tensor, tokens: torch.Tensor, n: int) -> torch.Tensor:
    """Logits (V,) at -inf for each token that would complete n tokens already in ``tokens``."""
    if len(tokens) < n:
        return logits
    ngrams = tokens.unfold(0, n, 1)
    repeats = (ngrams[:, :-1] == tokens[len(tokens) - n + 1 :]).all(dim=1)
    banned = logits.index_fill(0, ngrams[repeats, -1], -math.inf)
    # With every token banned there is nothing left to write: repeating is the lesser evil.
    return logits if banned.isneginf().all() else banned


def draw(probabilities: torch.Tensor, uniforms: Sequence[float]) -> torch.Tensor:
    """Tokens (B,) drawn from probabilities (B, V) with one number in [0, 1) a row.

    The token is the first whose cumulative probability exceeds the number. Unlike
    ``torch.multinomial`` this takes one random number a row, so a row draws the same token in a
    batch as alone, and a change in the last bits of the logits hardly ever changes the token.

    Raises:
        ValueError: if the probabilities of a row do not add up to a finite number above 0.
    """
    cumulative = probabilities.cpu().double().cumsum(dim=-1)
    total = cumulative[:, -1:]
    if not (total.isfinite() & (total > 0)).all():
        raise ValueError(
            f"probabilities must add up to a finite number above 0: got {total.flatten().tolist()}."
        )
    cumulative = cumulative / total
    points = torch.tensor(uniforms, dtype=torch.float64).unsqueeze(1)
    return torch.searchsorted(cumulative, points, right=True).squeeze(1)


def _check_largest(largest: torch.Tensor) -> None:
    """A smaller one may be -inf, as where a token must not be drawn."""
    wrong = largest[~largest.isfinite()]
    if len(wrong):
        raise ValueError(
            f"logits must have a finite number as their largest: got {wrong[0].item()}; the "
            "model's weights are broken, or the repetition_penalty is extreme."
        )
