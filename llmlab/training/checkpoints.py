"""Checkpoints: safetensors and JSON in a folder that is either complete or not there.

``<folder>/step-000500/`` holds

- ``model.safetensors``: the weights,
- ``config.json``: the model's configuration, from which it is built again,
- ``optimizer.safetensors`` and ``training.json``: what resuming needs (absent for a model alone),
- ``manifest.json``: format, step, version, and the size and SHA-256 of every other file.

A checkpoint is written under a hidden name, forced to the disk, and renamed; only then are older
ones removed. Nothing is ever unpickled, so opening a stranger's checkpoint runs none of their code.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar

import torch
from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor, nn

from llmlab.files import sync_file, sync_folder
from llmlab.models import build, config_from_dict, describe_model
from llmlab.training.checkpoint_folders import (
    UNFINISHED,
    find_checkpoint,
    free_name,
    remove_all_but,
)
from llmlab.training.manifest import (
    MANIFEST,
    CheckpointError,
    describe_files,
    read_manifest,
    read_object,
    read_tensors,
    verify,
    verify_tokenizer,
)
from llmlab.training.wrappers import plain_name, unwrapped

_STATE = {"step", "tokens", "seconds", "scaler", "run", "batches"}  # of the loop, in training.json

Read = TypeVar("Read")


@dataclass(frozen=True)
class Body:
    """What is frozen of a model while the rest is trained: its name and the hash of its weights."""

    name: str
    sha256: str

    @classmethod
    def of(cls, model: nn.Module, name: str) -> Body:
        """The body of a model some of whose parameters are frozen.

        Raises ValueError if none is.
        """
        weights, trained = _weights(model), _trained(model)
        frozen = {key: tensor for key, tensor in weights.items() if key not in trained}
        if not frozen:
            raise ValueError(
                f"body must name what is frozen of the model: got {name!r}, but "
                "every weight is trained."
            )
        return cls(name, _hash(frozen))


def save_checkpoint(
    folder: str | Path,
    model: nn.Module,
    *,
    step: int = 0,
    optimizer: dict[str, Tensor] | None = None,
    training: dict[str, Any] | None = None,
    body: Body | None = None,
) -> Path:
    """Write the model, and what resuming needs if given, and return the checkpoint's own folder.

    ``training`` is what ``train`` needs to go on bit for bit. A loop of one's own whose batches
    depend on more than the step leaves it out, and ``resume`` refuses. With a ``body``, only what
    was trained is written, and which weights it belongs to.

    Older checkpoints in ``folder`` are removed once the new one is safe. Raises CheckpointError if
    the disk is full or the folder cannot be written; then nothing of the new checkpoint remains and
    the older one is untouched.
    """
    folder = Path(folder)
    temporary = None
    try:
        folder.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=UNFINISHED, dir=folder))
        os.chmod(temporary, 0o755)  # mkdtemp lets only the owner in
        _write_parts(temporary, model, step, optimizer, training, body)
        target = folder / free_name(folder, step)
        os.rename(temporary, target)
        sync_folder(folder)
    except (OSError, SafetensorError) as error:
        reason = getattr(error, "strerror", None) or error
        raise CheckpointError(f"could not write a checkpoint to {folder}: {reason}.") from error
    finally:
        if temporary is not None and temporary.exists():
            shutil.rmtree(temporary, ignore_errors=True)
    remove_all_but(target)
    return target


def load_model(folder: str | Path) -> nn.Module:
    """Build the model of a checkpoint and load its weights, on the CPU, ready to be used.

    ``folder`` is the folder given to ``train`` or ``save_checkpoint``, or one checkpoint in it.

    Raises CheckpointError if there is no checkpoint, if it is truncated or otherwise damaged, if
    the configuration does not match the weights, or if the tokenizer beside it is another.
    """
    return _read_newest(folder, lambda checkpoint: fill(build_model(checkpoint), checkpoint)).eval()


def load_weights(model: nn.Module, folder: str | Path) -> nn.Module:
    """Load the weights of a checkpoint into ``model`` and set it to evaluation mode.

    A checkpoint that holds only what was trained wants a model with the weights of its body.

    Raises CheckpointError if a weight is missing, left over or of another shape, or if the body or
    the tokenizer is another; then the model is unchanged.
    """
    return _read_newest(folder, lambda checkpoint: fill(model, checkpoint)).eval()


def _read_newest(folder: str | Path, read: Callable[[Path], Read]) -> Read:
    """Read the newest checkpoint; a training may replace it meanwhile: then the newer one."""
    while True:
        checkpoint = find_checkpoint(folder)
        try:
            return read(checkpoint)
        except CheckpointError:
            if find_checkpoint(folder) == checkpoint:
                raise


def build_model(checkpoint: Path) -> nn.Module:
    """The model that a checkpoint describes, newly initialised; raises as ``load_model`` does."""
    body = read_body(checkpoint)
    if body is not None:
        raise CheckpointError(
            f"{checkpoint} holds only what was trained on the body {body.name!r}: build that model "
            "and use load_weights(model, folder)."
        )
    content = read_object(checkpoint, "config.json")
    if content.get("model") is None:
        raise CheckpointError(
            f"{checkpoint} holds the weights of a model without a configuration "
            f"({content.get('class')}); build it yourself and use load_weights(model, folder)."
        )
    try:
        return build(config_from_dict(content))
    except (TypeError, ValueError, KeyError) as error:
        raise CheckpointError(
            f"{checkpoint / 'config.json'} does not describe a model: {error}"
        ) from error


def fill(model: nn.Module, checkpoint: Path) -> nn.Module:
    """Load the weights of a checkpoint, and leave the mode; raises as ``load_weights`` does."""
    verify(checkpoint, "config.json")
    verify_tokenizer(checkpoint)
    weights = read_tensors(checkpoint, "model.safetensors")
    own, body = _weights(model), read_body(checkpoint)
    if body is not None:
        frozen = {name: tensor for name, tensor in own.items() if name not in weights}
        if _hash(frozen) != body.sha256:
            raise CheckpointError(
                f"the weights in {checkpoint} were trained on the body {body.name!r}, and the "
                "model's other weights are not that body's."
            )
        own = {name: tensor for name, tensor in own.items() if name in weights}
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
    return model


def read_body(checkpoint: Path) -> Body | None:
    """The body that a checkpoint's weights belong to, if it holds only what was trained."""
    content = read_manifest(checkpoint).get("body")
    return None if content is None else Body(**content)


