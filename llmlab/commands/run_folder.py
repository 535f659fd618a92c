"""The folder of one run: what ``llmlab train`` writes and every other command reads.

Beside the record and the checkpoints of ``llmlab.training`` it holds ``tokenizer.json``, and
``data.json``, which says what text the run learns from and how that is cut into batches.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from llmlab.commands.reporting import UsageError, usage_errors
from llmlab.data import Corpus, Tokenizer, load_corpus, load_tokenizer
from llmlab.device import choose_device
from llmlab.files import write_atomically
from llmlab.training import CheckpointError, Run, latest_checkpoint, load_model

_OWN = re.compile(r"data\.json|tokenizer\.json|run\.jsonl|step-\d+(-\d+)?|\.writing-.*")


@dataclass(frozen=True)
class Data:
    """What a run learns from: a corpus, how much of it is held back, and the size of a batch.

    ``fingerprint`` is of the corpus's text: a run is resumed on the text that it began with.
    """

    corpus: str
    fingerprint: str
    batch_size: int
    context: int
    seed: int
    validation: float = 0.1

    def load(self) -> tuple[Corpus, Corpus]:
        """The training and the validation part, of the very text the run began with."""
        corpus = load_corpus(self.corpus)
        if fingerprint(corpus) != self.fingerprint:
            raise ValueError(f"corpus {self.corpus} is no longer the text that the run began with.")
        return corpus.split(self.validation)


class RunFolder:
    """Reads a run. Raises ``UsageError`` if the folder holds none."""

    def __init__(self, path: Path):
        self.path = path
        if not (path / "data.json").is_file():
            problem = "holds no run" if path.is_dir() else "does not exist"
            raise UsageError(f"RUN must be a folder that `llmlab train` wrote: {path} {problem}.")

    @property
    def data(self) -> Data:
        """What the run learns from."""
        path = self.path / "data.json"
        try:
            return Data(**json.loads(path.read_text(encoding="utf-8")))
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


def write_inputs(path: Path, data: Data, tokenizer: Tokenizer) -> None:
    """Put into a run's folder what resuming and generating need beside the checkpoints."""
    tokenizer.save(path / "tokenizer.json")
    write_atomically(path / "data.json", json.dumps(asdict(data)).encode())


def fingerprint(corpus: Corpus) -> str:
    """SHA-256 of a corpus's text, shortened."""
    return hashlib.sha256(corpus.text.encode("utf-8", "surrogatepass")).hexdigest()[:16]


@contextlib.contextmanager
def claimed(path: Path, force: bool) -> Iterator[None]:
    """Make room for a new run in ``path``; if it never reaches a checkpoint, put all back.

    Raises:
        UsageError: if the folder is not empty and ``force`` is False.
        OSError: if it cannot be made or written.
    """
    check_free(path, force)
    made = [folder for folder in (path, *path.parents) if not folder.exists()]
    path.mkdir(parents=True, exist_ok=True)
    old = _own_entries(path)
    aside = Path(tempfile.mkdtemp(prefix=".replaced-", dir=path)) if old else None
    try:
        for entry in old:
            os.rename(entry, aside / entry.name)
        yield
    finally:
        if latest_checkpoint(path) is None:
            _remove(_own_entries(path))
            for entry in aside.iterdir() if aside else ():
                os.rename(entry, path / entry.name)
        if aside:
            shutil.rmtree(aside, ignore_errors=True)
        with contextlib.suppress(OSError):  # a folder that is not empty stays
            for folder in made:
                folder.rmdir()


def check_free(path: Path, force: bool) -> None:
    """Raise UsageError if ``path`` holds something that must not be written over."""
    if force or not path.is_dir():
        return
    if latest_checkpoint(path) is None and set(path.iterdir()) == set(_own_entries(path)):
        return  # empty, or killed before there was anything to keep
    if latest_checkpoint(path) is not None:
        raise UsageError(
            f"--out {path} already holds a run: continue it with `llmlab resume {path}`, "
            "choose another folder, or replace it with --force."
        )
    raise UsageError(
        f"--out {path} holds other files: choose another folder, or write beside them with --force."
    )


def _own_entries(path: Path) -> list[Path]:
    return [entry for entry in path.iterdir() if _OWN.fullmatch(entry.name)]


def _remove(entries: list[Path]) -> None:
    for entry in entries:
        if entry.is_dir():
            shutil.rmtree(entry, ignore_errors=True)
        else:
            entry.unlink(missing_ok=True)
