"""Making room for a new run: what of its folder is ours, and what becomes of the run before it.

The old run waits in ``.replaced-*`` until the new one has a checkpoint. A kill may come at any
moment, so the name of that folder says how far things are: while the old run is on its way, there
or back, it is ``.moving-*``, and all that is in it belongs outside. The folder is locked meanwhile.
"""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from llmlab.commands.inputs import Data
from llmlab.commands.reporting import UsageError, command_line
from llmlab.data import load_tokenizer
from llmlab.files import unfinished
from llmlab.training import CheckpointError, latest_checkpoint
from llmlab.training.checkpoint_folders import is_ours, remove_checkpoint
from llmlab.training.lock import LOCK_NAME, locked
from llmlab.training.manifest import CHECKPOINT_NAME
from llmlab.training.records import RECORD_BEGINNING, RECORD_NAME, is_record


@contextlib.contextmanager
def claimed(path: Path, force: bool) -> Iterator[None]:
    """Make room for a new run in ``path``; if it never reaches a checkpoint, put all back.

    Raises:
        UsageError: if the folder is not empty and ``force`` is False, or if something of somebody
            else's is in the way.
        CheckpointError: if another process is training there.
        OSError: if it cannot be made or written.
    """
    made = [folder for folder in (path, *path.parents) if not folder.exists()]
    path.mkdir(parents=True, exist_ok=True)
    try:
        with locked(path):
            check_free(path, force)
            try:
                with _set_aside(path):
                    yield
            finally:
                put_back(path)
    finally:
        with contextlib.suppress(OSError):  # a folder that is not empty stays
            for folder in made:
                folder.rmdir()


def check_free(path: Path, force: bool) -> None:
    """Raise UsageError if ``path`` holds something that must not be written over."""
    if not path.is_dir():
        return
    put_back(path)
    others = {entry.name for entry in path.iterdir()} - {e.name for e in _own_entries(path)}
    others.discard(LOCK_NAME)
    taken = sorted(name for name in others if name in _FILES or CHECKPOINT_NAME.fullmatch(name))
    if taken:
        raise UsageError(
            f"--out {path} must hold no {taken[0]} but one that llmlab wrote: choose another "
            "folder, or move that away."
        )
    if force:
        return
    if latest_checkpoint(path) is not None:
        raise UsageError(
            f"--out {path} already holds a run: continue it with "
            f"`{command_line('llmlab', 'resume', path)}`, choose another folder, or replace it "
            "with --force."
        )
    if others:
        raise UsageError(
            f"--out {path} holds other files: choose another folder, or write beside them with "
            "--force."
        )


def put_back(path: Path) -> None:
    """Finish what a killed replacement has begun.

    The old run comes back if the new one has no checkpoint, and goes if it has one. While another
    process is training in the folder, that is its affair.
    """
    if _folders(path, _REPLACED) or _folders(path, _MOVING):
        with contextlib.suppress(CheckpointError), locked(path):
            _put_back(path)


def _put_back(path: Path) -> None:
    for aside in _folders(path, _REPLACED):
        if latest_checkpoint(path) is not None:
            with contextlib.suppress(OSError):  # another program may read it; the next run tries
                _remove([*aside.iterdir()])
                aside.rmdir()
        else:
            _remove(_own_entries(path))
            aside.rename(aside.with_name(aside.name.replace("replaced", "moving")))
    for aside in _folders(path, _MOVING):
        for entry in aside.iterdir():
            entry.rename(path / entry.name)
        aside.rmdir()


@contextlib.contextmanager
def _set_aside(path: Path) -> Iterator[None]:
    """Inside, the old run is out of the way; a new one that has no checkpoint then goes."""
    if old := _own_entries(path):
        aside = Path(tempfile.mkdtemp(prefix=".moving-", dir=path))
        for entry in old:
            entry.rename(aside / entry.name)
        aside.rename(aside.with_name(aside.name.replace("moving", "replaced")))
    try:
        yield
    finally:
        if latest_checkpoint(path) is None:
            _remove(_own_entries(path))


def _folders(path: Path, pattern: str) -> list[Path]:
    """Those of the name in which everything is ours."""
    found = [folder for folder in path.glob(pattern) if folder.is_dir()]
    return [folder for folder in found if len(_own_entries(folder)) == len([*folder.iterdir()])]


def _own_entries(path: Path) -> list[Path]:
    """What llmlab wrote in a folder, by its content: others use such names too."""
    if not path.is_dir():  # moved or deleted while it was trained in
        return []
    cut_short = {
        entry
        for name, beginning in _BEGINNINGS.items()
        for entry in unfinished(path / name, beginning)
    }
    entries = (entry for entry in path.iterdir() if not entry.is_symlink())
    return [entry for entry in entries if entry in cut_short or _is_own(entry)]


def _is_own(entry: Path) -> bool:
    if entry.is_dir():
        return is_ours(entry)
    return entry.name in _FILES and _FILES[entry.name](entry)


def _is_data(path: Path) -> bool:
    try:
        return bool(Data.read(path))
    except (OSError, ValueError, TypeError):
        return False


def _is_tokenizer(path: Path) -> bool:
    try:
        return bool(load_tokenizer(path))
    except (OSError, ValueError):
        return False


_REPLACED, _MOVING = ".replaced-????????", ".moving-????????"
_FILES = {"data.json": _is_data, "tokenizer.json": _is_tokenizer, RECORD_NAME: is_record}
_BEGINNINGS = {
    "data.json": b'{"corpus": ',
    "tokenizer.json": b'{"kind": ',
    RECORD_NAME: RECORD_BEGINNING,
}


def _remove(entries: Iterable[Path]) -> None:
    for entry in entries:
        if entry.is_dir():
            remove_checkpoint(entry)
        else:
            entry.unlink(missing_ok=True)
