"""Checkpoints: safetensors and JSON in a folder that is either complete or not there.

``<folder>/step-000500/`` holds

- ``model.safetensors``: the weights,
- ``config.json``: the model's configuration, from which it is built again,
- ``optimizer.safetensors`` and ``training.json``: what resuming needs (absent for a model alone),
- ``manifest.json``: step, version, and the size and SHA-256 of the tensor files.

A checkpoint is written under a hidden name, forced to the disk, and renamed; only then are older
ones removed. Nothing is ever unpickled, so opening a stranger's checkpoint runs none of their code.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import tempfile
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from llmlab import __version__
from llmlab.files import sync_file, sync_folder

_NAME = re.compile(r"step-(\d+)(?:-(\d+))?")


class CheckpointError(ValueError):
    """A checkpoint is missing, damaged, does not fit its model, or cannot be written."""


def save_checkpoint(
    folder: str | Path,
    model: nn.Module,
    *,
    step: int = 0,
    optimizer: dict[str, Tensor] | None = None,
    training: dict[str, Any] | None = None,
) -> Path:
    """Write the model, and what resuming needs if given, and return the checkpoint's own folder.

    Older checkpoints in ``folder`` are removed once the new one is safe. Raises CheckpointError if
    the disk is full or the folder cannot be written; then nothing of the new checkpoint remains and
    the older one is untouched.
    """
    folder = Path(folder)
    temporary = None
    try:
        folder.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=".writing-", dir=folder))
        os.chmod(temporary, 0o755)  # mkdtemp lets only the owner in
        _write_parts(temporary, model, step, optimizer, training)
        target = folder / _free_name(folder, step)
        os.rename(temporary, target)
        sync_folder(folder)
    except (OSError, SafetensorError) as error:
        reason = getattr(error, "strerror", None) or error
        raise CheckpointError(f"could not write a checkpoint to {folder}: {reason}.") from error
    finally:
        if temporary is not None and temporary.exists():
            shutil.rmtree(temporary, ignore_errors=True)
    _remove_all_but(target)
    return target


def latest_checkpoint(folder: str | Path) -> Path | None:
    """Return the newest complete checkpoint inside ``folder``, or None."""
    folder = Path(folder)
    if not folder.is_dir():
        return None
    found = [(key, path) for path in folder.iterdir() if (key := _order(path)) is not None]
    return max(found)[1] if found else None


def load_model(folder: str | Path) -> nn.Module:
    """Build the model of a checkpoint and load its weights, on the CPU, ready to be used.

    ``folder`` is the folder given to ``train`` or ``save_checkpoint``, or one checkpoint in it.

    Raises CheckpointError if there is no checkpoint, if it is truncated or otherwise damaged, or if
    the configuration does not match the weights.
    """
    checkpoint = find_checkpoint(folder)
    content = read_json(checkpoint / "config.json")
    if content.get("model") is None:
        raise CheckpointError(
            f"{checkpoint} holds the weights of a model without a configuration "
            f"({content.get('class')}); build it yourself and use load_weights(model, folder)."
        )
    from llmlab.models import build, config_from_dict

    try:
        model = build(config_from_dict(content))
    except (TypeError, ValueError, KeyError) as error:
        raise CheckpointError(
            f"{checkpoint / 'config.json'} does not describe a model: {error}"
        ) from error
    return load_weights(model, checkpoint)


def load_weights(model: nn.Module, folder: str | Path) -> nn.Module:
    """Load the weights of a checkpoint into ``model`` and set it to evaluation mode.

    Raises CheckpointError if a weight is missing, left over or of another shape; then the model is
    unchanged.
    """
    checkpoint = find_checkpoint(folder)
    weights = read_tensors(checkpoint, "model.safetensors")
    own = _weights(model)
    for name in sorted(own.keys() | weights.keys()):
        shapes = [tuple(there[name].shape) if name in there else None for there in (own, weights)]
        if shapes[0] != shapes[1]:
            described = ["no such weight" if shape is None else f"{shape}" for shape in shapes]
            raise CheckpointError(
                f"the weights in {checkpoint} do not match the model's configuration: at {name!r} "
                f"the configuration asks for {described[0]}, the file has {described[1]}."
            )
    with torch.no_grad():
        for name, tensor in own.items():
            tensor.copy_(weights[name])
    return model.eval()


def find_checkpoint(folder: str | Path) -> Path:
    """Return ``folder`` if it is a checkpoint, else the newest one in it.

    Raises CheckpointError if there is none.
    """
    folder = Path(folder)
    if (folder / "manifest.json").is_file():
        return folder
    checkpoint = latest_checkpoint(folder)
    if checkpoint is None:
        what = "has no checkpoint" if folder.is_dir() else "is not a folder"
        raise CheckpointError(f"{folder} {what}; give the folder that a training wrote.")
    return checkpoint


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object of a checkpoint. Raises CheckpointError if it is missing or damaged."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise CheckpointError(f"could not read {path}: {error.strerror}.") from error
    except ValueError as error:
        raise CheckpointError(f"{path} is damaged: it is not JSON ({error}).") from error
    if not isinstance(content, dict):
        raise CheckpointError(f"{path} is damaged: it is not a JSON object.")
    return content


def read_tensors(checkpoint: Path, name: str) -> dict[str, Tensor]:
    """Read a tensor file of a checkpoint after comparing it with the manifest.

    Raises CheckpointError if it is missing, truncated or changed.
    """
    path = checkpoint / name
    expected = read_json(checkpoint / "manifest.json").get("files", {}).get(name)
    if expected is None:
        raise CheckpointError(f"{checkpoint} has no {name}; it cannot be used for this.")
    try:
        actual = _fingerprint(path)
        if actual["bytes"] != expected["bytes"]:
            raise CheckpointError(
                f"{path} is truncated: it has {actual['bytes']:,} of {expected['bytes']:,} bytes."
            )
        if actual["sha256"] != expected["sha256"]:
            raise CheckpointError(
                f"{path} is damaged: its SHA-256 is not the one it was saved with."
            )
        return load_file(path)
    except OSError as error:
        raise CheckpointError(f"could not read {path}: {error.strerror}.") from error
    except SafetensorError as error:
        raise CheckpointError(f"{path} is damaged: {error}.") from error


def _write_parts(
    target: Path,
    model: nn.Module,
    step: int,
    optimizer: dict[str, Tensor] | None,
    training: dict[str, Any] | None,
) -> None:
    parts = {"model.safetensors": _weights(model)}
    if optimizer is not None:
        parts["optimizer.safetensors"] = optimizer
    for name, tensors in parts.items():
        contiguous = {key: tensor.detach().contiguous() for key, tensor in tensors.items()}
        save_file(contiguous, target / name, metadata={"format": "pt"})
    objects = {"config.json": describe_model(model)}
    if training is not None:
        objects["training.json"] = training
    files = {name: _fingerprint(target / name) for name in parts}
    objects["manifest.json"] = {"format": 1, "version": __version__, "step": step, "files": files}
    for name, content in objects.items():
        (target / name).write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    for path in target.iterdir():
        sync_file(path)
    sync_folder(target)


def describe_model(model: nn.Module) -> dict[str, Any]:
    """Return the configuration as a dictionary; ``"model": None`` for a class of one's own."""
    if not hasattr(model, "config"):
        return {"model": None, "class": type(model).__name__}
    from llmlab.models import config_to_dict

    return config_to_dict(model.config)


def _weights(model: nn.Module) -> dict[str, Tensor]:
    """Return the state with each tied tensor under its first name only."""
    first: dict[tuple, str] = {}
    state = model.state_dict()
    for name, tensor in state.items():
        first.setdefault((tensor.data_ptr(), tensor.shape, tensor.stride()), name)
    return {name: state[name] for name in first.values()}


def _fingerprint(path: Path) -> dict[str, Any]:
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return {"bytes": path.stat().st_size, "sha256": digest.hexdigest()}


def _order(path: Path) -> tuple[int, int] | None:
    match = _NAME.fullmatch(path.name)
    if match is None or not (path / "manifest.json").is_file():
        return None
    return int(match[1]), int(match[2] or 1)


def _free_name(folder: Path, step: int) -> str:
    # A step saved twice gets a suffix: replacing a folder in one go is not possible.
    name, serial = f"step-{step:06d}", 1
    while (folder / name).exists():
        serial += 1
        name = f"step-{step:06d}-{serial}"
    return name


def _remove_all_but(kept: Path) -> None:
    for path in kept.parent.iterdir():
        stale = _NAME.fullmatch(path.name) or path.name.startswith(".writing-")
        if stale and path != kept:
            shutil.rmtree(path, ignore_errors=True)
