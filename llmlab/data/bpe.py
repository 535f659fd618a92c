"""Byte-level byte-pair encoding, written for reading.

Training starts from the 256 bytes and, again and again, glues together the two neighbours that
occur most often (Sennrich et al. 2016; on bytes, Radford et al. 2019). Encoding replays the same
merges in the same order. Text is first cut into words (see :mod:`llmlab.data.patterns`), and no
token ever reaches across two of them.
"""

from __future__ import annotations

import heapq
from abc import abstractmethod
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

from llmlab.data.patterns import word_pattern
from llmlab.data.tokenizers import Tokenizer, TokenizerError, entry, known_ids, utf8

__all__ = ["BASE_BYTES", "BPETokenizer", "BPETrainer", "Merge", "WordTokenizer", "merge_pair"]

Pair = tuple[int, int]

_PRINTABLE = [*range(33, 127), *range(161, 173), *range(174, 256)]
BASE_BYTES = bytes(_PRINTABLE + [b for b in range(256) if b not in _PRINTABLE])
"""The byte each of the first 256 ids stands for: GPT-2's order, printable bytes first.

Ties between equally frequent pairs go to the smaller ids, so the order decides merges.
"""
_BYTE_ID = {byte: i for i, byte in enumerate(BASE_BYTES)}


class Merge(NamedTuple):
    """One step of training: which two tokens were glued, into which, and how often they met."""

    pair: tuple[bytes, bytes]
    token: bytes
    count: int


def merge_pair(ids: Sequence[Any], pair: tuple[Any, Any], new: Any) -> list[Any]:
    """``ids`` with every ``pair``, from left to right, replaced by ``new``; letters will do too."""
    merged: list[Any] = []
    i = 0
    while i < len(ids):
        if i + 1 < len(ids) and (ids[i], ids[i + 1]) == pair:
            merged.append(new)
            i += 2
        else:
            merged.append(ids[i])
            i += 1
    return merged


class BPETrainer:
    """Training one merge at a time, so that it can be watched.

    Every distinct word is kept once, with its count. ``pair_counts`` says how often two ids stand
    side by side, and ``where`` which words they do so in; a merge then touches those words only.

    Raises:
        TokenizerError: an empty text or a lone surrogate.
    """

    def __init__(self, text: str) -> None:
        utf8(text)
        counted = Counter(word_pattern("gpt2").findall(text))
        if not counted:
            raise TokenizerError("text must hold at least one character: got an empty string.")
        self.vocabulary = [bytes([byte]) for byte in BASE_BYTES]
        self.merges: list[Pair] = []
        self.words = [[_BYTE_ID[byte] for byte in word.encode()] for word in counted]
        self.word_counts = list(counted.values())
        self.pair_counts: Counter[Pair] = Counter()
        self.where: defaultdict[Pair, set[int]] = defaultdict(set)
        for index in range(len(self.words)):
            self._count(index, +1)
        self._queue = [(-count, pair) for pair, count in self.pair_counts.items()]
        heapq.heapify(self._queue)

    def step(self) -> Merge | None:
        """Glue the most frequent pair; of several, the one with the smaller ids.

        None when no two tokens are neighbours any more.
        """
        pair, count = self._most_frequent()
        if not count:
            return None
        new = len(self.vocabulary)
        left, right = (self.vocabulary[i] for i in pair)
        self.vocabulary.append(left + right)
        self.merges.append(pair)
        touched = self.where.pop(pair)
        for index in touched:
            self._count(index, -1)
            self.words[index] = merge_pair(self.words[index], pair, new)
            self._count(index, +1)
        for neighbours in {p for i in touched for p in pairwise(self.words[i]) if new in p}:
            heapq.heappush(self._queue, (-self.pair_counts[neighbours], neighbours))
        return Merge((left, right), left + right, count)

    def tokenizer(self) -> BPETokenizer:
        """The tokenizer of the merges so far."""
        return BPETokenizer(self.merges)

    def _count(self, index: int, sign: int) -> None:
        """Count one word's pairs in (+1) or out (-1)."""
        word, amount = self.words[index], sign * self.word_counts[index]
        for pair in pairwise(word):
            self.pair_counts[pair] += amount
            if sign > 0:
                self.where[pair].add(index)

    def _most_frequent(self) -> tuple[Pair, int]:
        # The queue is not told when a count falls; an outdated entry is put back when it surfaces.
        while self._queue:
            remembered, pair = heapq.heappop(self._queue)
            count = self.pair_counts[pair]
            if count == -remembered:
                return pair, count
            if count:
                heapq.heappush(self._queue, (-count, pair))
        return (0, 0), 0


