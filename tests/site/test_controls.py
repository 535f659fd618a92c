"""What moves: search, the theme switch, the widgets by keyboard and mouse, the quizzes."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, Locator, Page

from .conftest import SIZES, Visit, chapter_names, settle

Open = Callable[..., Visit]

every_chapter = pytest.mark.parametrize("name", chapter_names())

# What a widget says and shows: its markup, its fields, and whatever it painted.
SNAPSHOT = """(node) => [
    node.innerHTML,
    ...[...node.querySelectorAll("input, select")].map((field) => field.value + field.checked),
    ...[...node.querySelectorAll("canvas")].map((canvas) => canvas.toDataURL()),
].join()"""
CONTROLS = "button:visible, input:visible, select:visible, [tabindex='0']:visible"
KEYS = ("ArrowRight", "ArrowLeft", "ArrowDown", "Enter", " ")


@pytest.fixture(scope="module", params=chapter_names())
def chapter(browser: Browser, address: str, request: pytest.FixtureRequest) -> Iterator[Page]:
    """A chapter on one page for several tests: first one that looks, then each touches its part."""
    context = browser.new_context(viewport=SIZES["wide"])
    page = context.new_page()
    page.goto(address + request.param)
    settle(page)
    yield page
    context.close()


def snapshot(widget: Locator) -> str:
    return widget.evaluate(SNAPSHOT)


def widgets(page: Page) -> list[Locator]:
    return page.locator(".llmlab-widget[data-state=mounted]").all()


@every_chapter
def test_every_widget_moves_by_keyboard(visit: Open, name: str) -> None:
    page = visit(name).page
    assert widgets(page), "the chapter has no widget"
    for widget in widgets(page):
        assert moves_by_keyboard(page, widget), widget.inner_text()[:100]


def moves_by_keyboard(page: Page, widget: Locator) -> bool:
    for control in widget.locator(CONTROLS).all():
        control.focus()
        for key in KEYS:
            before = snapshot(widget)
            page.keyboard.press(key)
            page.wait_for_timeout(30)
            if snapshot(widget) != before:
                return True
    return False


@every_chapter
def test_every_widget_moves_by_mouse(visit: Open, name: str) -> None:
    page = visit(name).page
    for widget in widgets(page):
        widget.scroll_into_view_if_needed()
        before = snapshot(widget)
        for control in widget.locator(f"{CONTROLS}, svg, canvas:visible, [role=option]").all():
            box = control.bounding_box()
            if box is None:
                continue
            control.scroll_into_view_if_needed()
            control.click(force=True, timeout=2000)
            page.wait_for_timeout(30)
            if snapshot(widget) != before:
                break
        assert snapshot(widget) != before, widget.inner_text()[:100]


def test_widgets_hold_still_until_touched(chapter: Page) -> None:
    before = [snapshot(widget) for widget in widgets(chapter)]
    chapter.wait_for_timeout(300)
    assert [snapshot(widget) for widget in widgets(chapter)] == before


def test_quiz_answers_every_choice(chapter: Page) -> None:
    forms = chapter.locator(".ll-quiz form").all()
    assert len(forms) >= 4, "a chapter has a quiz of at least four questions"
    for form in forms:
        field = form.locator("input").first
        if field.get_attribute("type") == "text":
            field.fill("-12345.678")
        else:
            field.check()
        field.press("Enter")
        status = form.locator("[role=status]")
        assert status.inner_text().strip()
        if field.get_attribute("type") != "text":
            assert len(form.locator(".ll-why").first.inner_text()) > 10


def test_quiz_can_be_solved(chapter: Page) -> None:
    """Trying the choices of a single-choice question one after another ends at the right one."""
    for form in chapter.locator(".ll-quiz form:has(input[type=radio])").all():
        for choice in form.locator("input[type=radio]").all():
            choice.check()
            choice.press("Enter")
            if form.locator("[role=status]").inner_text() == "Right.":
                break
        assert form.locator("[role=status]").inner_text() == "Right."


def test_solutions_unfold(chapter: Page) -> None:
    solutions = chapter.locator("details:has(> summary:text-is('Solution'))").all()
    assert 3 <= len(solutions) <= 6
    for solution in solutions:
        assert not solution.locator("pre").is_visible()
        solution.locator("summary").click()
        assert solution.locator("pre").is_visible()


def test_figures_follow_the_theme(chapter: Page) -> None:
    text = chapter.locator("svg.llmlab-figure text").first
    colour = "node => getComputedStyle(node).fill"
    light = text.evaluate(colour)
    chapter.evaluate("document.documentElement.dataset.theme = 'dark'")
    chapter.wait_for_timeout(400)
    assert text.evaluate(colour) != light


def test_theme_switch_toggles_and_is_remembered(visit: Open) -> None:
    page = visit("book/how_to_use.html").page
    theme = "document.documentElement.dataset.theme"
    seen = set()
    for _ in range(3):
        page.locator(".theme-switch-button:visible").first.click()
        seen.add(page.evaluate(theme))
    assert seen == {"light", "dark"}
    while page.evaluate("document.documentElement.dataset.mode") != "dark":
        page.locator(".theme-switch-button:visible").first.click()
    page.reload()
    assert page.evaluate(theme) == "dark"
    page.evaluate("localStorage.clear()")


@pytest.mark.parametrize("size", ["wide", "phone"])
def test_search_finds_a_word(visit: Open, size: str) -> None:
    page = visit("book/how_to_use.html", size).page
    page.keyboard.press("Control+k")
    field = page.locator("input[type=search]:visible").first
    field.fill("perplexity")
    field.press("Enter")
    page.wait_for_url("**/search.html?q=perplexity*")
    result = page.locator("#search-results li a").first
    result.wait_for()
    assert result.get_attribute("href").startswith(("book/", "notebooks/"))
    result.click()
    page.wait_for_load_state()
    assert "perplexity" in page.locator("main").inner_text().lower()


def test_contents_open_on_a_phone(visit: Open) -> None:
    page = visit("book/how_to_use.html", "phone").page
    page.locator("button.primary-toggle:visible").first.click()
    link = page.locator(
        "#pst-primary-sidebar-modal a:has-text('Glossary'), "
        ".bd-sidebar-primary a:has-text('Glossary')"
    ).first
    link.wait_for(state="visible")
    link.click()
    page.wait_for_url("**/book/glossary.html")


def test_printing_shows_widgets_and_hides_the_frame(visit: Open) -> None:
    page = visit("book/how_to_use.html").page
    page.emulate_media(media="print")
    assert not page.locator(".bd-sidebar-primary").is_visible()
    assert page.locator("article").first.is_visible()
