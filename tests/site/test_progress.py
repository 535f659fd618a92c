"""What the reader has done: counted on the first page, exported, imported and forgotten."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.browser import eventually

from .axe import expect_accessible
from .conftest import ROOT, chapter_names

SOLVED = {"exercise:attention.softmax": {"code": "x", "status": "passed", "checks": 1}}
FAILED = {"exercise:attention.scores": {"code": "y", "status": "failed", "checks": 2}}
PUT = """(records) => Object.entries(records).forEach(([key, record]) =>
    localStorage.setItem(`llmlab:${key}`, JSON.stringify(record)))"""


@pytest.fixture
def page(browser: Browser, address: str) -> Iterator[Page]:
    """The first page, as a new reader sees it."""
    context = browser.new_context()
    page = context.new_page()
    page.goto(address + "book/index.html")
    yield page
    context.close()


def panel(page: Page, records: dict | None = None) -> Locator:
    """The reader's progress once ``records`` are kept."""
    if records:
        page.evaluate(PUT, records)
        page.reload()
    found = page.locator(".llmlab-progress")
    found.scroll_into_view_if_needed()
    expect(found.get_by_role("button", name="Import a file")).to_be_visible()
    return found


def file_with(text: str, tmp_path: Path) -> Path:
    path = tmp_path / "progress.json"
    path.write_text(text)
    return path


def test_a_new_reader_is_told_where_to_begin(page: Page) -> None:
    found = panel(page)
    expect(found).to_have_text(re.compile("^Nothing yet: Attention has your first exercises."))
    expect(found.get_by_role("button", name="Reset")).to_be_hidden()
    found.get_by_role("link", name="Attention").click()
    page.wait_for_url("**/notebooks/01_attention.html")


def test_every_chapter_is_counted(page: Page) -> None:
    found = panel(page, SOLVED | FAILED)
    rows = found.locator("tbody tr")
    expect(rows).to_have_count(len(chapter_names()))
    expect(rows.first).to_contain_text("1 of 5")  # solved counts, failed does not
    eventually(lambda: list(map(exercises_in, rows.all_inner_texts())), exercises_of_chapters())
    expect_accessible(page)


def exercises_of_chapters() -> list[int]:
    """How many exercises each notebook checks."""
    checks = re.compile(r"^check\(\"", re.MULTILINE)
    notebooks = [nbformat.read(path, 4) for path in sorted(ROOT.glob("notebooks/*.ipynb"))]
    return [sum(bool(checks.search(cell.source)) for cell in book.cells) for book in notebooks]


def exercises_in(row: str) -> int:
    """How many exercises a chapter has, from its row: ``1 of 5``."""
    return int(row.split(" of ")[1].split()[0])


def test_a_question_answered_in_the_chapter_is_counted(page: Page) -> None:
    page.goto(page.url.replace("book/index", "notebooks/01_attention"))
    page.locator("#check-yourself").scroll_into_view_if_needed()
    form = page.locator(".ll-quiz form:has(input[type=radio])").first
    form.locator("input").first.check()
    form.locator("input").first.press("Enter")
    status = form.locator("[role=status]")
    said = eventually(status.inner_text, bool)
    questions = eventually(page.locator(".ll-quiz form").count, bool)
    page.reload()
    page.locator("#check-yourself").scroll_into_view_if_needed()
    expect(form.locator("input").first).to_be_checked()
    expect(status).to_have_text(said)
    page.goto(page.url.replace("notebooks/01_attention", "book/index"))
    answered = panel(page).locator("tbody tr").first.locator("td").last
    expect(answered).to_have_text(f"1 of {questions}")


def test_progress_travels_in_a_file_and_is_forgotten(page: Page, tmp_path: Path) -> None:
    found = panel(page, SOLVED | FAILED)
    with page.expect_download() as download:
        found.get_by_role("button", name="Export to a file").click()
    exported = json.loads(Path(download.value.path()).read_text())
    assert exported == {"llmlab": 1, "records": SOLVED | FAILED}

    found.get_by_role("button", name="Reset").click()
    found.get_by_role("button", name="Keep").press("Enter")
    found.get_by_role("button", name="Reset").press("Enter")
    found.get_by_role("button", name="Forget").click()
    expect(found.get_by_role("status")).to_have_text("All of it is forgotten.")
    expect(found).to_contain_text("Nothing yet")
    expect(found.get_by_role("button", name="Import a file")).to_be_focused()
    ours = "Object.keys(localStorage).filter(k => k.startsWith('llmlab:'))"
    eventually(lambda: page.evaluate(ours), [])

    found.locator("input").set_input_files(file_with(json.dumps(exported), tmp_path))
    expect(found.locator("tbody tr").first).to_contain_text("1 of 5")


@pytest.mark.parametrize(
    "text",
    [
        "not JSON",
        "null",
        "[]",
        '{"llmlab": 2, "records": {}}',
        '{"llmlab": 1, "records": [1]}',
        '{"llmlab": 1, "records": {"theme": {}}}',
        '{"llmlab": 1, "records": {"quiz:a": 3}}',
    ],
)
def test_other_files_are_refused(page: Page, tmp_path: Path, text: str) -> None:
    found = panel(page, SOLVED)
    found.locator("input").set_input_files(file_with(text, tmp_path))
    words = "This file does not hold progress in this book."
    expect(found.get_by_role("status")).to_have_text(words)
    expect(found).to_contain_text("1 of 5")


