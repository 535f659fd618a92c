"""Pages read with scripts off: the text is there, and every widget says in words what it shows."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.browser import eventually, unchanging

from .conftest import HTML, chapter_names, page_names

WITHOUT_TEXT = ["search.html", "genindex.html"]
NO_MORE = len("An interactive figure, which needs JavaScript. ")


@pytest.fixture(scope="module")
def without_scripts(browser: Browser) -> Iterator[BrowserContext]:
    with browser.new_context(java_script_enabled=False) as context:
        yield context


@pytest.mark.parametrize("name", [name for name in page_names() if name not in WITHOUT_TEXT])
def test_page_can_be_read_without_scripts(
    without_scripts: BrowserContext, address: str, name: str
) -> None:
    page = without_scripts.new_page()
    page.goto(address + name)
    article = page.locator("article.bd-article, main").first
    eventually(article.inner_text, lambda text: len(text) > 100)
    expect(page.locator("main h1").last).to_be_visible()
    assert "\\(" not in unchanging(article.inner_text(), "no script can draw a formula")
    if name in chapter_names():
        expect(page.locator("mjx-container svg").first).to_be_visible()
        expect_words_for_widgets(page, (HTML / name).read_text("utf-8"))
    page.close()


def expect_words_for_widgets(page: Page, source: str) -> None:
    """Each widget of a chapter is described, and its quiz can be read and unfolded."""
    widgets = source.count("vnd.jupyter.widget-view+json")
    assert widgets, "the chapter has no widget"
    words = page.locator(".llmlab-noscript:visible")
    expect(words).to_have_count(widgets)
    eventually(words.all_inner_texts, lambda texts: min(map(len, texts)) > NO_MORE)
    quiz = page.locator(".llmlab-noscript + ol > li")
    answer = quiz.locator("details > p").first
    eventually(quiz.count, lambda count: count >= 4)
    expect(answer).to_be_hidden()
    quiz.locator("summary").first.click()
    expect(answer).to_be_visible()
