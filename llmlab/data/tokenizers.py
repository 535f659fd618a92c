"""Tokenizers that need no training to speak of: one id a character, or one id a byte.

All tokenizers have the same face: ``encode`` text to ids, ``decode`` ids to text, ``tokens`` for
the visible pieces, ``vocab_size``, and JSON files through ``save`` and :func:`load_tokenizer`.
"""

from __future__ import annotations

import json
import operator
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, ClassVar

from llmlab.files import write_atomically
from llmlab.kinds import in_short

__all__ = ["ByteTokenizer", "CharTokenizer", "Tokenizer", "TokenizerError", "load_tokenizer"]


class TokenizerError(ValueError):
    """A text that cannot be encoded, ids that cannot be decoded, or a damaged tokenizer file."""


class Tokenizer(ABC):
    """Text to ids and back.

    ``decode(encode(text)) == text`` for every text the tokenizer accepts.
    """

    kind: ClassVar[str]
    _kinds: ClassVar[dict[str, type[Tokenizer]]] = {}

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if "kind" in vars(cls):
            Tokenizer._kinds[cls.kind] = cls

    @property
    @abstractmethod
    def vocab_size(self) -> int:
        """How many ids there are: 0 to ``vocab_size - 1``."""

    @abstractmethod
    def encode(self, text: str) -> list[int]:
        """The ids of ``text``.

        Raises:
            TokenizerError: a character the tokenizer cannot represent, with its position.
        """

    @abstractmethod
    def decode(self, ids: Iterable[int]) -> str:
        """The text of ``ids``; bytes that are not UTF-8 become U+FFFD.

        Raises:
            TokenizerError: an id out of range.
        """

    @abstractmethod
    def to_dict(self) -> dict[str, Any]:
        """What a JSON file holds; its ``"kind"`` says which class reads it."""

    @classmethod
    @abstractmethod
    def from_dict(cls, data: dict[str, Any]) -> Tokenizer:
        """The tokenizer :meth:`to_dict` described."""

    def tokens(self, text: str) -> list[str]:
        """The pieces ``text`` is cut into, one string an id."""
        return [self.decode([token]) for token in self.encode(text)]

    def save(self, path: str | Path) -> None:
        """Write a JSON file, whole or not at all.

        Raises:
            TokenizerError: it cannot be written there.
        """
        try:
            write_atomically(Path(path), json.dumps(self.to_dict()).encode())
        except OSError as error:
            raise TokenizerError(
                f"could not write the tokenizer to path={str(path)!r}: {error.strerror}."
            ) from error

    def __repr__(self) -> str:
        return f"{type(self).__name__}(vocab_size={self.vocab_size})"


class CharTokenizer(Tokenizer):
    """One id a character, for the characters of one text; ids follow the characters' order."""

    kind = "char"

    def __init__(self, characters: Sequence[str]) -> None:
        self.characters = tuple(characters)
        self._ids = {character: i for i, character in enumerate(self.characters)}
        if not self.characters:
            raise TokenizerError("characters must hold at least one character: got none.")
        if len(self._ids) < len(self.characters) or any(len(c) != 1 for c in self.characters):
            raise TokenizerError("characters must be single characters without repetition.")

    @classmethod
    def train(cls, text: str) -> CharTokenizer:
        """The tokenizer of every character in ``text``."""
        if not text:
            raise TokenizerError("text must hold at least one character: got an empty string.")
        return cls(sorted(set(text)))

    @property
    def vocab_size(self) -> int:
        """How many characters are known."""
        return len(self.characters)

    def encode(self, text: str) -> list[int]:
        """One id a character."""
        try:
            return list(map(self._ids.__getitem__, text))
        except KeyError as error:
            place = text.index(error.args[0])
            raise TokenizerError(
                f"text holds {error.args[0]!r} at position {place}, which is none of the "
                f"{self.vocab_size} characters this tokenizer was trained on."
            ) from None

    def decode(self, ids: Iterable[int]) -> str:
        """One character an id."""
        return "".join(map(self.characters.__getitem__, known_ids(ids, self.vocab_size)))

    def to_dict(self) -> dict[str, Any]:
        """``{"kind": "char", "characters": [...]}``."""
        return {"kind": self.kind, "characters": list(self.characters)}

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> CharTokenizer:
        """From :meth:`to_dict`."""
        return cls(entry(data, "characters"))


class ByteTokenizer(Tokenizer):
    """One id a byte of the text's UTF-8: 256 ids, every text, no training."""

    kind = "byte"
    vocab_size = 256

    def encode(self, text: str) -> list[int]:
        """One id a byte."""
        return list(utf8(text))

    def decode(self, ids: Iterable[int]) -> str:
        """The text of the bytes."""
        return bytes(known_ids(ids, self.vocab_size)).decode("utf-8", errors="replace")

    def tokens(self, text: str) -> list[str]:
        r"""One piece a byte; bytes of a longer character read ``\xe2``."""
        return [bytes([i]).decode("utf-8", "backslashreplace") for i in self.encode(text)]

    def to_dict(self) -> dict[str, Any]:
        """``{"kind": "byte"}``."""
        return {"kind": self.kind}

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> ByteTokenizer:
        """From :meth:`to_dict`."""
        return cls()


def load_tokenizer(path: str | Path) -> Tokenizer:
    """The tokenizer a JSON file holds, of whichever kind.

    Raises:
        TokenizerError: the file cannot be read, is damaged, or of an unknown kind.
    """
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise TokenizerError(
            f"could not read the tokenizer at path={str(path)!r}: {error.strerror}."
        ) from error
    try:
        data = json.loads(content)
        return Tokenizer._kinds[data["kind"]].from_dict(data)
    except (ValueError, KeyError, TypeError) as error:
        kinds = ", ".join(sorted(Tokenizer._kinds))
        raise TokenizerError(
            f"path must be an undamaged tokenizer file of kind {kinds}: {path} is not "
            f"({type(error).__name__}: {error})."
        ) from error


def entry(data: dict[str, Any], name: str) -> Any:
    """What a tokenizer's dictionary holds under a name; TokenizerError if it does not."""
    if name not in data:
        raise TokenizerError(f"data must have {name!r}: got {', '.join(data) or 'nothing'}.")
    return data[name]


def utf8(text: str) -> bytes:
    """The bytes of ``text``, refusing lone surrogates (halves of a character, not text)."""
    try:
        return text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise TokenizerError(
            f"text must be valid Unicode: position {error.start} holds the lone surrogate "
            f"{text[error.start]!r}."
        ) from None


def known_ids(ids: Iterable[int], vocab_size: int) -> list[int]:
    """The ids as a list of integers; TokenizerError unless each lies in 0..vocab_size - 1."""
    try:
        found = list(map(operator.index, ids))  # NumPy's and PyTorch's integers are welcome
    except TypeError:
        raise TokenizerError(
            f"ids must be one row of integers: got {in_short(ids, 'ids')}."
        ) from None
    if found and not (min(found) >= 0 and max(found) < vocab_size):
        wrong = next(i for i in found if not 0 <= i < vocab_size)
        raise TokenizerError(f"ids must lie in 0..{vocab_size - 1}: got {wrong}.")
    return found
