"""Where a widget's JavaScript and CSS come from: files of this folder, joined into one text.

A widget's module may import nothing, because it must run in Jupyter and in Colab as on a plain
page. Its files are ES modules all the same, which import each other; here they are joined.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

HERE = Path(__file__).parent
_IMPORT = re.compile(r'^import \{[^}]*\} from "(\.{1,2}/[^"]+)";\n', re.MULTILINE)


@cache
def module(name: str) -> str:
    """The ES module ``name`` of this folder, after what it imports, each file once."""
    texts: dict[Path, str] = {}
    _collect((HERE / name).resolve(), texts)
    return "\n".join(texts.values())


def _collect(path: Path, texts: dict[Path, str]) -> None:
    if path in texts:
        return
    text = path.read_text(encoding="utf-8")
    for imported in _IMPORT.findall(text):
        _collect((path.parent / imported).resolve(), texts)
    texts[path] = _IMPORT.sub("", text)


@cache
def styles(*names: str) -> str:
    """The named style sheets of this folder, one after another."""
    return "\n".join((HERE / name).read_text(encoding="utf-8") for name in names)
