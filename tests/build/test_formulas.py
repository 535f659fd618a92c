"""Formulas are drawn when the site is built, by MathJax in Node."""

from __future__ import annotations

import re

import pytest
from llmlab_site.assets import install_assets
from llmlab_site.formulas import FormulaFailed, with_formulas

HEAD = """<html><head><script>window.MathJax = {"svg": {}}</script>
<script defer="defer" src="../_static/vendor/mathjax/tex-svg.js?v=1"></script></head>"""


def page(*formulas: str) -> str:
    return HEAD + "".join(formulas) + "</html>"


def inline(tex: str) -> str:
    return f'<p>so <span class="math notranslate nohighlight">\\({tex}\\)</span></p>'


def display(tex: str, number: str = "") -> str:
    return f'<div class="math notranslate nohighlight">{number}\n\\[{tex}\\]</div>'


@pytest.fixture(scope="module", autouse=True)
def mathjax() -> None:
    """In a fresh clone these tests come before the build."""
    install_assets()


@pytest.fixture(scope="module")
def drawn() -> str:
    number = '<span class="eqno">(1)<a class="headerlink" href="#x">#</a></span>'
    (text,) = with_formulas([page(inline("a &lt; b"), inline("a &lt; b"), display("x^2", number))])
    return text


def test_formulas_become_drawings_with_mathml_and_their_source(drawn: str) -> None:
    assert drawn.count("<svg") == 3
    assert drawn.count("<math ") == 3
    assert drawn.count('data-tex="a < b"') == 2
    assert "\\(" not in drawn
    assert "\\[" not in drawn
    assert 'class="eqno">(1)' in drawn


def test_the_page_fetches_no_script_for_them(drawn: str) -> None:
    assert "<script" not in drawn
    assert drawn.count("mjx-assistive-mml {") == 1  # the style that hides what is read aloud


def test_ids_are_unique_and_known(drawn: str) -> None:
    ids = re.findall(r' id="([^"]+)"', drawn)
    assert ids
    assert len(ids) == len(set(ids))
    assert set(re.findall(r'href="#(F[^"]+)"', drawn)) == set(ids)


def test_a_comma_stays_with_its_formula() -> None:
    (text,) = with_formulas([page(inline("K").replace("</span>", "</span>, so"))])
    assert re.search(
        r'<span class="llmlab-glued"><span class="math[^>]*>.*</span>,</span> so', text
    )


def test_a_second_pass_changes_nothing(drawn: str) -> None:
    assert with_formulas([drawn]) == [drawn]


def test_a_page_without_formulas_loses_the_script_alone() -> None:
    assert with_formulas([page("<p>none</p>")]) == ["<html><head></head><p>none</p></html>"]
    assert with_formulas(["<p>plain \\(</p>"]) == ["<p>plain \\(</p>"]


def test_what_is_not_tex_stops_the_build() -> None:
    with pytest.raises(FormulaFailed, match=r"could not draw a formula: not TeX: \\frac\{1"):
        with_formulas([page(inline("\\frac{1"))])
