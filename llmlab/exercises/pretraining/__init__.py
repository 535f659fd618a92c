"""Exercises of chapter 3, pretraining."""

from __future__ import annotations

from . import bits_per_character, cross_entropy, mask_tokens, merge_pair, top_p

EXERCISES = tuple(
    module.EXERCISE
    for module in (merge_pair, cross_entropy, mask_tokens, top_p, bits_per_character)
)
