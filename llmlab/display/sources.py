"""Where a widget's JavaScript and CSS come from: files beside this one, joined into one module."""

from __future__ import annotations

from functools import cache
from pathlib import Path

HERE = Path(__file__).parent


@cache
def source(*names: str) -> str:
    """The text of the named files of this folder, one after another."""
    return "\n".join((HERE / name).read_text(encoding="utf-8") for name in names)
