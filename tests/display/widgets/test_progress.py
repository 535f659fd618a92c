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
        [choice["text"] != "e" for choice in Quiz(QUESTIONS).questions[1]["choices"]],
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
    name, question = Quiz(QUESTIONS).name, Quiz(QUESTIONS).questions[0]
    taken = [choice["text"] for choice in question["choices"]].index("b")
    eventually(
        lambda: page.evaluate(f"JSON.parse(localStorage.getItem('llmlab:quiz:{name}'))"),
        {"answers": [[taken], None, None], "first": [False, None, None]},
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
    other = Question("One of two?", [Choice("c", False, "Not c."), Choice("a", True, "Yes a.")])
    assert Quiz(QUESTIONS).name == Quiz(QUESTIONS).name
    assert Quiz([other, *QUESTIONS[1:]]).name != Quiz(QUESTIONS).name


ANSWERED = """([key, record]) => {
    // as another tab does: it stores, and the browser tells this one
    const text = JSON.stringify(record);
    localStorage.setItem(key, text);
    dispatchEvent(new StorageEvent("storage", { key, newValue: text }));
}"""


def test_an_answer_in_another_tab_shows_here_and_is_not_overwritten(quiz):
    page = quiz()
    key = f"llmlab:quiz:{Quiz(QUESTIONS).name}"
    page.evaluate(ANSWERED, [key, {"answers": [None, None, "1024"], "first": [None, None, True]}])
    expect(page.locator("form").nth(2).locator("input")).to_be_disabled()
    answer(page, 0, "a")
    eventually(
        lambda: page.evaluate(f"JSON.parse(localStorage.getItem('{key}')).first"),
        [True, None, True],
    )


def test_an_answer_that_the_browser_did_not_tell_of_is_not_overwritten_either(quiz):
    page = quiz()
    key = f"llmlab:quiz:{Quiz(QUESTIONS).name}"
    record = {"answers": [None, None, "7"], "first": [None, None, False]}
    page.evaluate(
        "([key, record]) => localStorage.setItem(key, JSON.stringify(record))", [key, record]
    )
    answer(page, 0, "a")
    eventually(
        lambda: page.evaluate(f"JSON.parse(localStorage.getItem('{key}')).first"),
        [True, None, False],
    )
    expect(page.locator("form").nth(2).locator("input")).to_have_value("7")


@pytest.mark.parametrize("event", ["storage", "pageshow"])
def test_what_was_forgotten_elsewhere_does_not_come_back(quiz, event):
    page = quiz()
    answer(page, 0, "a")
    expect(page.locator("form").first.locator("input:disabled")).to_have_count(2)
    told = {
        "storage": "new StorageEvent('storage', { key: null })",
        "pageshow": "new PageTransitionEvent('pageshow', { persisted: true })",
    }
    page.evaluate(f"localStorage.clear(); dispatchEvent({told[event]})")
    expect(page.locator("form").first.locator("input:checked")).to_have_count(0)
    expect(page.locator("form").first.locator("input:disabled")).to_have_count(0)
    answer(page, 1, "c")
    name = Quiz(QUESTIONS).name
    eventually(
        lambda: page.evaluate(f"JSON.parse(localStorage.getItem('llmlab:quiz:{name}')).first"),
        [None, False, None],
    )
