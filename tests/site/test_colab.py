"""The built chapters have Colab buttons exactly if the build knew the repository."""

from __future__ import annotations

import os

import pytest
from bs4 import BeautifulSoup
from llmlab_site.repository import COLAB, REPOSITORY, colab_address

from .conftest import HTML, page_names


@pytest.mark.parametrize("page", page_names())
def test_buttons_are_those_of_the_environment(page: str) -> None:
    soup = BeautifulSoup((HTML / page).read_text("utf-8"), "html.parser")
    found = {node["href"] for node in soup.select(f'a[href^="{COLAB}"]')}
    repository = os.environ.get(REPOSITORY, "")
    wanted = repository and page.startswith("notebooks/")
    path = page.replace(".html", ".ipynb")
    assert found == ({colab_address(repository, path)} if wanted else set())
