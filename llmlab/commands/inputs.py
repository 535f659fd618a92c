"""What a run learns from, as its folder remembers it: ``data.json`` and ``tokenizer.json``."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path

from llmlab.data import Corpus, Tokenizer, load_corpus
from llmlab.files import write_atomically


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

    @classmethod
    def read(cls, path: Path) -> Data:
        """What ``data.json`` says. Raises ValueError or TypeError if it is none of ours."""
        return cls(**json.loads(path.read_bytes()))

    def load(self) -> tuple[Corpus, Corpus]:
        """The training and the validation part, of the very text the run began with."""
        corpus = load_corpus(self.corpus)
        if fingerprint(corpus) != self.fingerprint:
            raise ValueError(f"corpus {self.corpus} is no longer the text that the run began with.")
        return corpus.split(self.validation)


def write_inputs(path: Path, data: Data, tokenizer: Tokenizer) -> None:
    """Put into a run's folder what resuming and generating need beside the checkpoints."""
    tokenizer.save(path / "tokenizer.json")
    write_atomically(path / "data.json", json.dumps(asdict(data)).encode())


def fingerprint(corpus: Corpus) -> str:
    """SHA-256 of a corpus's text, shortened."""
    return hashlib.sha256(corpus.text.encode("utf-8", "surrogatepass")).hexdigest()[:16]
