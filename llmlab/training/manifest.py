"""What a checkpoint says of itself: its format, its step, and the hash of each file it consists of.

Nothing of a checkpoint is used before its bytes are those that were saved. The tokenizer is written
once and lies beside the checkpoints of a run; each of them says which one it belongs to.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Collection
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from llmlab import __version__

MANIFEST = "manifest.json"
CHECKPOINT_NAME = re.compile(r"step-(\d+)(?:-(\d+))?")
TOKENIZER = "../tokenizer.json"

# Raised when a checkpoint's contents change their meaning: 2 holds queries, keys and values apart,
# 3 the hash of every file and the run that it belongs to.
FORMAT = 3


class CheckpointError(ValueError):
    """A checkpoint is missing, damaged, does not fit its model, or cannot be written."""


def describe_files(checkpoint: Path, step: int, body: dict[str, str] | None) -> dict[str, Any]:
    """The manifest of a checkpoint whose other files are written."""
    names = sorted(path.name for path in checkpoint.iterdir())
    if (checkpoint / TOKENIZER).is_file():
        names.append(TOKENIZER)
    manifest = {"format": FORMAT, "version": __version__, "step": step}
    manifest["files"] = {name: _fingerprint(checkpoint / name) for name in names}
    return manifest if body is None else manifest | {"body": body}


def read_manifest(checkpoint: Path) -> dict[str, Any]:
    """The manifest of a checkpoint.

    Raises CheckpointError if it is missing, damaged, of another format, or of another step than the
    checkpoint's name says.
    """
    content = read_json(checkpoint / MANIFEST)
    if content.get("format") != FORMAT:
        raise CheckpointError(
            f"{checkpoint} has format {content.get('format')!r}, and this version of llmlab reads "
            f"{FORMAT}: train again, or use llmlab {content.get('version')}, which wrote it."
        )
    step, files, body = (content.get(name) for name in ("step", "files", "body"))
    hashed = isinstance(files, dict) and all(_has(f, {"bytes", "sha256"}) for f in files.values())
    if type(step) is not int or not hashed or not (body is None or _has(body, {"name", "sha256"})):
        raise CheckpointError(f"{checkpoint / MANIFEST} is damaged: it is not a manifest.")
    named = CHECKPOINT_NAME.fullmatch(checkpoint.name)
    if named and int(named[1]) != step:
        raise CheckpointError(f"{checkpoint} is damaged: its manifest is of step {step}.")
    return content


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object. Raises CheckpointError if it is missing or damaged."""
    try:
        content = json.loads(path.read_bytes())
    except OSError as error:
        raise CheckpointError(f"could not read {path}: {error.strerror}.") from error
    except ValueError as error:
        raise CheckpointError(f"{path} is damaged: it is not JSON ({error}).") from error
    if not isinstance(content, dict):
        raise CheckpointError(f"{path} is damaged: it is not a JSON object.")
    return content


def read_object(checkpoint: Path, name: str) -> dict[str, Any]:
    """Read a JSON file of a checkpoint after comparing it with the manifest.

    Raises as ``verify`` does.
    """
    verify(checkpoint, name)
    return read_json(checkpoint / name)


def read_tensors(checkpoint: Path, name: str) -> dict[str, Tensor]:
    """Read a tensor file of a checkpoint after comparing it with the manifest.

    Raises as ``verify`` does.
    """
    verify(checkpoint, name)
    try:
        return load_file(checkpoint / name)
    except OSError as error:
        raise CheckpointError(f"could not read {checkpoint / name}: {error.strerror}.") from error
    except SafetensorError as error:
        raise CheckpointError(f"{checkpoint / name} is damaged: {error}.") from error


def verify(checkpoint: Path, name: str) -> None:
    """Compare a file with the manifest.

    Raises CheckpointError if the checkpoint has none of this name, or if it is missing, truncated
    or changed.
    """
    path = checkpoint / name
    expected = read_manifest(checkpoint)["files"].get(name)
    if expected is None:
        raise CheckpointError(f"{checkpoint} has no {name}; it cannot be used for this.")
    try:
        actual = _fingerprint(path)
    except OSError as error:
        raise CheckpointError(f"could not read {path}: {error.strerror}.") from error
    if actual["bytes"] < expected["bytes"]:
        raise CheckpointError(
            f"{path} is truncated: it has {actual['bytes']:,} of {expected['bytes']:,} bytes."
        )
    if actual != expected:
        raise CheckpointError(f"{path} is damaged: its SHA-256 is not the one it was saved with.")


def verify_tokenizer(checkpoint: Path) -> None:
    """Compare the tokenizer beside a checkpoint with the one it was saved beside, if both exist.

    Raises CheckpointError if it is another: the model would read other tokens than it learned.
    """
    expected = read_manifest(checkpoint)["files"].get(TOKENIZER)
    path = checkpoint / TOKENIZER
    if expected is not None and path.is_file() and _fingerprint(path) != expected:
        raise CheckpointError(
            f"{path.resolve()} is not the tokenizer that the model was saved with; put that back."
        )


def _has(value: Any, keys: Collection[str]) -> bool:
    return isinstance(value, dict) and value.keys() == keys


def _fingerprint(path: Path) -> dict[str, Any]:
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return {"bytes": path.stat().st_size, "sha256": digest.hexdigest()}
