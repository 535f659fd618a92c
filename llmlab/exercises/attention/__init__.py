"""Exercises of chapter 1, attention."""

from __future__ import annotations

from . import attend, causal_mask, scores, softmax, split_heads

EXERCISES = tuple(module.EXERCISE for module in (scores, softmax, causal_mask, attend, split_heads))
