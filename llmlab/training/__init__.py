"""Training: one loop for every model, and what it needs around it.

``train(model, batches, loss_fn, config)`` returns a :class:`Run`. GPT and BERT differ in the loss
function and the batches alone; so will everything else in the book that learns.
"""

from .checkpoints import (
    CheckpointError,
    latest_checkpoint,
    load_model,
    load_weights,
    save_checkpoint,
)
from .config import TrainConfig
from .loop import TrainingDiverged, resume, train
from .objectives import causal_loss, masked_loss
from .records import RecordError, Run
from .seeds import set_seed

__all__ = [
    "CheckpointError",
    "RecordError",
    "Run",
    "TrainConfig",
    "TrainingDiverged",
    "causal_loss",
    "latest_checkpoint",
    "load_model",
    "load_weights",
    "masked_loss",
    "resume",
    "save_checkpoint",
    "set_seed",
    "train",
]
