"""No test of ours reads a page once and asserts on it, and what looks for that finds it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.browser.unwaited import unwaited

TESTS = Path(__file__).resolve().parents[1]
WAITING = TESTS / "browser" / "waiting.py"  # sleeps between two readings

BAD = {
    "a count": "assert page.locator('tr').count() == 5",
    "a text among others": "assert 'a' in f'{x} {page.locator(\"p\").inner_text()}'",
    "a sum": "assert sum(len(text) for text in rows.all_inner_texts()) > 3",
    "a variable": "text = page.locator('p').inner_text()\n    assert text == 'a'",
    "a variable of a variable": "a = row.count()\n    b = [a, 1]\n    assert b[0] == 1",
    "one of several": "gap, same = page.evaluate('f()')\n    assert same",
    "a loop": "for row in page.locator('tr').all():\n        assert row",
    "a collection": "seen = set()\n    seen.add(page.evaluate('x'))\n    assert seen == {1}",
    "visibility": "assert not page.get_by_role('button').is_visible()",
    "an attribute": "assert page.locator('a').get_attribute('href') == '#'",
    "a box": "assert page.locator('svg').bounding_box()['width'] <= 375",
    "the elements": "assert len(page.locator('li').nth(1).all()) == 3",
    "a fixed sleep": "page.wait_for_timeout(50)",
    "a sleep": "time.sleep(1)",
    "a nested function": "def inner():\n        assert page.locator('p').count() == 1\n    inner()",
}
GOOD = {
    "expect": "expect(page.locator('tr')).to_have_count(5)",
    "eventually": "eventually(page.locator('tr').count, 5)",
    "eventually with a lambda": "eventually(lambda: page.evaluate('x'), lambda x: x > 3)",
    "what eventually returned": "text = eventually(p.inner_text, bool)\n    assert text == 'a'",
    "what cannot change": "assert unchanging(page.evaluate('x'), 'a constant') == 3",
    "a reading to act upon": "box = svg.bounding_box()\n    page.mouse.move(box['x'], box['y'])",
    "a count of something else": "assert text.count('a') == 2",
    "an array": "assert (array > 3).all()",
    "what was computed here": "widget = Widget()\n    assert widget.count == 3",
}
HELPER = """
def shown(page):
    text = page.locator("p").inner_text()
    return text.strip()

def words(page):
    return shown(page).split()

def test_it(page):
    assert words(page) == ["a"]
"""


@pytest.mark.parametrize("statement", BAD.values(), ids=BAD)
def test_what_does_not_wait_is_found(statement: str) -> None:
    assert len(unwaited(f"def test_it(page):\n    {statement}\n")) == 1


@pytest.mark.parametrize("statement", GOOD.values(), ids=GOOD)
def test_what_waits_is_left_alone(statement: str) -> None:
    assert unwaited(f"def test_it(page):\n    {statement}\n") == []


def test_readings_are_found_behind_functions() -> None:
    assert unwaited(HELPER) == ["line 10 reads once: words(page) == ['a']"]


def test_modules_without_a_page_may_sleep_and_evaluate() -> None:
    assert unwaited("def test_it(run):\n    time.sleep(1)\n    assert run.evaluate(1) == 2\n") == []


@pytest.mark.parametrize("name", [path.name for path in sorted(TESTS.iterdir())])
def test_our_tests_wait(name: str) -> None:
    path = TESTS / name
    files = path.rglob("*.py") if path.is_dir() else [path] if path.suffix == ".py" else []
    found = [
        f"{file.relative_to(TESTS)}, {sentence}"
        for file in files
        if file != WAITING
        for sentence in unwaited(file.read_text("utf-8"))
    ]
    assert not found, "\n".join(found)
