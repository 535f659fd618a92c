"""The site has Colab buttons if the environment says where the repository is, and none without."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from llmlab_site.repository import REPOSITORY, colab_address, colab_buttons, copy_command

BUTTON = "https://colab.research.google.com/github/owner/name/blob/colab/notebooks/01_a.ipynb"
CONF = """
import sys
sys.path.insert(0, {folder!r})
from llmlab_site import add_colab_buttons
extensions = ["myst_nb"]
html_theme = "sphinx_book_theme"
html_theme_options = {{"use_repository_button": False, "path_to_docs": ""}}
nb_execution_mode = "off"
root_doc = "notebooks/01_a"
def setup(app):
    app.connect("config-inited", add_colab_buttons)
"""


@pytest.mark.parametrize("address", ["", "/", ".git"])
def test_buttons_lead_to_the_colab_branch(address: str) -> None:
    options = colab_buttons({REPOSITORY: "https://github.com/owner/name" + address})
    assert options["repository_url"] == "https://github.com/owner/name"
    assert options["repository_branch"] == "colab"


def test_a_clone_is_asked_for_only_where_an_address_is_known() -> None:
    address = "https://github.com/owner/name"
    assert f"git clone {address}" in copy_command({REPOSITORY: address})
    assert "clone" not in copy_command({})


def test_without_a_repository_nothing_changes() -> None:
    assert colab_buttons({}) == colab_buttons({REPOSITORY: ""}) == {}


@pytest.mark.parametrize("address", ["github.com/owner/name", "https://a.b/owner/name", "x"])
def test_a_repository_that_colab_cannot_open_is_named(address: str) -> None:
    assert colab_address(address, "a.ipynb") is None
    with pytest.raises(ValueError, match="LLMLAB_REPOSITORY must be https:"):
        colab_buttons({REPOSITORY: address})


@pytest.mark.parametrize("repository", ["https://github.com/owner/name", ""])
def test_a_page_has_the_button_that_it_should(repository: str, root: Path, tmp_path: Path) -> None:
    (tmp_path / "notebooks").mkdir()
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3"}}
    cells = [nbformat.v4.new_markdown_cell("# A")]
    nbformat.write(
        nbformat.v4.new_notebook(cells=cells, metadata=kernel), tmp_path / "notebooks/01_a.ipynb"
    )
    (tmp_path / "conf.py").write_text(CONF.format(folder=str(root / "book" / "_ext")))
    build = [sys.executable, "-W", "ignore", "-m", "sphinx", "-q", str(tmp_path)]
    environment = {**os.environ, REPOSITORY: repository}
    subprocess.run([*build, str(tmp_path / "html")], env=environment, check=True)
    page = (tmp_path / "html" / "notebooks" / "01_a.html").read_text("utf-8")
    assert (BUTTON in page) == bool(repository)
    assert ("colab" in page) == bool(repository)
    assert "source-repository-button" not in page
