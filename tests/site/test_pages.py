"""Every page in a browser: self-contained, without errors, readable, accessible, alive.

A page is opened once wide and once as on a phone; the tests below share that visit, in their order:
first those that look at it, then those that touch their part of it.
"""

from __future__ import annotations

import gzip
import os
import re
from pathlib import Path

import pytest
from bs4 import BeautifulSoup
from playwright.sync_api import Locator, Page, expect

from tests.browser import eventually, frames

from .axe import COLOURS, expect_accessible
from .conftest import HTML, THEMES, Visit, chapter_names, each, page_names

UNNAMED_IMAGES = """() => [...document.querySelectorAll("img, [role=img]")]
    .filter((node) => !(node.hasAttribute("alt") || node.ariaLabel || node.ariaHidden))
    .map((node) => node.outerHTML.slice(0, 200))"""
# What a widget says and shows: its markup, its fields, and whatever it painted.
SNAPSHOT = """(node) => [
    node.innerHTML,
    ...[...node.querySelectorAll("input, select")].map((field) => field.value + field.checked),
    ...[...node.querySelectorAll("canvas")].map((canvas) => canvas.toDataURL()),
].join()"""
CONTROLS = "button:visible, input:visible, select:visible, [tabindex='0']:visible"
KEYS = ("ArrowRight", "ArrowLeft", "ArrowDown", "Enter", " ")
INK = "node => getComputedStyle(node).fill"

each_page = each(page_names())
each_chapter = each(chapter_names(), ["wide"])


@each_chapter
def test_chapter_is_light_until_it_is_touched(visited: Visit) -> None:
    """All that a chapter fetches by itself is at most 0.9 MB as a server would send it."""
    sizes = {answer.url: len(gzip.compress(answer.body())) for answer in visited.untouched}
    assert sizes
    assert not [url for url in sizes if "pyodide" in url or "editor" in url]
    assert sum(sizes.values()) < 900_000


@each(sorted(set(page_names()) - set(chapter_names())), ["wide"])
def test_page_fetches_no_model_that_nobody_asked_for(visited: Visit) -> None:
    """All that a page without cells fetches by itself is at most 0.7 MB."""
    sizes = {answer.url: len(gzip.compress(answer.body())) for answer in visited.untouched}
    assert sum(sizes.values()) < 700_000
    assert not [url for url in sizes if url.endswith(".bin")]


@each_chapter
def test_widgets_hold_still_until_touched(visited: Visit) -> None:
    before = [snapshot(widget) for widget in widgets(visited.page)]
    frames(visited.page, 20)
    eventually(lambda: [snapshot(widget) for widget in widgets(visited.page)], before, seconds=0)


@each_page
def test_page_works_alone_and_reads_well(visited: Visit) -> None:
    assert not visited.away(), "these requests leave the host"
    assert not visited.failures
    expect(visited.page.locator(".llmlab-widget[data-state=failed]")).to_have_count(0)
    eventually(lambda: visited.page.evaluate(UNNAMED_IMAGES), [])
    expect_accessible(visited.page)
    expect_look(visited, THEMES[visited.size][0])


@each_page
def test_page_reads_well_in_the_other_theme(visited: Visit) -> None:
    """Of what axe knows, a theme can break the contrasts alone."""
    theme, other = THEMES[visited.size]
    visited.page.emulate_media(color_scheme=other)
    expect_look(visited, other)
    expect_accessible(visited.page, rules=COLOURS)
    visited.page.emulate_media(color_scheme=theme)


def expect_look(visited: Visit, theme: str) -> None:
    """The page has the theme, fits the screen and complains of nothing."""
    page = visited.page
    expect(page.locator("html")).to_have_attribute("data-theme", theme)
    width = page.viewport_size["width"]
    eventually(
        lambda: page.evaluate("document.documentElement.scrollWidth"),
        lambda needed: needed <= width,
    )
    assert not visited.complaints
    if folder := os.environ.get("SCREENSHOTS"):
        stem = visited.name.removesuffix(".html").replace("/", "_")
        path = Path(folder, f"{stem}-{visited.size}-{theme}.png")
        page.screenshot(path=path, full_page=True)