def read_training(checkpoint: Path) -> dict[str, Any]:
    """What ``train`` needs to go on. Raises CheckpointError if the checkpoint does not hold it."""
    if not (checkpoint / "training.json").is_file():
        raise CheckpointError(
            f"{checkpoint} cannot be resumed: it holds a model, but not the state of a training "
            "whose batches depend on the step alone."
        )
    state = read_object(checkpoint, "training.json")
    if missing := sorted(_STATE - state.keys()):
        raise CheckpointError(
            f"{checkpoint} cannot be resumed: its training.json has no {', '.join(missing)}."
        )
    if state["step"] != read_manifest(checkpoint)["step"]:
        raise CheckpointError(
            f"{checkpoint} is damaged: its training.json is of step {state['step']}."
        )
    return state


def _write_parts(
    target: Path,
    model: nn.Module,
    step: int,
    optimizer: dict[str, Tensor] | None,
    training: dict[str, Any] | None,
    body: Body | None,
) -> None:
    weights = _weights(model)
    if body is not None:
        weights = {name: weights[name] for name in weights if name in _trained(model)}
    parts = {"model.safetensors": weights}
    if optimizer is not None:
        parts["optimizer.safetensors"] = optimizer
    for name, tensors in parts.items():
        contiguous = {key: tensor.detach().contiguous() for key, tensor in tensors.items()}
        save_file(contiguous, target / name, metadata={"format": "pt"})
    _write_json(target / "config.json", describe_model(unwrapped(model)))
    if training is not None:
        _write_json(target / "training.json", training)
    manifest = describe_files(target, step, None if body is None else asdict(body))
    _write_json(target / MANIFEST, manifest)
    for path in target.iterdir():
        sync_file(path)
    sync_folder(target)


def _write_json(path: Path, content: dict[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def _weights(model: nn.Module) -> dict[str, Tensor]:
    """Return the state with each tied tensor under its first name only."""
    first: dict[tuple, str] = {}
    state = {plain_name(name): tensor for name, tensor in unwrapped(model).state_dict().items()}
    for name, tensor in state.items():
        first.setdefault((tensor.data_ptr(), tensor.shape, tensor.stride()), name)
    return {name: state[name] for name in first.values()}


def _trained(model: nn.Module) -> set[str]:
    parameters = unwrapped(model).named_parameters()
    return {plain_name(name) for name, parameter in parameters if parameter.requires_grad}


def _hash(weights: dict[str, Tensor]) -> str:
    digest = hashlib.sha256()
    for name, tensor in sorted(weights.items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.detach().cpu().reshape(-1).view(torch.uint8).numpy())
    return digest.hexdigest()
