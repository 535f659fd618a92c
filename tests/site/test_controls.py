"""What is the same around every page: search, theme switch, contents, print, the address."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser import eventually, frames

from .conftest import SIZES, Visit, chapter_names

Open = Callable[..., Visit]
PAGE = "book/how_to_use.html"


def test_theme_switch_toggles_and_is_remembered(visit: Open) -> None:
    page = visit(PAGE).page
    html, switch = page.locator("html"), page.locator(".theme-switch-button:visible").first
    expect(html).to_have_attribute("data-mode", "auto")
    for mode, theme in (("dark", "dark"), ("light", "light"), ("auto", "light")):
        switch.click()
        expect(html).to_have_attribute("data-mode", mode)
        expect(html).to_have_attribute("data-theme", theme)
    switch.click()
    expect(html).to_have_attribute("data-mode", "dark")
    page.reload()
    expect(html).to_have_attribute("data-theme", "dark")


# pixels from the magnifying glass to where a text begins
ROOM = """node => parseFloat(getComputedStyle(node).paddingLeft) + node.getBoundingClientRect().left
    - node.previousElementSibling.getBoundingClientRect().right"""


@pytest.mark.parametrize("size", ["wide", "phone"])
def test_search_finds_a_word(visit: Open, size: str) -> None:
    page = visit(PAGE, size).page
    page.keyboard.press("Control+k")
    field = page.locator("input[type=search]:visible").first
    field.fill("perplexity")
    eventually(lambda: field.evaluate(ROOM), lambda room: room > 0)
    field.press("Enter")
    page.wait_for_url("**/search.html?q=perplexity*")
    result = page.locator("#search-results li a").first
    expect(result).to_have_attribute("href", re.compile("^(book|notebooks)/"))
    result.click()
    expect(page.locator("main")).to_contain_text("perplexity", ignore_case=True)


TOP = "node => node.getBoundingClientRect().top"


@pytest.mark.parametrize("size", ["wide", "phone"])
@pytest.mark.parametrize("chapter", chapter_names())
def test_contents_lead_to_the_heading_though_figures_come_late(
    browser: Browser, address: str, chapter: str, size: str
) -> None:
    """Some headings, each in a fresh page: what lies above is not there yet when it is chosen."""
    page = browser.new_page(viewport=SIZES[size])
    page.goto(address + chapter)
    targets = page.locator("article section[id]").evaluate_all("nodes => nodes.map(n => n.id)")
    for target in (targets[-1], targets[len(targets) // 2]):
        page.goto("about:blank")
        page.goto(address + chapter)
        page.locator(f"nav a[href='#{target}']").first.evaluate("node => node.click()")
        expect_there(page, target)
        page.goto("about:blank")
        page.goto(f"{address}{chapter}#{target}")  # as from another page
        expect_there(page, target)
    page.close()


def expect_there(page: Page, target: str) -> None:
    """The section stays at the top of the window, or is as far up as the page's end allows."""
    page.wait_for_load_state("networkidle")
    frames(page, 20)
    end = "Math.abs(document.documentElement.scrollHeight - scrollY - innerHeight) < 2"
    eventually(
        lambda: (page.locator(f"[id='{target}']").first.evaluate(TOP), page.evaluate(end)),
        lambda found: -5 <= found[0] <= 120 or (found[1] and found[0] > 0),
    )


def test_a_reader_who_scrolls_is_not_brought_back(visit: Open) -> None:
    """By the bar at the side: the page hears of nothing but that it has scrolled."""
    page = visit("notebooks/01_attention.html").page
    page.locator("nav a[href='#check-yourself']").first.evaluate("node => node.click()")
    expect_there(page, "check-yourself")
    page.evaluate("scrollTo({ top: 300, behavior: 'instant' })")
    frames(page, 20)
    eventually(lambda: page.evaluate("scrollY"), 300, seconds=0)


def test_a_hit_of_the_search_leads_to_the_place(visit: Open) -> None:
    page = visit(PAGE).page
    page.goto(page.url.replace(PAGE, "search.html?q=Pyodide"))
    page.locator("#search-results li a[href*='how_to_use']").first.click()
    page.wait_for_url(f"**/{PAGE}*")
    expect(page.locator(".llmlab-found")).to_contain_text("Pyodide")
    expect(page.locator(".llmlab-found")).to_be_in_viewport()
    eventually(lambda: page.evaluate("scrollY"), lambda top: top > 100)


def test_contents_open_on_a_phone(visit: Open) -> None:
    page = visit(PAGE, "phone").page
    page.locator("button.primary-toggle:visible").first.click()
    link = page.locator(
        "#pst-primary-sidebar-modal a:has-text('Glossary'), "
        ".bd-sidebar-primary a:has-text('Glossary')"
    ).first
    link.click()
    page.wait_for_url("**/book/glossary.html")


def test_paper_does_not_wait_for_figures(browser: Browser, address: str) -> None:
    """A page that nobody has scrolled is printed with words in place of what moves."""
    page = browser.new_page(viewport=SIZES["wide"])
    page.goto(f"{address}notebooks/01_attention.html")
    waiting = page.locator(".llmlab-widget[aria-busy]").last
    expect(waiting).to_contain_text("Loading an interactive figure")
    words = waiting.evaluate("node => node.lastChild.textContent")
    page.emulate_media(media="print")
    expect(waiting.locator(".llmlab-loading")).to_be_hidden()
    eventually(waiting.inner_text, words.strip())
    page.close()


def test_printing_shows_widgets_and_hides_the_frame(visit: Open) -> None:
    page = visit(PAGE).page
    page.emulate_media(media="print")
    expect(page.locator(".bd-sidebar-primary")).to_be_hidden()
    expect(page.locator("article").first).to_be_visible()


def test_address_without_a_page_opens_the_book(address: str, browser: Browser) -> None:
    page = browser.new_page()
    page.goto(address)
    page.wait_for_url("**/book/index.html")
    expect(page.locator("article h1")).to_have_text(re.compile("^LLM Lab"))
    page.close()
