"""A chapter read with scripts off: every widget says in words what it would show."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser

from .conftest import HTML, chapter_names


@pytest.mark.parametrize("name", chapter_names())
def test_every_widget_has_words_where_scripts_are_off(
    browser: Browser, address: str, name: str
) -> None:
    widgets = (HTML / name).read_text("utf-8").count("vnd.jupyter.widget-view+json")
    assert widgets, "the chapter has no widget"
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(address + name)
    words = page.locator(".llmlab-noscript:visible").all_inner_texts()
    quiz = page.locator(".llmlab-noscript + ol > li")
    answer = quiz.locator("details > p").first
    assert quiz.count() >= 4
    assert not answer.is_visible()
    quiz.locator("summary").first.click()
    assert answer.is_visible()
    context.close()
    assert len(words) == widgets
    assert all(len(text) > len("An interactive figure, which needs JavaScript. ") for text in words)
