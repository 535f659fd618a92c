"""How a transformer knows the order of its tokens: five answers.

Attention treats its input as a set; order must be put in. It can be **added to the tokens** before
the first block (learned or sinusoidal positions), or **worked into attention** in every block
(rotary positions turn queries and keys, ALiBi lowers the scores of distant keys). Or it can be left
out, and only the causal mask tells positions apart.
"""

from __future__ import annotations

import torch
from torch import nn

from llmlab.checks import check_choice, check_positive, check_sizes

POSITIONS = ("learned", "sinusoidal", "rotary", "alibi", "none")


# --- Added to the tokens ---------------------------------------------------------------------


def sinusoidal(time: int, width: int) -> torch.Tensor:
    """The table (T, D) of sines and cosines: feature pair i turns once in 2π·10000^(2i/D) tokens.

    Even features hold the sine and odd ones the cosine, so that moving k tokens further is the same
    rotation of each pair wherever one starts. Vaswani et al. 2017, section 3.5.

    Raises:
        ValueError: if a size is not positive or the width is odd.
    """
    check_sizes(time=time, width=width)
    if width % 2:
        raise ValueError(f"width must be even for sinusoidal positions: got width={width}.")
    angles = _angles(time, width)  # (T, D/2)
    return torch.stack([angles.sin(), angles.cos()], dim=-1).flatten(-2).float()  # (T, D)


class LearnedPositions(nn.Embedding):
    """One trained vector a position. Nothing is known of positions never trained on.

    ``positions(T, start)`` gives the vectors (T, D) of positions start, start + 1, ...
    """

    def __init__(self, context: int, width: int):
        check_sizes(context=context, width=width)
        super().__init__(context, width)

    def forward(self, time: int, start: int = 0) -> torch.Tensor:
        """Vectors (T, D) of ``time`` positions from ``start``.

        Raises:
            ValueError: if they are not all positions of the context.
        """
        _check_positions(start, start + time, len(self.weight))
        return self.weight[start : start + time]  # a slice: cheaper than looking up 0, 1, 2, ...


class SinusoidalPositions(nn.Module):
    """The fixed table of ``sinusoidal``, called as ``LearnedPositions`` is."""

    def __init__(self, context: int, width: int):
        check_sizes(context=context)
        super().__init__()
        self.register_buffer("table", sinusoidal(context, width), persistent=False)

    def forward(self, time: int, start: int = 0) -> torch.Tensor:
        """Vectors (T, D) of ``time`` positions from ``start``; raises as ``LearnedPositions``."""
        _check_positions(start, start + time, len(self.table))
        return self.table[start : start + time]


# --- Worked into attention -------------------------------------------------------------------


