"""The Colab edition: what becomes of each cell, and that every chapter can become one."""

from __future__ import annotations

import re
from pathlib import Path

import nbformat
import pytest
from llmlab_site.edition import WIDGET, Edition
from llmlab_site.plain_markdown import Work, plain_markdown, read_bibliography

ADDRESS = "https://github.com/owner/name"
COMMIT = "0123456789abcdef" * 2 + "01234567"
SITE = "https://owner.github.io/name"
CHAPTERS = sorted((Path(__file__).parents[2] / "notebooks").glob("*.ipynb"))
COLAB = "https://colab.research.google.com/github/owner/name/blob/colab/notebooks"
WORKS = {
    "one": Work("Shannon", "1951", ""),
    "two": Work("Press and Wolf", "2017", "https://a.b/1"),
    "many": Work("Vaswani et al.", "2017", "https://a.b/2"),
}


def translated(source: str, link=lambda target: None) -> str:
    return plain_markdown(source, WORKS, link)


@pytest.mark.parametrize(
    ("source", "plain"),
    [
        ("A {cite}`many` b", "A ([Vaswani et al., 2017](https://a.b/2)) b"),
        ("{cite:p}`one, two`", "(Shannon, 1951; [Press and Wolf, 2017](https://a.b/1))"),
        ("{cite:t}`many`", "[Vaswani et al. (2017)](https://a.b/2)"),
        ("{cite:t}`one,two`", "Shannon (1951) and [Press and Wolf (2017)](https://a.b/1)"),
        ("$\\sqrt{K}$ `code`", "$\\sqrt{K}$ `code`"),
        ("```python\n{cite}`none`\n[a](b)\n```", "```python\n{cite}`none`\n[a](b)\n```"),
        (":::{note}\nSee {cite:t}`one`.\n:::", "> **Note**\n>\n> See Shannon (1951)."),
        (
            "a\n````{admonition} Why?\n```\nx\n```\n````\nb",
            "a\n> **Why?**\n>\n> ```\n> x\n> ```\nb",
        ),
    ],
)
def test_myst_becomes_markdown(source: str, plain: str) -> None:
    assert translated(source) == plain


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("{cite}`nobody`", "a work of the bibliography: got 'nobody'"),
        ("{ref}`here`", "got {ref}`here`"),
        ("```{figure} a.png\n```", "got 'figure'"),
        ("```python\nx", "never closed"),
    ],
)
def test_what_is_not_known_is_an_error(source: str, message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        translated(source)


def test_links_are_handed_over_with_their_words() -> None:
    source = "[`x[0]` in\nwords](../book/a.md) [b](https://c.d) [e](#f) ![g](h.png)"
    assert translated(source, str.upper) == source.replace("../book/a.md", "../BOOK/A.MD")
    assert translated("the [ledger](a.md).") == "the ledger."


def test_links_lead_to_colab_to_the_site_or_nowhere() -> None:
    edition = Edition(ADDRESS, COMMIT, SITE + "/")
    assert edition.link("02_transformer.ipynb#part") == f"{COLAB}/02_transformer.ipynb"
    assert edition.link("../book/claims.md#t-1") == f"{SITE}/book/claims.html#t-1"
    assert Edition(ADDRESS, COMMIT).link("../book/claims.md") is None
    assert Edition("file:///somewhere", COMMIT).link("02_a.ipynb") == "02_a.ipynb"


def test_bibliography_names_authors_as_running_text_does(root: Path) -> None:
    works = read_bibliography(root / "book" / "references.bib")
    assert works["press2017using"][:2] == ("Press and Wolf", "2017")
    assert works["cho2014learning"].authors == "Cho et al."
    assert works["shannon1951prediction"] == ("Shannon", "1951", "")
    assert works["he2016deep"].address == "https://arxiv.org/abs/1512.03385"


def executed() -> nbformat.NotebookNode:
    """A notebook as the build leaves it, with every kind of cell and output."""
    new = nbformat.v4
    view = {WIDGET: {"model_id": "1"}, "text/plain": "<llmlab... object at 0x7f>"}
    outputs = [
        new.new_output("stream", name="stdout", text="printed"),
        new.new_output("stream", name="stderr", text="warned"),
        new.new_output("display_data", view),
        new.new_output("execute_result", {"text/plain": "4"}, execution_count=2),
    ]
    cell = new.new_code_cell("2 + 2", outputs=outputs, execution_count=2, id="sum")
    folded = new.new_code_cell("quiz()", id="quiz", metadata={"tags": ["hide-input"]})
    metadata = {"widgets": {"state": {}}, "kernelspec": {"name": "python3", "display_name": "x"}}
    return new.new_notebook(
        cells=[new.new_markdown_cell("# A", id="a"), cell, folded], metadata=metadata
    )


def test_outputs_stay_but_for_warnings_and_widgets() -> None:
    notebook = Edition(ADDRESS, COMMIT, SITE).notebook(executed(), "01_a", {})
    nbformat.validate(notebook)
    printed, view, result = notebook.cells[2].outputs
    assert (printed.text, result.data["text/plain"]) == ("printed", "4")
    assert "an interactive view appears here" in view.data["text/plain"]
    assert f'href="{SITE}/notebooks/01_a.html"' in view.data["text/html"]
    assert "href" not in str(Edition(ADDRESS, COMMIT).notebook(executed(), "01_a", {}))


def test_metadata_is_colab_s() -> None:
    notebook = Edition(ADDRESS, COMMIT).notebook(executed(), "01_a", {})
    assert set(notebook.metadata) == {"colab", "kernelspec", "language_info"}
    assert notebook.metadata.colab.provenance == []
    install, *_, folded = notebook.cells
    assert install.metadata == folded.metadata == {"cellView": "form"}
    assert folded.source == "# @title Folded code\nquiz()"


def test_first_cell_installs_the_exact_commit() -> None:
    source = Edition(ADDRESS, COMMIT).notebook(executed(), "01_a", {}).cells[0].source
    compile(source, "install", "exec")
    assert source.startswith("# @title ")
    assert f'REPOSITORY = "{ADDRESS}"\nCOMMIT = "{COMMIT}"\n' in source
    assert "llmlab[display] @ git+{REPOSITORY}@{COMMIT}" in source


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
def test_every_chapter_reads_well_without_myst(path: Path, root: Path) -> None:
    works = read_bibliography(root / "book" / "references.bib")
    notebook = nbformat.read(path, as_version=4)
    edition = Edition(ADDRESS, COMMIT, SITE).notebook(notebook, path.stem, works)
    nbformat.validate(edition)
    prose = "\n".join(cell.source for cell in edition.cells if cell.cell_type == "markdown")
    assert not re.findall(r"\{[\w:]+\}`|^:::|^```\{", prose, re.M)
    links = re.findall(r"\]\(([^)\s]+)\)", prose)
    assert links
    assert not [link for link in links if not link.startswith(("https://", "#"))]
    chapters = {link for link in links if link.startswith(COLAB)}
    assert chapters <= {f"{COLAB}/{path.name}" for path in CHAPTERS}
    assert "pip install llmlab" not in str(edition)


def test_an_error_names_the_chapter_and_the_cell() -> None:
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell("{ref}`x`")])
    with pytest.raises(ValueError, match="01_a, cell 1: a role must be"):
        Edition(ADDRESS, COMMIT).notebook(notebook, "01_a", {})


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("git@github.com:owner/name", COMMIT), "repository must be"),
        (('https://a.b/c"; import os', COMMIT), "repository must be"),
        ((ADDRESS, "main"), "commit must be 40 hexadecimal digits: got 'main'"),
        ((ADDRESS, COMMIT, "owner.github.io"), "site must be"),
    ],
)
def test_bad_addresses_are_named(arguments: tuple[str, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Edition(*arguments)
