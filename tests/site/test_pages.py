"""Every page in a browser: self-contained, without errors, readable, accessible."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path

import pytest
from bs4 import BeautifulSoup
from playwright.sync_api import Browser, Page

from .conftest import HTML, ROOT, Visit, chapter_names, page_names

SCREENSHOTS = ROOT / "_build" / "screenshots"
AXE = ROOT / "book" / "_ext" / "node_modules" / "axe-core" / "axe.min.js"
every_page = pytest.mark.parametrize("name", page_names())
UNNAMED_IMAGES = """() => [...document.querySelectorAll("img, [role=img]")]
    .filter((node) => !(node.hasAttribute("alt") || node.ariaLabel || node.ariaHidden))
    .map((node) => node.outerHTML.slice(0, 200))"""
# axe lists every place of what it objects to, and need not list those that pass.
RUN_AXE = """async (part) =>
    (await axe.run(part, { resultTypes: ["violations"] })).violations"""
WITHOUT_TEXT = ["search.html", "genindex.html"]
LOOKS = [("wide", "light"), ("wide", "dark"), ("phone", "light"), ("phone", "dark")]


@every_page
@pytest.mark.parametrize(("size", "theme"), LOOKS)
def test_page_works_alone_and_reads_well(
    visit: Callable[..., Visit], address: str, name: str, size: str, theme: str
) -> None:
    visited = visit(name, size, theme)
    page = visited.page
    page.screenshot(path=screenshot_path(name, size, theme), full_page=True)

    host = address.split("/some/")[0]
    away = [url for url in visited.requests if not url.startswith((host, "data:", "blob:"))]
    assert not away, "these requests leave the host"
    assert not visited.failures
    assert not visited.complaints
    assert page.locator(".llmlab-widget[data-state=failed]").count() == 0
    assert page.evaluate("document.documentElement.dataset.theme") == theme
    width = page.evaluate("document.documentElement.scrollWidth")
    assert width <= page.viewport_size["width"], "the page scrolls sideways"
    assert not page.evaluate(UNNAMED_IMAGES)
    report = violations(page)
    assert not report, "\n".join(report)


def violations(page: Page, part: str = "html") -> list[str]:
    """Return what axe objects to in a part of the page, one line for each place."""
    page.add_script_tag(path=str(AXE))
    return [
        f"{found['id']} ({found['impact']}): {node['target']} {node['html'][:120]}"
        for found in page.evaluate(RUN_AXE, part)
        for node in found["nodes"]
    ]


@pytest.mark.parametrize("name", chapter_names())
def test_figures_say_what_they_show(name: str) -> None:
    figures = BeautifulSoup((HTML / name).read_text("utf-8"), "html.parser").select(
        ".cell_output svg.llmlab-figure"
    )
    assert figures
    assert all(len(figure["aria-label"]) > 15 for figure in figures)


@pytest.mark.parametrize("name", [name for name in page_names() if name not in WITHOUT_TEXT])
def test_text_is_there_without_scripts(browser: Browser, address: str, name: str) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(address + name)
    article = page.locator("article.bd-article, main").first.inner_text()
    visible = page.locator("main h1").last.is_visible()
    context.close()
    assert len(article) > 100
    assert visible


@pytest.mark.parametrize("name", chapter_names())
def test_chapter_is_light_until_it_is_touched(browser: Browser, address: str, name: str) -> None:
    """All that a chapter fetches by itself is at most 1.5 MB as a server would send it."""
    page, answers = browser.new_page(), []
    page.on("response", lambda answer: answers.append(answer))
    page.goto(address + name)
    page.wait_for_load_state("networkidle")
    sizes = {answer.url: len(gzip.compress(answer.body())) for answer in answers}
    page.close()
    assert not [url for url in sizes if "pyodide" in url or "editor" in url]
    assert sum(sizes.values()) < 1_500_000


def test_address_without_a_page_opens_the_book(address: str, browser: Browser) -> None:
    page = browser.new_page()
    page.goto(address)
    page.wait_for_url("**/book/index.html")
    assert page.locator("article h1").inner_text().startswith("LLM Lab")
    page.close()


def screenshot_path(name: str, size: str, theme: str) -> Path:
    stem = name.removesuffix(".html").replace("/", "_")
    return SCREENSHOTS / f"{stem}-{size}-{theme}.png"