class AttentionPosition(nn.Module):
    """What attention asks of its position scheme; this one does nothing.

    Subclasses replace ``rotate`` or ``bias``. A scheme has no parameters and serves every layer.
    """

    def rotate(
        self, q: torch.Tensor, k: torch.Tensor, start: int
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Queries (B, H, T, K) and keys (B, G, T, K), with positions from ``start`` on in them."""
        return q, k

    def bias(self, time: int, source: int) -> torch.Tensor | None:
        """What is added to the scores (H, T, S) of the last T of S positions, or None."""
        return None


class Rotary(AttentionPosition):
    """Rotary positions: turn each pair of features by an angle proportional to the position.

    The dot product of a query and a key then depends on how far apart they are, not on where.
    Su et al. 2021 (RoFormer), equation 34. Feature i is paired with feature i + K/2, as in GPT-NeoX
    and in Hugging Face's port of Llama, whose weights are permuted for it; the paper and Meta's own
    Llama pair neighbours. The schemes are the same up to the order of features.

    Args:
        head_width: K, even.
        context: positions to prepare.
        base: pair i turns once in 2π·base^(2i/K) tokens, the slowest in 2π·base^(1 - 2/K).

    Raises:
        ValueError: if a size or the base is not positive, or the head width is odd.
    """

    def __init__(self, head_width: int, context: int, base: float = 10_000.0):
        super().__init__()
        check_sizes(head_width=head_width, context=context)
        check_positive(base=base)
        if head_width % 2:
            raise ValueError(
                f"the head width must be even for rotary positions: got head_width={head_width}."
            )
        angles = _angles(context, head_width, base)  # (T, K/2)
        self.register_buffer("cos", angles.cos().float(), persistent=False)
        self.register_buffer("sin", angles.sin().float(), persistent=False)

    def forward(self, x: torch.Tensor, start: int = 0) -> torch.Tensor:
        """Vectors (..., T, K) of positions start, start + 1, ..., turned; same shape.

        Raises:
            ValueError: if the last position lies beyond the prepared ones.
        """
        return _turn(x, *self._angles(start, start + x.shape[-2]))

    def rotate(
        self, q: torch.Tensor, k: torch.Tensor, start: int
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Queries and keys turned by their positions; values stay as they are."""
        angles = self._angles(start, start + q.shape[-2])
        return _turn(q, *angles), _turn(k, *angles)

    def _angles(self, start: int, end: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Cosine and sine (T, K/2) of the angles of these positions."""
        _check_positions(start, end, len(self.cos))
        return self.cos[start:end], self.sin[start:end]


class ALiBi(AttentionPosition):
    """Attention with linear biases: each head lowers the score of a key by slope × distance.

    Press, Smith and Lewis 2022. See ``alibi_bias``.
    """

    def __init__(self, heads: int):
        super().__init__()
        self.register_buffer("slopes", alibi_slopes(heads), persistent=False)

    def bias(self, time: int, source: int) -> torch.Tensor:
        """The biases (H, T, S) of the last T of S positions as queries."""
        check_sizes(time=time, source=source)
        return _linear_bias(self.slopes, time, source)


def _check_positions(start: int, end: int, context: int) -> None:
    if not 0 <= start < end <= context:
        raise ValueError(
            f"positions must be from 0 to {context - 1}, one less than the context: "
            f"got {start} to {end - 1}."
        )


def _turn(x: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor) -> torch.Tensor:
    first, second = x.float().chunk(2, dim=-1)
    turned = torch.cat([first * cos - second * sin, first * sin + second * cos], dim=-1)
    return turned.to(x.dtype)  # angles need float32: bfloat16 cannot tell positions 256, 257


def alibi_slopes(heads: int) -> torch.Tensor:
    """The slopes (H,) of ALiBi: 2^(-8/H), 2^(-16/H), ..., 2^-8 when H is a power of two.

    For other H, those of the next lower power of two, then every second one of twice that power:
    the rule of the paper's code.
    """
    check_sizes(heads=heads)
    power = 1 << (heads.bit_length() - 1)
    slopes = [2 ** (-8 * (i + 1) / power) for i in range(power)]
    between = [2 ** (-8 * (i + 0.5) / power) for i in range(heads - power)]
    return torch.tensor(slopes + between)


def alibi_bias(heads: int, time: int, source: int | None = None) -> torch.Tensor:
    """The biases (H, T, S), minus slope × distance, to add to attention scores.

    The T queries are the last of the S positions (S = T unless given), as with a key-value cache.
    """
    source = time if source is None else source
    check_sizes(time=time, source=source)
    return _linear_bias(alibi_slopes(heads), time, source)


def _linear_bias(slopes: torch.Tensor, time: int, source: int) -> torch.Tensor:
    keys = torch.arange(source, device=slopes.device)
    queries = keys[source - time :]
    distance = (queries[:, None] - keys).abs()  # (T, S)
    return -slopes[:, None, None] * distance  # (H, T, S)


def _angles(time: int, width: int, base: float = 10_000.0) -> torch.Tensor:
    """Angle (T, D/2) of each feature pair at each position, in radians."""
    # float64: an angle of 10,000 radians has lost three digits in float32 before its sine is taken.
    frequencies = base ** (-torch.arange(0, width, 2, dtype=torch.float64) / width)
    return torch.outer(torch.arange(time, dtype=torch.float64), frequencies)


# --- By name ---------------------------------------------------------------------------------


def embedded_position(name: str, context: int, width: int) -> nn.Module | None:
    """The positions that a model adds to its tokens, or None where attention sees to them."""
    check_choice("position", name, POSITIONS)
    if name == "learned":
        return LearnedPositions(context, width)
    if name == "sinusoidal":
        return SinusoidalPositions(context, width)
    return None


def attention_position(
    name: str, context: int, heads: int, head_width: int
) -> AttentionPosition | None:
    """The position scheme that attention works in, or None where the tokens carry it."""
    check_choice("position", name, POSITIONS)
    if name == "rotary":
        return Rotary(head_width, context)
    if name == "alibi":
        return ALiBi(heads)
    return None
