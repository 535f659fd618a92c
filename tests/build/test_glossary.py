"""Chapters and glossary lead to each other."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from bs4 import BeautifulSoup
from sphinx.application import Sphinx
from sphinx.util.docutils import docutils_namespace, patch_docutils

ROOT = Path(__file__).parents[2]
EXTENSION = ROOT / "book" / "_ext"
CONF = """
import sys
sys.path.insert(0, EXTENSION)
extensions = ["myst_parser"]
from llmlab_site.glossary import add_glossary as setup
"""
PAGES = {
    "index.md": "# Home\n\n```{toctree}\nnotebooks/02_b\nnotebooks/01_a\nbook/glossary\n```\n",
    "book/glossary.md": "# Glossary\n\n```{glossary}\nkey\nquery\n  Two parts.\n\nGPT\n  One.\n\n"
    "idle\n  Linked by nobody.\n```\n",
    "notebooks/01_a.md": "# First\n\nA [query](../book/glossary.md#term-query) asks.\n",
    "notebooks/02_b.md": "# Second\n\nA [GPT](../book/glossary.md#term-GPT), a "
    "[key](../book/glossary.md#term-key), a [GPT](../book/glossary.md#term-GPT).\n",
}


def build(folder: Path, **options) -> Path:
    with patch_docutils(), docutils_namespace():
        app = Sphinx(folder, folder, folder / "html", folder / "trees", "html", status=None,
                     warningiserror=True, **options)  # fmt: skip
        app.build()
    assert app.statuscode == 0
    return folder / "html"


@pytest.fixture
def book(tmp_path):
    (tmp_path / "conf.py").write_text(CONF.replace("EXTENSION", repr(str(EXTENSION))), "utf-8")
    for name, text in PAGES.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text, "utf-8")
    return tmp_path


def page(html: Path, name: str) -> BeautifulSoup:
    return BeautifulSoup((html / name).read_text("utf-8"), "html.parser")


def ways_back(html: Path) -> list[tuple[str, str]]:
    entries = page(html, "book/glossary.html").select(".llmlab-explained")
    return [(entry.get_text(), entry.a["href"]) for entry in entries]


def test_a_term_leads_to_its_first_use_and_the_use_to_the_term(book):
    html = build(book)
    assert ways_back(html) == [
        ("Explained in First.", "../notebooks/01_a.html#use-of-term-query"),
        ("Explained in Second.", "../notebooks/02_b.html#use-of-term-GPT"),
    ]
    second = page(html, "notebooks/02_b.html")
    assert len(second.select("#use-of-term-GPT")) == 1
    links = [link["href"] for link in second.select("p a.reference")]
    assert links[:2] == ["../book/glossary.html#term-GPT", "../book/glossary.html#term-key"]
    assert page(html, "book/glossary.html").select_one("dt#term-GPT")


def test_a_chapter_that_is_read_again_moves_the_way_back(book):
    build(book)
    (book / "notebooks/01_a.md").write_text("# First\n\nNothing is linked.\n", "utf-8")
    assert ways_back(build(book))[0] == (
        "Explained in Second.",
        "../notebooks/02_b.html#use-of-term-key",
    )


def test_every_link_of_a_chapter_names_a_term():
    glossary = (ROOT / "book" / "glossary.md").read_text("utf-8")
    terms = re.findall(r"^(?!```|#)(\S.*)$", glossary, re.M)
    assert all(term.isascii() for term in terms)  # Sphinx leaves other letters out of an id
    known = {"term-" + re.sub(r"[^\w.]+", "-", term).strip("-") for term in terms}
    linked = set()
    for path in sorted((ROOT / "notebooks").glob("*.ipynb")):
        text = "".join("".join(c["source"]) for c in json.loads(path.read_text("utf-8"))["cells"])
        linked |= set(re.findall(r"glossary\.md#([\w.-]+)", text))
    assert linked
    assert linked <= known
