"""Training: one loop for every model, and what it needs around it.

``train(model, batches, loss_fn, config)`` returns a :class:`Run`. GPT and BERT differ in the loss
function and the batches alone; so will everything else in the book that learns.
"""

from llmlab.kinds import check_calls
from llmlab.training.checkpoint_folders import latest_checkpoint
from llmlab.training.checkpoints import Body, load_model, load_weights, save_checkpoint
from llmlab.training.config import TrainConfig
from llmlab.training.distributed import choose_parallel
from llmlab.training.loop import TrainingDiverged
from llmlab.training.manifest import CheckpointError
from llmlab.training.objectives import causal_loss, masked_loss
from llmlab.training.presets import PRESETS, Preset, preset
from llmlab.training.records import RecordError, Run, recorded_figures, recorded_runs
from llmlab.training.seeds import set_seed
from llmlab.training.step import Stepper, StepResult
from llmlab.training.train import resume, train

__all__ = [
    "PRESETS",
    "Body",
    "CheckpointError",
    "Preset",
    "RecordError",
    "Run",
    "StepResult",
    "Stepper",
    "TrainConfig",
    "TrainingDiverged",
    "causal_loss",
    "choose_parallel",
    "latest_checkpoint",
    "load_model",
    "load_weights",
    "masked_loss",
    "preset",
    "recorded_figures",
    "recorded_runs",
    "resume",
    "save_checkpoint",
    "set_seed",
    "train",
]

check_calls(globals())
