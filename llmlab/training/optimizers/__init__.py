"""Optimizers: AdamW from PyTorch, Lion and Muon written out, chosen by a run's config."""

from llmlab.training.optimizers.adamw import adamw
from llmlab.training.optimizers.choice import make_optimizers
from llmlab.training.optimizers.groups import parameter_groups
from llmlab.training.optimizers.lion import Lion
from llmlab.training.optimizers.memory import load_optimizer_tensors, optimizer_tensors
from llmlab.training.optimizers.muon import Muon, orthogonalise

__all__ = [
    "Lion",
    "Muon",
    "adamw",
    "load_optimizer_tensors",
    "make_optimizers",
    "optimizer_tensors",
    "orthogonalise",
    "parameter_groups",
]
