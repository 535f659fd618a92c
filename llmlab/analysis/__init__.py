"""Measuring models: what they hold, what they cost, how well they predict."""

from llmlab.analysis.counting import (
    count_flops,
    count_parameters,
    flop_formula,
    parameter_formula,
    parameter_table,
)
from llmlab.analysis.evaluation import Evaluation, evaluate, validation
from llmlab.analysis.memory import (
    cache_memory,
    check_memory,
    count_activations,
    free_memory,
    memory_estimate,
    peak_memory,
)

__all__ = [
    "Evaluation",
    "cache_memory",
    "check_memory",
    "count_activations",
    "count_flops",
    "count_parameters",
    "evaluate",
    "flop_formula",
    "free_memory",
    "memory_estimate",
    "parameter_formula",
    "parameter_table",
    "peak_memory",
    "validation",
]
