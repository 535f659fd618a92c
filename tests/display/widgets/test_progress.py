"""Quizzes keep their answers where the browser can keep something, and work where it cannot."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from llmlab.display import Choice, Question, Quiz
from tests.browser import eventually

QUESTIONS = [
    Question("One of two?", [Choice("a", True, "Yes a."), Choice("b", False, "Not b.")]),
    Question(
        "Some of three?",
        [Choice("c", True, "c."), Choice("d", True, "d."), Choice("e", False, "e.")],
        kind="multiple",
    ),
    Question("How many?", [Choice("1024", True, "2 to the 10.")], kind="number"),
]
NO_STORAGE = {
    "missing": "{ value: undefined }",
    "null": "{ value: null }",
    "blocked": "{ get() { throw new DOMException('no', 'SecurityError'); } }",
}


@pytest.fixture
def quiz(mount):
    return lambda: mount(Quiz(QUESTIONS))


def reload(page):
    page.reload()
    page.wait_for_function("window.ready")


def answer(page, index, *labels):
    form = page.locator("form").nth(index)
    for label in labels:
        form.get_by_label(label, exact=False).first.check()
    form.get_by_role("button", name="Check").click()
    return form


def test_answers_and_the_score_survive_a_reload(quiz):
    page = quiz()
    answer(page, 0, "b")
    answer(page, 1, "c", "d")
    number = page.locator("form").nth(2)
    number.locator("input").fill("3")
    number.locator("input").press("Enter")
    eventually(lambda: page.locator(".ll-score").inner_text(), "1 of 3 right at the first try")
    answer(page, 0, "a")
    expect(page.locator("form").first.locator("input:disabled")).to_have_count(2)
    before = page.locator(".ll-quiz").inner_text()
    reload(page)
    eventually(lambda: page.locator(".ll-quiz").inner_text(), before)
    eventually(lambda: page.evaluate("document.activeElement.tagName"), "BODY")
    eventually(
        lambda: (
            page.locator("form")
            .nth(1)
            .locator("input")
            .evaluate_all("nodes => nodes.map((node) => node.checked)")
        ),
        [True, True, False],
    )
    eventually(lambda: number.locator("input").input_value(), "3")
    expect(page.locator("form").first.locator("input:disabled")).to_have_count(2)


def test_a_question_tried_again_is_open_after_a_reload(quiz):
    page = quiz()
    answer(page, 0, "a").get_by_role("button", name="Try again").click()
    expect(page.locator("form").first.locator("input:checked")).to_have_count(0)
    reload(page)
    expect(page.locator("form").first.locator("input:checked")).to_have_count(0)
    eventually(lambda: page.locator(".ll-score").inner_text(), "1 of 3 answered")


def test_what_is_kept_is_one_plain_record(quiz):
    page = quiz()
    answer(page, 0, "b")
    name = Quiz(QUESTIONS).name
    eventually(
        lambda: page.evaluate(f"JSON.parse(localStorage.getItem('llmlab:quiz:{name}'))"),
        {"answers": [[1], None, None], "first": [False, None, None]},
    )


@pytest.mark.parametrize("text", ['{"answers": [[9], 5, {}], "first": 1}', "[]", "{", "null"])
def test_a_damaged_record_opens_an_empty_quiz(quiz, text):
    page = quiz()
    page.evaluate(f"localStorage.setItem('llmlab:quiz:{Quiz(QUESTIONS).name}', '{text}')")
    reload(page)
    expect(page.locator("form")).to_have_count(3)
    eventually(lambda: page.locator(".ll-score").inner_text(), "3 questions")


@pytest.mark.parametrize("storage", NO_STORAGE.values(), ids=NO_STORAGE)
def test_a_quiz_works_without_storage_and_says_once_that_nothing_is_kept(quiz, storage):
    page = quiz()
    page.add_init_script(f"Object.defineProperty(window, 'localStorage', {storage})")
    reload(page)
    answer(page, 0, "b")
    eventually(lambda: page.locator("form").first.inner_text(), lambda found: "Not b." in found)
    answer(page, 0, "a")
    eventually(lambda: page.locator("form").first.inner_text(), lambda found: "Yes a." in found)
    expect(page.get_by_text("keeps nothing for the site")).to_have_count(1)


def test_the_name_changes_with_the_words():
    other = Question("One of two?", [Choice("b", False, "Not b."), Choice("a", True, "Yes a.")])
    assert Quiz(QUESTIONS).name == Quiz(QUESTIONS).name
    assert Quiz([other, *QUESTIONS[1:]]).name != Quiz(QUESTIONS).name