class WordTokenizer(Tokenizer):
    """What byte-level tokenizers share: cut into words, merge each, remember what came out.

    ``vocabulary`` holds the bytes of every id.
    """

    _REMEMBERED = 1 << 18

    def __init__(self, vocabulary: Sequence[bytes], pattern: str) -> None:
        self.vocabulary = list(vocabulary)
        self._words = word_pattern(pattern)
        self._cache: dict[str, list[int]] = {}

    @abstractmethod
    def _merge(self, word: bytes) -> list[int]:
        """The ids of one word."""

    @property
    def vocab_size(self) -> int:
        """How many ids there are."""
        return len(self.vocabulary)

    def encode(self, text: str) -> list[int]:
        """The ids of ``text``, word by word."""
        utf8(text)
        cache = self._cache
        ids: list[int] = []
        for word in self._words.findall(text):
            if word not in cache:
                if len(cache) >= self._REMEMBERED:
                    cache.clear()
                cache[word] = self._merge(word.encode())
            ids += cache[word]
        return ids

    def decode(self, ids: Iterable[int]) -> str:
        """The text of ``ids``."""
        return self._bytes(ids).decode("utf-8", errors="replace")

    def tokens(self, text: str) -> list[str]:
        r"""The pieces ``text`` is cut into; bytes of a divided character read ``\xe2``."""
        return [self._bytes([i]).decode("utf-8", "backslashreplace") for i in self.encode(text)]

    def _bytes(self, ids: Iterable[int]) -> bytes:
        return b"".join(map(self.vocabulary.__getitem__, known_ids(ids, self.vocab_size)))


class BPETokenizer(WordTokenizer):
    """Byte-level BPE with merges of its own; id 256 + n is the n-th merge.

    Built with :meth:`train`, or from pairs of ids in the order they were merged.

    Raises:
        TokenizerError: a merge of ids that do not exist yet.
    """

    kind = "bpe"

    def __init__(self, merges: Sequence[Pair]) -> None:
        vocabulary = [bytes([byte]) for byte in BASE_BYTES]
        self._ids: dict[Pair, int] = {}
        for left, right in merges:
            if not (0 <= left < len(vocabulary) and 0 <= right < len(vocabulary)):
                raise TokenizerError(
                    f"merges must glue ids that exist: merge {len(self._ids)} is {(left, right)}, "
                    f"but only 0..{len(vocabulary) - 1} exist by then."
                )
            self._ids[left, right] = len(vocabulary)
            vocabulary.append(vocabulary[left] + vocabulary[right])
        super().__init__(vocabulary, "gpt2")

    @classmethod
    def train(cls, text: str, vocab_size: int) -> BPETokenizer:
        """Learn ``vocab_size - 256`` merges from ``text``, fewer if it has no more to give.

        Raises:
            TokenizerError: ``vocab_size`` below 256, an empty text, or a lone surrogate.
        """
        if vocab_size < 256:
            raise TokenizerError(f"vocab_size must be 256 (the bytes) or more: got {vocab_size}.")
        trainer = BPETrainer(text)
        while len(trainer.vocabulary) < vocab_size and trainer.step():
            pass
        return trainer.tokenizer()

    @property
    def merges(self) -> list[tuple[bytes, bytes]]:
        """What was glued to what, in order."""
        return [(self.vocabulary[left], self.vocabulary[right]) for left, right in self._ids]

    def _merge(self, word: bytes) -> list[int]:
        ids = [_BYTE_ID[byte] for byte in word]
        while len(ids) > 1:
            pair = min(pairwise(ids), key=lambda pair: self._ids.get(pair, self.vocab_size))
            if pair not in self._ids:
                break
            ids = merge_pair(ids, pair, self._ids[pair])
        return ids

    def to_dict(self) -> dict[str, Any]:
        """``{"kind": "bpe", "pattern": "gpt2", "bytes": [...], "merges": [[id, id], ...]}``."""
        merges = [list(pair) for pair in self._ids]
        return {"kind": self.kind, "pattern": "gpt2", "bytes": list(BASE_BYTES), "merges": merges}

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> BPETokenizer:
        """From :meth:`to_dict`."""
        if entry(data, "pattern") != "gpt2" or bytes(entry(data, "bytes")) != BASE_BYTES:
            raise TokenizerError("pattern and bytes must be those of GPT-2.")
        return cls([(left, right) for left, right in entry(data, "merges")])
