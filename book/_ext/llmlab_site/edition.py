"""The Colab edition of a chapter: with its outputs, in plain Markdown, installing its package.

Colab draws saved widgets only after a running kernel has switched on its manager for widgets of
others. The edition therefore holds no widget state: where a widget was, a sentence says so.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from posixpath import join, normpath
from urllib.parse import urldefrag

import nbformat
from nbformat import NotebookNode

from .plain_markdown import Work, plain_markdown
from .repository import colab_address

FOLDER = "notebooks"  # where the chapters lie, in the repository as in the edition
WIDGET = "application/vnd.jupyter.widget-view+json"
FOLDED = {"hide-input", "remove-input"}

# Every chapter draws, so every chapter needs the extra "display". What Colab has satisfies the
# ranges in pyproject.toml, so pip leaves it alone.
INSTALL = """\
# @title Run this cell first: it installs LLM Lab, which takes about half a minute
import importlib, importlib.metadata, json, os, subprocess, sys

REPOSITORY = "<repository>"
COMMIT = "<commit>"


def installed_commit():
    try:
        origin = importlib.metadata.distribution("llmlab").read_text("direct_url.json")
    except importlib.metadata.PackageNotFoundError:
        return None
    return json.loads(origin or "{}").get("vcs_info", {}).get("commit_id")


if installed_commit() != COMMIT:
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    package = f"llmlab[display] @ git+{REPOSITORY}@{COMMIT}"
    no_questions = {**os.environ, "GIT_TERMINAL_PROMPT": "0"}
    run = subprocess.run([*pip, package], env=no_questions, capture_output=True, text=True)
    if run.returncode:
        causes = [line for line in run.stderr.splitlines() if "fatal:" in line or "ERROR:" in line]
        cause = causes[0].strip() if causes else f"pip ended with {run.returncode}"
        raise RuntimeError(f"LLM Lab was not installed from {REPOSITORY} at {COMMIT[:7]}: {cause}")
    importlib.invalidate_caches()
print(f"LLM Lab is installed, at commit {COMMIT[:7]}.")
"""


@dataclass(frozen=True)
class Edition:
    """What every notebook of one edition shares.

    ``repository`` is an address that git can clone and ``commit`` the full hash of the commit that
    the notebooks install from it; ``site`` is the address of the website, or empty.
    """

    repository: str
    commit: str
    site: str = ""

    def __post_init__(self) -> None:
        if not re.fullmatch(r"(https|file)://[^\s\"'@]+", self.repository):
            raise ValueError(f"repository must be an https address: got {self.repository!r}.")
        if not re.fullmatch(r"[0-9a-f]{40}", self.commit):
            raise ValueError(f"commit must be 40 hexadecimal digits: got {self.commit!r}.")
        if not re.fullmatch(r"(https?://\S+)?", self.site):
            raise ValueError(f"site must be an https address or empty: got {self.site!r}.")

    def notebook(
        self, executed: NotebookNode, name: str, works: Mapping[str, Work]
    ) -> NotebookNode:
        """Return the edition's form of the executed notebook ``name`` (``"01_attention"``).

        Raises:
            ValueError: a Markdown cell cannot be translated; the message names the notebook.
        """
        install = INSTALL.replace("<repository>", self.repository).replace("<commit>", self.commit)
        cells = [nbformat.v4.new_code_cell(install.strip(), id="install", metadata=_form())]
        for number, cell in enumerate(executed.cells, start=1):
            if cell.cell_type == "code":
                cells.append(self._code_cell(cell, name))
                continue
            try:
                source = plain_markdown(cell.source, works, self.link)
            except ValueError as error:
                raise ValueError(f"{name}, cell {number}: {error}.") from error
            cells.append(nbformat.v4.new_markdown_cell(source, id=cell.id))
        metadata = {
            "colab": {"provenance": [], "toc_visible": True},  # no accelerator: a CPU is enough
            "kernelspec": {"display_name": "Python 3", "name": "python3"},
            "language_info": {"name": "python"},
        }
        return nbformat.v4.new_notebook(cells=cells, metadata=metadata)

    def link(self, target: str) -> str | None:
        """Return where a relative link of a chapter leads: to Colab, to the site, or nowhere."""
        path, fragment = urldefrag(target)
        path = normpath(join(FOLDER, path))
        if path.startswith(f"{FOLDER}/") and path.endswith(".ipynb"):
            return colab_address(self.repository, path) or target
        return self._page(path, fragment) if self.site else None

    def _page(self, path: str, fragment: str = "") -> str:
        page = re.sub(r"\.(md|ipynb)$", ".html", path)
        return f"{self.site.rstrip('/')}/{page}" + (f"#{fragment}" if fragment else "")

    def _code_cell(self, cell: NotebookNode, name: str) -> NotebookNode:
        folded = FOLDED & set(cell.metadata.get("tags", []))
        source = f"# @title Folded code\n{cell.source}" if folded else cell.source
        outputs = [self._output(output, name) for output in cell.outputs]
        return nbformat.v4.new_code_cell(
            source,
            id=cell.id,
            metadata=_form() if folded else {},
            execution_count=cell.execution_count,
            outputs=[output for output in outputs if output],
        )

    def _output(self, output: NotebookNode, name: str) -> NotebookNode | None:
        """Return what an output becomes; nothing of what a cell wrote to stderr, as on the site."""
        if output.output_type == "stream":
            return output if output.name == "stdout" else None
        if WIDGET not in output.get("data", {}):
            return output
        page = self._page(f"{FOLDER}/{name}.html") if self.site else ""
        text = "Run the cells from the top down to this one, and an interactive view appears here."
        linked = f' On <a href="{page}">the website</a> it works at once.' if page else ""
        data = {"text/html": f"<p><em>{text}</em>{linked}</p>", "text/plain": text}
        return nbformat.v4.new_output("display_data", data)


def _form() -> dict[str, str]:
    """The metadata with which Colab folds a cell's code under its title."""
    return {"cellView": "form"}