@each_chapter
def test_figures_follow_the_theme(visited: Visit) -> None:
    text = visited.page.locator("svg.llmlab-figure text").first
    light = text.evaluate(INK)
    visited.page.emulate_media(color_scheme="dark")
    eventually(lambda: text.evaluate(INK), lambda dark: dark != light)
    visited.page.emulate_media(color_scheme="light")
    eventually(lambda: text.evaluate(INK), light)


@each_chapter
def test_every_widget_moves_by_keyboard(visited: Visit) -> None:
    page = visited.page
    for widget in widgets(page):
        for control in widget.locator(CONTROLS).all():
            control.focus()
            if any(changes(widget, lambda key=key: page.keyboard.press(key)) for key in KEYS):
                break
        else:
            pytest.fail(f"no key moves the widget {widget.inner_text()[:100]!r}")


@each_chapter
def test_every_widget_moves_by_mouse(visited: Visit) -> None:
    for widget in widgets(visited.page):
        for control in widget.locator(f"{CONTROLS}, svg, canvas:visible, [role=option]").all():
            if control.bounding_box() is None:
                continue
            control.scroll_into_view_if_needed()
            if changes(widget, lambda control=control: control.click(force=True)):
                break
        else:
            pytest.fail(f"no click moves the widget {widget.inner_text()[:100]!r}")


def widgets(page: Page) -> list[Locator]:
    """The widgets of a page that has settled, at least one."""
    found = page.locator(".llmlab-widget[data-state=mounted]")
    expect(found).not_to_have_count(0)
    return found.all()


def snapshot(widget: Locator) -> str:
    return widget.evaluate(SNAPSHOT)


def changes(widget: Locator, act) -> bool:
    """Tell whether the widget shows something else in the frames after an act."""
    before = snapshot(widget)
    act()
    frames(widget.page)
    return snapshot(widget) != before


@each_chapter
def test_quiz_answers_every_choice(visited: Visit) -> None:
    forms = visited.page.locator(".ll-quiz form")
    eventually(forms.count, lambda count: count >= 4)
    for form in forms.all():
        field = form.locator("input").first
        typed = field.get_attribute("type") == "text"
        field.fill("-12345.678") if typed else field.check()
        field.press("Enter")
        expect(form.locator("[role=status]")).to_have_text(re.compile(r"\S"))
        if not typed:
            eventually(form.locator(".ll-why").first.inner_text, lambda why: len(why) > 10)


@each_chapter
def test_quiz_can_be_solved(visited: Visit) -> None:
    """Trying the choices of a single-choice question one after another ends at the right one."""
    for form in visited.page.locator(".ll-quiz form:has(input[type=radio])").all():
        for row in form.locator(".ll-choice").all():
            row.locator("input").check()
            row.locator("input").press("Enter")
            expect(row).to_have_attribute("data-state", re.compile("right|wrong"))
            if row.get_attribute("data-state") == "right":
                break
        expect(form.locator("[role=status]")).to_have_text("Right.")


@each_chapter
def test_solutions_unfold(visited: Visit) -> None:
    solutions = visited.page.locator("details:has(> summary:text-is('Solution'))")
    eventually(solutions.count, lambda count: 3 <= count <= 6)
    for solution in solutions.all():
        expect(solution.locator("pre")).to_be_hidden()
        solution.locator("summary").click()
        expect(solution.locator("pre")).to_be_visible()


@pytest.mark.parametrize("chapter", chapter_names())
def test_figures_say_what_they_show(chapter: str) -> None:
    figures = BeautifulSoup((HTML / chapter).read_text("utf-8"), "html.parser").select(
        ".cell_output svg.llmlab-figure"
    )
    assert figures
    assert all(len(figure["aria-label"]) > 15 for figure in figures)
