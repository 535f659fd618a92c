"""One training at a time in the folder of a run, which begins without leftovers of killed ones."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from llmlab.files import unfinished
from llmlab.training.checkpoint_folders import latest_checkpoint, remove_unfinished_checkpoints
from llmlab.training.distributed import SingleProcess
from llmlab.training.manifest import CheckpointError
from llmlab.training.records import RECORD_BEGINNING, RECORD_NAME, is_record

LOCK_NAME = ".llmlab-lock"  # a name that nobody else gives: locking empties the file


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keep every other process from training in a folder, which is made if need be.

    The lock dies with its process, however that ends; its empty file may stay behind. The thread
    that holds it may lock the folder again.

    Raises CheckpointError if another process trains there, or if the folder cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / LOCK_NAME, is_singleton=True)
        lock.acquire(blocking=False)
    except Timeout:
        raise _taken(folder) from None
    except OSError as error:
        reason = error.strerror or error
        raise CheckpointError(f"could not write a checkpoint to {folder}: {reason}.") from error
    try:
        yield
    finally:
        if lock.lock_counter == 1:
            with suppress(OSError):  # the folder is gone, or this is Windows
                (folder / LOCK_NAME).unlink()
        lock.release()


@contextmanager
def one_training(folder: Path, parallel: SingleProcess, new: bool) -> Iterator[None]:
    """Hold the lock while the processes of one training write to a folder, ``new`` or their own.

    Raises CheckpointError, in each of them, if the folder is not theirs to write.
    """
    problem = None
    with ExitStack() as held:
        if parallel.is_main_process:
            try:
                held.enter_context(locked(folder))
                if new:
                    _check_new(folder)
                _sweep(folder)
            except CheckpointError as error:
                problem = error
        if not parallel.all(problem is None):
            raise problem or _taken(folder)
        yield


def _check_new(folder: Path) -> None:
    if latest_checkpoint(folder) is not None:
        raise CheckpointError(
            f"folder {folder} already holds a run; continue it with resume, or choose another."
        )
    record = folder / RECORD_NAME
    if record.exists() and not is_record(record):
        raise CheckpointError(
            f"folder {folder} must hold no {RECORD_NAME} but that of a run: choose another, or "
            "move that away."
        )


def _sweep(folder: Path) -> None:
    remove_unfinished_checkpoints(folder)
    for path in unfinished(folder / RECORD_NAME, RECORD_BEGINNING):
        with suppress(OSError):  # it is in nobody's way
            path.unlink()


def _taken(folder: Path) -> CheckpointError:
    return CheckpointError(
        f"another process is training in {folder}: wait until it is done, or choose another folder."
    )
