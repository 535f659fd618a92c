"""What a model's config may hold: the checks that its ``__post_init__`` makes."""

from __future__ import annotations

from collections.abc import Collection


def check_sizes(**sizes: int) -> None:
    """Every size is an integer from 1; raises ValueError naming the first that is not."""
    for name, size in sizes.items():
        if isinstance(size, bool) or not isinstance(size, int) or size < 1:
            raise ValueError(f"{name} must be an integer from 1: got {name}={size!r}.")


def check_choice(name: str, value: str, accepted: Collection[str]) -> None:
    """The value is one of the accepted names; raises ValueError listing them if it is not."""
    if value not in accepted:
        raise ValueError(f"{name} must be one of {', '.join(accepted)}: got {name}={value!r}.")


def check_heads(width: int, heads: int) -> None:
    """Heads share the width equally; raises ValueError if they cannot."""
    if width % heads:
        raise ValueError(f"heads must divide width: got heads={heads}, width={width}.")


def check_dropout(dropout: float) -> None:
    """Dropout is a probability below 1; raises ValueError if it is not."""
    if not 0.0 <= dropout < 1.0:
        raise ValueError(f"dropout must be from 0 to below 1: got dropout={dropout!r}.")
