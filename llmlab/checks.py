"""Checks of arguments: each raises ValueError with one sentence that names what it refuses."""

from __future__ import annotations

import math
from collections.abc import Collection

import torch


def check_sizes(**sizes: int) -> None:
    """Every size is an integer of at least 1."""
    check_integers(1, **sizes)


def check_integers(least: int, **values: int) -> None:
    """Every value is an integer of at least ``least``."""
    for name, value in values.items():
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            raise ValueError(
                f"{name} must be an integer of at least {least}: got {name}={value!r}."
            )


def check_seed(seed: int) -> None:
    """A seed is an integer that PyTorch's generators take, 0 to 2⁶⁴ - 1."""
    if isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed < 1 << 64:
        raise ValueError(f"seed must be an integer from 0 to 2**64 - 1: got seed={seed!r}.")


def check_numbers(**values: float) -> None:
    """Every value is a finite number of at least 0."""
    for name, value in values.items():
        good = isinstance(value, (int, float)) and math.isfinite(value) and value >= 0
        if isinstance(value, bool) or not good:
            raise ValueError(f"{name} must be a finite number of at least 0: got {name}={value!r}.")


def check_choice(name: str, value: str, accepted: Collection[str]) -> None:
    """The value is one of the accepted names."""
    if value not in accepted:
        raise ValueError(f"{name} must be one of {', '.join(accepted)}: got {name}={value!r}.")


def check_fraction(**values: float) -> None:
    """Every value is a number from 0 to below 1."""
    for name, value in values.items():
        if not 0.0 <= value < 1.0:
            raise ValueError(f"{name} must be from 0 to below 1: got {name}={value!r}.")


def check_positive(**values: float) -> None:
    """Every value is a finite number above 0."""
    check_numbers(**values)
    for name, value in values.items():
        if value == 0:
            raise ValueError(f"{name} must be a number above 0: got {name}={value!r}.")


def check_device(device: object) -> None:
    """PyTorch knows a device of that name, or it is None."""
    try:
        torch.device("cpu" if device is None else device)
    except RuntimeError:
        raise ValueError(
            f"device must be a device such as 'cpu' or 'cuda:0': got device={device!r}."
        ) from None


def check_heads(width: int, heads: int) -> None:
    """Heads share the width equally."""
    if width % heads:
        raise ValueError(f"heads must divide width: got heads={heads}, width={width}.")


def check_causal(model) -> None:
    """The model has a config, and predicts next tokens unless it says no; raises TypeError."""
    if not hasattr(model, "config"):
        raise TypeError(
            f"model must have a config, as those of llmlab.models have: got {type(model).__name__}."
        )
    if not getattr(model, "causal", True):
        raise TypeError(
            f"model must predict the next token: {type(model).__name__} fills in masked ones."
        )
