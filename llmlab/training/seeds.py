"""Randomness: one seed for everything, and one key for every step."""

from __future__ import annotations

import random

import numpy
import torch

# Far apart enough that no two runs of fewer steps than this share a step's key.
_STRIDE = 1_000_003
# 2³² divided by the golden ratio: its multiples stay far apart when they wrap around.
_REPLICA_STRIDE = 2_654_435_769


def set_seed(seed: int) -> None:
    """Seed Python's, NumPy's and PyTorch's global generators (every device)."""
    random.seed(seed)
    numpy.random.seed(seed % 2**32)  # noqa: NPY002  code that draws from the global generator
    torch.manual_seed(seed)


def seed_step(seed: int, step: int, device: torch.device, replica: int = 0) -> None:
    """Give step ``step`` of a run its own random numbers, whatever was drawn before.

    Dropout and any other draw inside a step depend on (seed, step) alone. So a resumed run repeats
    the numbers of the run that was killed without storing generator states, and a callback that
    samples text changes nothing about the training. Processes that share a batch have a ``replica``
    each: dropout must not fall on the same places of all their rows.
    """
    key = (seed * _STRIDE + step + replica * _REPLICA_STRIDE) % 2**32
    random.seed(key)
    numpy.random.seed(key)  # noqa: NPY002
    # torch.manual_seed would also visit every other kind of device: 0.25 ms that a small step feels
    torch.default_generator.manual_seed(key)
    if device.type == "cuda":
        torch.cuda.manual_seed(key)
