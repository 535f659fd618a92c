"""Where files are kept, and how to write one so that nobody ever sees half of it."""

from __future__ import annotations

import os
import re
import tempfile
from pathlib import Path

from platformdirs import user_cache_path


def cache_folder() -> Path:
    """The folder of what can be fetched or computed again: ``$LLMLAB_CACHE``, else the user's."""
    if chosen := os.environ.get("LLMLAB_CACHE"):
        return Path(chosen).expanduser()
    return user_cache_path("llmlab", appauthor=False)


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file under a temporary name and rename it into place; its folder must exist.

    A crash, a full disk or an impatient reader then meets the old file or the new one. Raises
    OSError.
    """
    handle, temporary = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o644)  # mkstemp lets only the owner read
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise
    sync_folder(path.parent)


def unfinished(path: Path, beginning: bytes) -> list[Path]:
    """What kills have left of earlier attempts to write a file atomically.

    Others may use such names, so only a file counts that has the ``beginning`` which all versions
    of this one have, or as much of it as there was time for. Raises OSError.
    """
    name = re.compile(rf"\.{re.escape(path.name)}-\w{{8}}")
    found = (other for other in path.parent.iterdir() if name.fullmatch(other.name))
    return [other for other in found if other.is_file() and _begins(other, beginning)]


def _begins(path: Path, text: bytes) -> bool:
    with open(path, "rb") as file:
        return text.startswith(file.read(len(text)))


def sync_file(path: Path) -> None:
    """Wait until a file is on the disk, and let everyone read it. Raises OSError."""
    os.chmod(path, 0o644)
    with open(path, "rb+") as file:
        os.fsync(file.fileno())


def sync_folder(path: Path) -> None:
    """Wait until a folder's names are on the disk, where the system can (Windows cannot)."""
    if os.name == "nt":
        return
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
