"""Quizzes keep their answers where the browser can keep something, and work where it cannot."""

from __future__ import annotations

import pytest

from llmlab.display import Choice, Question, Quiz

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
    assert page.locator(".ll-score").inner_text() == "1 of 3 right at the first try"
    answer(page, 0, "a")
    before = page.locator(".ll-quiz").inner_text()
    reload(page)
    assert page.locator(".ll-quiz").inner_text() == before
    assert page.evaluate("document.activeElement.tagName") == "BODY", "nothing takes the focus"
    assert page.locator("form").nth(1).locator("input").evaluate_all(
        "nodes => nodes.map((node) => node.checked)"
    ) == [True, True, False]
    assert number.locator("input").input_value() == "3"
    assert page.locator("form").first.locator("input:disabled").count() == 2


def test_a_question_tried_again_is_open_after_a_reload(quiz):
    page = quiz()
    answer(page, 0, "a").get_by_role("button", name="Try again").click()
    reload(page)
    assert page.locator("form").first.locator("input:checked").count() == 0
    assert page.locator(".ll-score").inner_text() == "1 of 3 answered"


def test_what_is_kept_is_one_plain_record(quiz):
    page = quiz()
    answer(page, 0, "b")
    name = Quiz(QUESTIONS).name
    kept = page.evaluate(f"JSON.parse(localStorage.getItem('llmlab:quiz:{name}'))")
    assert kept == {"answers": [[1], None, None], "first": [False, None, None]}


@pytest.mark.parametrize("text", ['{"answers": [[9], 5, {}], "first": 1}', "[]", "{", "null"])
def test_a_damaged_record_opens_an_empty_quiz(quiz, text):
    page = quiz()
    page.evaluate(f"localStorage.setItem('llmlab:quiz:{Quiz(QUESTIONS).name}', '{text}')")
    reload(page)
    assert page.locator("form").count() == 3
    assert page.locator(".ll-score").inner_text() == "3 questions"


@pytest.mark.parametrize("storage", NO_STORAGE.values(), ids=NO_STORAGE)
def test_a_quiz_works_without_storage_and_says_once_that_nothing_is_kept(quiz, storage):
    page = quiz()
    page.add_init_script(f"Object.defineProperty(window, 'localStorage', {storage})")
    reload(page)
    answer(page, 0, "b")
    assert "Not b." in page.locator("form").first.inner_text()
    answer(page, 0, "a")
    assert "Yes a." in page.locator("form").first.inner_text()
    assert page.get_by_text("keeps nothing for the site").count() == 1


def test_the_name_changes_with_the_words():
    other = Question("One of two?", [Choice("b", False, "Not b."), Choice("a", True, "Yes a.")])
    assert Quiz(QUESTIONS).name == Quiz(QUESTIONS).name
    assert Quiz([other, *QUESTIONS[1:]]).name != Quiz(QUESTIONS).name
