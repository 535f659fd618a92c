"""A page opened as a file: it says why nothing moves, and what would."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, expect

from tests.browser import eventually

from .conftest import HTML, chapter_names


@pytest.mark.parametrize("name", chapter_names()[:1])
def test_a_page_opened_as_a_file_says_what_is_missing(browser: Browser, name: str) -> None:
    page = browser.new_page()
    page.goto((HTML / name).as_uri())
    notice = page.get_by_role("note").first
    expect(notice).to_contain_text("You opened this page as a file.")
    expect(notice).to_contain_text("make serve")
    widgets = (HTML / name).read_text("utf-8").count("vnd.jupyter.widget-view+json")
    words = page.locator("div > .llmlab-noscript:visible")
    expect(words).to_have_count(widgets)
    eventually(words.all_inner_texts, lambda texts: min(map(len, texts)) > 60)
    page.close()


def test_a_page_that_is_served_says_nothing_of_the_kind(browser: Browser, address: str) -> None:
    page = browser.new_page()
    page.goto(address + "book/index.html")
    expect(page.locator("article h1")).to_be_visible()
    expect(page.get_by_text("You opened this page as a file")).to_have_count(0)
    page.close()
