"""Measuring models, and looking inside: what they hold, cost, predict, and attend to."""

from llmlab.analysis.attention import ablate_head, attention_layers, record_attention
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
from llmlab.kinds import check_calls

__all__ = [
    "Evaluation",
    "ablate_head",
    "attention_layers",
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
    "record_attention",
    "validation",
]

check_calls(globals())