def test_a_file_too_large_is_refused(page: Page, tmp_path: Path) -> None:
    found = panel(page, SOLVED)
    found.locator("input").set_input_files(file_with(" " * 5_000_001, tmp_path))
    expect(found.get_by_role("status")).to_contain_text("too large")


def test_another_tab_is_noticed(page: Page) -> None:
    found = panel(page)
    other = page.context.new_page()
    other.goto(page.url)
    other.evaluate(PUT, SOLVED)
    expect(found.locator("tbody tr").first).to_contain_text("1 of 5")


def test_damaged_records_count_as_nothing(page: Page) -> None:
    page.evaluate("localStorage.setItem('llmlab:exercise:attention.softmax', '{oops')")
    expect(panel(page, {"quiz:x": {"first": 3}})).to_contain_text("Nothing yet")


EXERCISE = "attention.softmax"
KEPT = f"JSON.parse(localStorage.getItem('llmlab:exercise:{EXERCISE}'))"


def chapter_tab(page: Page) -> tuple[Page, Locator]:
    """The first chapter in a tab of its own, and the exercise, awake."""
    tab = page.context.new_page()
    tab.goto(page.url.replace("book/index", "notebooks/01_attention"))
    tab.locator(".tag_exercise", has_text="def softmax(").scroll_into_view_if_needed()
    cell = tab.locator(f"[data-exercise='{EXERCISE}']")
    expect(cell.locator(".cm-content")).to_be_visible()
    return tab, cell


def test_an_exercise_solved_in_one_tab_is_solved_in_the_other(page: Page) -> None:
    (first, _), (_, other) = chapter_tab(page), chapter_tab(page)
    first.evaluate(
        PUT, {f"exercise:{EXERCISE}": {"status": "passed", "checks": 1, "code": "# mine"}}
    )
    expect(other.locator(".llmlab-badge")).to_have_text("✓ Solved")
    expect(other.locator(".cm-content")).to_have_text("# mine")
    other.locator(".cm-content").press("End")
    other.locator(".cm-content").press("x")
    eventually(
        lambda: first.evaluate(KEPT),
        lambda kept: (
            kept["status"] == "passed" and "# mine" in kept["code"] and "x" in kept["code"]
        ),
    )


def test_what_is_typed_while_another_tab_solves_is_not_lost_nor_unsolves(page: Page) -> None:
    tab, cell = chapter_tab(page)
    solved = {"status": "passed", "checks": 3, "code": "# theirs"}
    # stored without a word, as for a page that was frozen
    tab.evaluate(PUT, {f"exercise:{EXERCISE}": solved})
    cell.locator(".cm-content").press("x")
    eventually(lambda: tab.evaluate(KEPT), lambda kept: "x" in kept["code"])
    eventually(lambda: tab.evaluate(KEPT)["status"], "passed")


def test_the_answer_that_passed_comes_back(page: Page) -> None:
    mine = {"status": "passed", "checks": 1, "code": "# mine", "passed": "# mine"}
    page.evaluate(PUT, {f"exercise:{EXERCISE}": mine})
    (_, cell), (_, other) = chapter_tab(page), chapter_tab(page)
    restore = cell.get_by_role("button", name="My solution")
    expect(restore).to_be_hidden()
    other.locator(".cm-content").press("Control+a")
    other.locator(".cm-content").press("x")
    expect(cell.locator(".cm-content")).to_have_text("x")
    restore.click()
    expect(cell.locator(".cm-content")).to_have_text("# mine")
    expect(cell.locator(".cm-content")).to_be_focused()
    expect(restore).to_be_hidden()
    expect(cell.locator(".llmlab-badge")).to_have_text("✓ Solved")
    expect(other.locator(".cm-content")).to_have_text("# mine")


def test_what_another_tab_forgot_is_not_kept_again(page: Page) -> None:
    page.evaluate(PUT, SOLVED)
    tab, cell = chapter_tab(page)
    expect(cell.locator(".llmlab-badge")).to_have_text("✓ Solved")
    found = panel(page, SOLVED)
    found.get_by_role("button", name="Reset").click()
    found.get_by_role("button", name="Forget").click()
    expect(cell.locator(".llmlab-badge")).to_have_text("")
    expect(cell.locator(".cm-content")).to_contain_text("def softmax")
    cell.locator(".cm-content").press("x")
    eventually(lambda: tab.evaluate(KEPT), lambda kept: kept and kept["status"] != "passed")


def test_a_file_does_not_unsolve(page: Page, tmp_path: Path) -> None:
    found = panel(page, SOLVED)
    older = {"exercise:attention.softmax": {"code": "older", "status": "failed", "checks": 1}}
    text = json.dumps({"llmlab": 1, "records": older | FAILED})
    found.locator("input").set_input_files(file_with(text, tmp_path))
    expect(found.get_by_role("status")).to_have_text("What the file holds is here now.")
    eventually(lambda: page.evaluate(KEPT), SOLVED["exercise:attention.softmax"])
