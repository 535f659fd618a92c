"""Optimizers: AdamW from PyTorch, Lion and Muon written out, chosen by a run's config."""

from llmlab.kinds import check_calls
from llmlab.training.optimizers.choice import hidden_matrices, make_optimizers, trainable
from llmlab.training.optimizers.lion import Lion
from llmlab.training.optimizers.muon import Muon, orthogonalise

__all__ = ["Lion", "Muon", "hidden_matrices", "make_optimizers", "orthogonalise", "trainable"]

check_calls(globals())
