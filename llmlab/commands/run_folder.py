"""The folder of one run: what ``llmlab train`` writes and every other command reads.

Beside the record and the checkpoints of ``llmlab.training`` it holds what ``inputs`` writes:
``tokenizer.json``, and ``data.json``, which says what text the run learns from and how that is cut
into batches.
"""

from __future__ import annotations

from pathlib import Path

from llmlab.commands.inputs import Data
from llmlab.commands.replacing import put_back
from llmlab.commands.reporting import UsageError, usage_errors
from llmlab.data import Tokenizer, load_tokenizer
from llmlab.device import choose_device
from llmlab.training import CheckpointError, Run, load_model


class RunFolder:
    """Reads a run. Raises ``UsageError`` if the folder holds none."""

    def __init__(self, path: Path):
        self.path = path
        put_back(path)
        if not (path / "data.json").is_file():
            problem = "holds no run" if path.is_dir() else "is no folder"
            problem = problem if path.exists() else "does not exist"
            raise UsageError(f"RUN must be a folder that `llmlab train` wrote: {path} {problem}.")

    @property
    def data(self) -> Data:
        """What the run learns from."""
        path = self.path / "data.json"
        try:
            return Data.read(path)
        except (ValueError, TypeError) as error:
            raise CheckpointError(f"{path} is damaged: {error}.") from error

    def tokenizer(self) -> Tokenizer:
        """The tokenizer that the run's model reads."""
        return load_tokenizer(self.path / "tokenizer.json")

    def model(self, device: str = "cpu"):
        """The model of the newest checkpoint, on a device, ready to be used."""
        with usage_errors():
            place = choose_device(device)
        return load_model(self.path).to(place)

    def record(self) -> Run:
        """What was measured while training."""
        return Run.load(self.path / "run.jsonl")
