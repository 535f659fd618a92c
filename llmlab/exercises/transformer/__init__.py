"""Exercises of chapter 2, the transformer."""

from __future__ import annotations

from . import count_parameters, layer_norm, rotate, sinusoidal

EXERCISES = tuple(module.EXERCISE for module in (sinusoidal, rotate, layer_norm, count_parameters))
