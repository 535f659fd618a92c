"""Tokenizers of real models, GPT-2's and cl100k (GPT-3.5 and GPT-4), read from pinned packages.

Their published files list every token's bytes with its rank, which is also its id. Encoding
glues, within a word, the neighbours whose union has the lowest rank.
"""

from __future__ import annotations

import base64
import gzip
from functools import lru_cache
from itertools import pairwise
from typing import Any

from llmlab.data.artifacts import read_members
from llmlab.data.bpe import WordTokenizer
from llmlab.data.tokenizers import TokenizerError, entry

__all__ = ["PretrainedTokenizer"]

_FILES = {
    "gpt2": ("gpt2-ranks", "gpt2.tiktoken"),
    "cl100k": ("cl100k-ranks", "cl100k_base.tiktoken.gz"),
}
# Ids beyond the ranked tokens. cl100k leaves a gap: 100256 and 100261..100275 mean nothing.
_SPECIAL = {
    "gpt2": {"<|endoftext|>": 50256},
    "cl100k": {
        "<|endoftext|>": 100257,
        "<|fim_prefix|>": 100258,
        "<|fim_middle|>": 100259,
        "<|fim_suffix|>": 100260,
        "<|endofprompt|>": 100276,
    },
}


class PretrainedTokenizer(WordTokenizer):
    """A published byte-level BPE, made with :meth:`gpt2` or :meth:`cl100k`.

    ``special`` names the ids that no text encodes to, such as ``<|endoftext|>``: written in a
    text, those characters are ordinary characters.

    Raises:
        TokenizerError: a name other than ``"gpt2"`` and ``"cl100k"``.
        ArtifactError: the package that holds it could not be fetched.
    """

    kind = "pretrained"

    def __init__(self, name: str) -> None:
        if name not in _FILES:
            raise TokenizerError(f"name must be one of {', '.join(_FILES)}: got {name!r}.")
        self.name = name
        self.special = dict(_SPECIAL[name])
        self._ranks = _read_ranks(name)
        vocabulary = [b""] * (max(self.special.values()) + 1)
        for token, rank in self._ranks.items():
            vocabulary[rank] = token
        for token, rank in self.special.items():
            vocabulary[rank] = token.encode()
        super().__init__(vocabulary, name)

    @classmethod
    def gpt2(cls) -> PretrainedTokenizer:
        """GPT-2's: 50,257 ids."""
        return cls("gpt2")

    @classmethod
    def cl100k(cls) -> PretrainedTokenizer:
        """cl100k_base: 100,277 ids, of which 16 are unused."""
        return cls("cl100k")

    def _merge(self, word: bytes) -> list[int]:
        parts = [word[i : i + 1] for i in range(len(word))]
        never = len(self.vocabulary)
        while len(parts) > 1:
            unions = [self._ranks.get(a + b, never) for a, b in pairwise(parts)]
            if (lowest := min(unions)) == never:
                break
            parts = _glue(parts, self.vocabulary[lowest])
        return [self._ranks[part] for part in parts]

    def to_dict(self) -> dict[str, Any]:
        """``{"kind": "pretrained", "name": "gpt2"}``: the ranks stay in their package."""
        return {"kind": self.kind, "name": self.name}

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> PretrainedTokenizer:
        """From :meth:`to_dict`."""
        return cls(entry(data, "name"))


def _glue(parts: list[bytes], token: bytes) -> list[bytes]:
    """Replace, from left to right, every two neighbours whose union is ``token``."""
    glued: list[bytes] = []
    i = 0
    while i < len(parts):
        if i + 1 < len(parts) and parts[i] + parts[i + 1] == token:
            glued.append(token)
            i += 2
        else:
            glued.append(parts[i])
            i += 1
    return glued


@lru_cache(maxsize=2)
def _read_ranks(name: str) -> dict[bytes, int]:
    """Bytes to rank, from lines of base64 and a number."""
    artifact, suffix = _FILES[name]
    (content,) = read_members(artifact, suffix).values()
    if suffix.endswith(".gz"):
        content = gzip.decompress(content)
    lines = (line.split() for line in content.splitlines())
    return {base64.b64decode(token): int(rank) for token, rank in lines}
