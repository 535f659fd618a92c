"""No link of the site is dead: read from the files, without a browser."""

from __future__ import annotations

from functools import cache
from urllib.parse import unquote, urldefrag, urlparse

import pytest
from bs4 import BeautifulSoup

from .conftest import HTML, page_names


@cache
def soup(name: str) -> BeautifulSoup:
    return BeautifulSoup((HTML / name).read_text("utf-8"), "html.parser")


@cache
def anchors(name: str) -> set[str]:
    return {node["id"] for node in soup(name).find_all(id=True)}


def resolve(page: str, link: str) -> tuple[str, str]:
    path, fragment = urldefrag(link)
    target = (HTML / page).parent / unquote(urlparse(path).path) if path else HTML / page
    return target.resolve().relative_to(HTML.resolve()).as_posix(), unquote(fragment)


@pytest.mark.parametrize("page", page_names())
def test_internal_links_lead_somewhere(page: str) -> None:
    dead = []
    for node in soup(page).select("[href], [src]"):
        link = node.get("href") or node.get("src")
        if not link or urlparse(link).scheme or link in ("#", ""):
            continue
        name, fragment = resolve(page, link)
        found = (HTML / name).exists()
        if found and fragment and name.endswith(".html"):
            found = fragment in anchors(name)
        if not found:
            dead.append(link)
    assert not dead


@pytest.mark.parametrize("page", page_names())
def test_nothing_is_loaded_from_elsewhere(page: str) -> None:
    loaded = soup(page).select("script[src], link[href], img[src], iframe[src], source[src]")
    addresses = [node.get("src") or node.get("href") for node in loaded]
    assert not [address for address in addresses if urlparse(address).netloc]


@pytest.mark.parametrize("page", page_names())
def test_ids_are_unique(page: str) -> None:
    ids = [node["id"] for node in soup(page).find_all(id=True) if node.name != "dialog"]
    assert not {name for name in ids if ids.count(name) > 1}
