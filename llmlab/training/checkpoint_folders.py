"""Where the checkpoints of a run lie: the newest of them, their names, and which of them go.

Others use such names too, so what is removed is known by its content.
"""

from __future__ import annotations

import contextlib
import re
from pathlib import Path

from llmlab.training.manifest import CHECKPOINT_NAME, MANIFEST, CheckpointError, read_json

UNFINISHED = ".writing-"
_UNFINISHED = re.compile(rf"{re.escape(UNFINISHED)}\w{{8}}")
_PARTS = ("model.safetensors", "config.json", "optimizer.safetensors", "training.json", MANIFEST)


def latest_checkpoint(folder: str | Path) -> Path | None:
    """Return the newest complete checkpoint inside ``folder``, or None."""
    folder = Path(folder)
    if not folder.is_dir():
        return None
    found = [(key, path) for path in folder.iterdir() if (key := _order(path)) is not None]
    return max(found)[1] if found else None


def find_checkpoint(folder: str | Path) -> Path:
    """Return ``folder`` if it is a checkpoint, else the newest one in it.

    Raises CheckpointError if there is none.
    """
    folder = Path(folder)
    if (folder / MANIFEST).is_file():
        return folder
    checkpoint = latest_checkpoint(folder)
    if checkpoint is None:
        what = "has no checkpoint" if folder.is_dir() else "is not a folder"
        raise CheckpointError(f"{folder} {what}; give the folder that a training wrote.")
    return checkpoint


def free_name(folder: Path, step: int) -> str:
    """A name for the checkpoint of a step that no folder has.

    A step saved twice gets a suffix: replacing a folder in one go is not possible.
    """
    name, serial = f"step-{step:06d}", 1
    while (folder / name).exists():
        serial += 1
        name = f"step-{step:06d}-{serial}"
    return name


def is_ours(folder: Path) -> bool:
    """Whether a folder is a checkpoint, whole or cut short by a kill, with nothing else in it.

    Others name folders ``step-100`` too.
    """
    if any(path.name not in _PARTS for path in folder.iterdir()):
        return False
    if _UNFINISHED.fullmatch(folder.name):
        return True
    try:
        return CHECKPOINT_NAME.fullmatch(folder.name) is not None and (
            {"format", "step", "files"} <= read_json(folder / MANIFEST).keys()
        )
    except CheckpointError:
        return False


def remove_checkpoint(folder: Path) -> None:
    """Remove a checkpoint; the manifest goes last, so that a kill leaves what is known as ours."""
    with contextlib.suppress(OSError):  # as on Windows, where another program may read it
        for name in _PARTS:
            (folder / name).unlink(missing_ok=True)
        folder.rmdir()


def remove_unfinished_checkpoints(folder: Path) -> None:
    """Remove what kills have left of checkpoints that were being written."""
    for path in folder.iterdir():
        if _UNFINISHED.fullmatch(path.name) and _is_removable(path):
            remove_checkpoint(path)


def remove_all_but(kept: Path) -> None:
    """Remove every other checkpoint beside one, and what kills have left of such."""
    for path in kept.parent.iterdir():
        if path != kept and _is_removable(path):
            remove_checkpoint(path)


def _is_removable(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink() and is_ours(path)


def _order(path: Path) -> tuple[int, int] | None:
    match = CHECKPOINT_NAME.fullmatch(path.name)
    if match is None or not (path / MANIFEST).is_file():
        return None
    return int(match[1]), int(match[2] or 1)
