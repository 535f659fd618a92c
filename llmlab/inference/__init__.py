"""Writing text with a trained model: sampling, streaming, with a key-value cache."""

from llmlab.inference.generation import (
    NextLogits,
    generate,
    generate_tokens,
    stream,
    window_start,
)
from llmlab.inference.sampling import (
    Sampling,
    control_repetition,
    draw,
    next_token_probabilities,
)
from llmlab.kinds import check_calls

__all__ = [
    "NextLogits",
    "Sampling",
    "control_repetition",
    "draw",
    "generate",
    "generate_tokens",
    "next_token_probabilities",
    "stream",
    "window_start",
]

check_calls(globals())
