"""Text and tokens: where corpora come from, how they become ids, and how ids become batches."""

from llmlab.data.artifacts import ARTIFACTS, Artifact, ArtifactError, fetch
from llmlab.data.batches import (
    IGNORE,
    Batch,
    MaskedWindows,
    RandomWindows,
    SequentialWindows,
    mask_tokens,
    pack,
)
from llmlab.data.bpe import BPETokenizer, BPETrainer, merge_pair
from llmlab.data.corpora import (
    Corpus,
    Document,
    corpus_artifact,
    corpus_names,
    load_corpus,
    load_corpus_or_synthetic,
    synthetic_corpus,
)
from llmlab.data.pretrained import PretrainedTokenizer
from llmlab.data.tokenizers import (
    ByteTokenizer,
    CharTokenizer,
    Tokenizer,
    TokenizerError,
    load_tokenizer,
)
from llmlab.kinds import check_calls

__all__ = [
    "ARTIFACTS",
    "IGNORE",
    "Artifact",
    "ArtifactError",
    "BPETokenizer",
    "BPETrainer",
    "Batch",
    "ByteTokenizer",
    "CharTokenizer",
    "Corpus",
    "Document",
    "MaskedWindows",
    "PretrainedTokenizer",
    "RandomWindows",
    "SequentialWindows",
    "Tokenizer",
    "TokenizerError",
    "corpus_artifact",
    "corpus_names",
    "fetch",
    "load_corpus",
    "load_corpus_or_synthetic",
    "load_tokenizer",
    "mask_tokens",
    "merge_pair",
    "pack",
    "synthetic_corpus",
]

check_calls(globals())
