"""Code on a page: listings come whole, and what is too wide shows that it scrolls."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from tests.browser import eventually

from .conftest import Visit, chapter_names

Open = Callable[..., Visit]


@pytest.mark.parametrize("size", ["wide", "phone"])
def test_a_wide_listing_can_be_scrolled_and_shows_it(visit: Open, size: str) -> None:
    page = visit("notebooks/02_transformer.html", size).page
    listing = page.locator("article pre", has_text="class MultiHeadAttention(nn.Module)").first
    expect(listing).to_contain_text("def _visible")  # its last method
    expect(listing).to_have_attribute("tabindex", "0")
    shadow = "node => getComputedStyle(node).backgroundImage.split('linear-gradient').length - 1"
    eventually(lambda: listing.evaluate(shadow), 4)
    listing.focus()
    page.keyboard.press("ArrowRight")
    eventually(lambda: listing.evaluate("node => node.scrollLeft"), lambda moved: moved > 0)


@pytest.mark.parametrize("chapter", chapter_names())
def test_code_of_the_column_fits_a_wide_page(visit: Open, chapter: str) -> None:
    page = visit(chapter).page
    cells = page.locator(".cell_input pre:visible")
    expect(cells).not_to_have_count(0)
    too_wide = "nodes => nodes.filter(n => n.scrollWidth > n.clientWidth + 1).map(n => n.innerText)"
    eventually(lambda: cells.evaluate_all(too_wide), [])
