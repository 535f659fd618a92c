"""Exercises in the page: edited, graded, stopped and kept, with every mishap in words."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from llmlab_site import exercises as site_exercises
from playwright.sync_api import Browser, Locator, Page, expect

from llmlab.exercises import all_exercises, exercise, grade_source

from .conftest import HTML, Visit, listen
from .test_pages import violations

PAGE = "notebooks/01_attention.html"
ID = "attention.softmax"
SOFTMAX = exercise(ID)
LOOP = "def softmax(x):\n    while True:\n        pass"
FLOOD = "while True:\n    print('still here')"
BLOCKED = """Object.defineProperty(window, "localStorage", {
    get() { throw new DOMException("no", "SecurityError"); } })"""
FULL = (
    """Storage.prototype.setItem = () => { throw new DOMException("no", "QuotaExceededError"); }"""
)

# Grades cases one after another, in a worker that the page keeps.
SESSION = """([files, cases]) => new Promise((resolve, reject) => {
    const address = (path) => new URL(`../_static/${path}`, location.href).href;
    const verdicts = [];
    const next = () => {
        if (verdicts.length === cases.length) resolve(verdicts);
        else python.postMessage({ kind: "grade", ...cases[verdicts.length] });
    };
    const started = Boolean(window.python);
    window.python ??= new Worker(address(files.worker), { type: "module" });
    python.onerror = () => reject(new Error("the worker did not start"));
    python.onmessage = ({ data }) => {
        if (data.kind === "progress") return;
        if (data.kind === "failed") reject(new Error(data.message));
        if (data.kind === "verdict") verdicts.push(data.verdict);
        next();
    };
    const [pyodide, grader] = [files.pyodide, files.grader].map(address);
    if (started) next();
    else python.postMessage({ kind: "load", pyodide: `${pyodide}/`, grader });
})"""


@pytest.fixture
def reader(browser: Browser, address: str) -> Iterator[Callable[..., Page]]:
    """Open a page as a new reader, whose browser ``script`` has changed."""
    contexts = []

    def open_page(name: str = PAGE, script: str = "") -> Page:
        contexts.append(browser.new_context(viewport={"width": 1280, "height": 900}))
        page = contexts[-1].new_page()
        page.add_init_script(script)
        page.goto(address + name)
        return page

    yield open_page
    for context in contexts:
        context.close()


@pytest.fixture(scope="module")
def grade_in_page(browser: Browser, address: str) -> Iterator[Callable[[list[dict]], list[dict]]]:
    """Grade cases of ``id`` and ``source`` in one session of the page's Python."""
    page = browser.new_page()
    page.goto(address + "book/how_to_use.html")
    yield lambda cases: page.evaluate(SESSION, [static_files(), cases])
    page.close()


def softmax_cell(page: Page) -> Locator:
    """The cell of the exercise that the tests use, scrolled to."""
    cell = page.locator("div.tag_exercise", has_text="attention.softmax").first
    cell = page.locator(f"#{cell.evaluate('node => node.id ||= `under-test`')}")
    cell.scroll_into_view_if_needed()
    return cell


def editor(cell: Locator) -> Locator:
    found = cell.locator(".cm-content")
    found.wait_for()
    return found


def code(cell: Locator) -> str:
    return "\n".join(editor(cell).locator(".cm-line").all_inner_texts()).replace("\n\n\n", "\n\n")


def write(cell: Locator, source: str) -> None:
    editor(cell).click()
    cell.page.keyboard.press("Control+a")
    cell.page.keyboard.insert_text(source) if source else cell.page.keyboard.press("Delete")


def button(cell: Locator, name: str) -> Locator:
    return cell.get_by_role("button", name=name)


def check(cell: Locator, source: str | None = None) -> str:
    """Check ``source``, wait for the verdict and return its words."""
    if source is not None:
        write(cell, source)
    button(cell, "Check").click()
    return verdict(cell)


def verdict(cell: Locator, seconds: int = 60) -> str:
    answer = cell.locator(".llmlab-answer")
    expect(answer).not_to_be_empty(timeout=1000 * seconds)
    return answer.inner_text()


def static_files() -> dict[str, str]:
    static = HTML / "_static"
    patterns = {
        "worker": "exercises/worker-*.js",
        "grader": "exercises/grader-*.zip",
        "pyodide": "vendor/pyodide-*",
    }
    found = {name: list(static.glob(pattern)) for name, pattern in patterns.items()}
    assert all(len(paths) == 1 for paths in found.values()), (
        "no Python, or stale files, in the site"
    )
    return {name: paths[0].relative_to(static).as_posix() for name, paths in found.items()}


def test_page_and_pytest_give_the_same_verdicts(grade_in_page: Callable) -> None:
    cases = []
    for definition in all_exercises():
        sources = [definition.starter, definition.solution, *definition.variants]
        sources += [mistake.source for mistake in definition.mistakes]
        cases += [{"id": definition.id, "source": source} for source in sources]
    cases.append({"id": ID, "source": "def softmax(x):\n    return (x"})
    in_page = grade_in_page(cases)
    for case, found in zip(cases, in_page, strict=True):
        wanted = grade_source(**case).to_dict()
        for name in ("status", "test", "hint", "line"):
            assert found[name] == wanted[name], (case, found, wanted)
    statuses = {found["status"] for found in in_page}
    assert statuses == {"passed", "failed", "not attempted"}


def test_one_answer_leaves_nothing_to_the_next(grade_in_page: Callable) -> None:
    spoil = (
        "import builtins, sys\nbuiltins.len = None\nbuiltins.left = 1\nsys.modules['math'] = None\n"
    )
    sources = [
        spoil + SOFTMAX.solution,
        "left\n" + SOFTMAX.solution,
        "import math\nlen([])\n" + SOFTMAX.solution,
    ]
    _, second, third = grade_in_page([{"id": ID, "source": source} for source in sources])
    assert "uses a name that nothing has defined" in second["message"]
    assert third["status"] == "passed"


def test_by_keyboard_from_starter_to_solution(reader: Callable[..., Page]) -> None:
    page = reader()
    cell = softmax_cell(page)
    assert code(cell) == SOFTMAX.starter
    editor(cell).focus()
    keyboard = page.keyboard
    keyboard.press("Control+a")
    keyboard.insert_text("def softmax(x):\n")
    keyboard.press("Tab")
    keyboard.insert_text("print('seen')\n    return x.nope() ")
    keyboard.type("/ 2")
    keyboard.press("Escape")
    keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Check"
    keyboard.press("Enter")
    words = verdict(cell)
    assert "Line 3, return x.nope() / 2," in words
    assert "What your code printed" in words
    assert cell.locator(".llmlab-marked-line").inner_text().strip() == "return x.nope() / 2"

    mistake = SOFTMAX.mistakes[0]
    write(cell, mistake.source)
    assert cell.locator(".llmlab-marked-line").count() == 0
    keyboard.press("Shift+Enter")
    expect(cell.locator(".llmlab-answer")).to_contain_text("Hint. ")
    assert mistake.hint.replace("`", "") in cell.locator(".llmlab-answer").inner_text()

    write(cell, SOFTMAX.solution)
    keyboard.press("Control+Enter")
    expect(cell.locator(".llmlab-answer")).to_contain_text("All 5 tests pass.")
    expect(cell.locator(".llmlab-badge")).to_have_text("✓ Solved")
    assert not violations(page)

    page.reload()
    cell = softmax_cell(page)
    assert code(cell) == SOFTMAX.solution
    assert cell.locator(".llmlab-badge").inner_text() == "✓ Solved"
    button(cell, "Reset").click()
    assert code(cell) == SOFTMAX.starter
    keyboard.press("Control+z")
    assert code(cell) == SOFTMAX.solution


def test_what_never_ends_is_stopped_and_the_next_check_works(reader: Callable[..., Page]) -> None:
    page = reader()
    cell, endless = softmax_cell(page), "stopped after 5 seconds: is there a loop that never ends?"
    write(cell, FLOOD)
    button(cell, "Check").click()
    other = page.locator("[data-exercise='attention.scores']")
    button(other, "Check").click()
    assert endless in verdict(cell)
    assert "Write the body of scores" in verdict(other), "checks take turns"
    assert endless in check(cell, LOOP)
    button(cell, "Check").click()
    expect(cell.locator(".llmlab-busy")).to_have_text("Checking …", timeout=60_000)
    button(cell, "Stop").click()
    assert "You stopped your code." in verdict(cell, 2)
    assert cell.locator(".llmlab-badge").inner_text() == "", "nothing of this is scored"

    assert "Write the body of softmax" in check(cell, "")
    assert "Write the body of softmax" in check(cell, "x = 1")
    words = check(cell, "import torch\ndef softmax(x):\n    return torch.softmax(x, -1)")
    assert "No module named 'torch'" in words
    assert "a notebook has the rest" in words
    assert "All 5 tests pass." in check(cell, SOFTMAX.solution)


def test_stop_while_loading_does_not_end_checking(reader: Callable[..., Page]) -> None:
    page = reader()
    cell = softmax_cell(page)
    page.route("**/pyodide.asm.wasm", lambda route: None)  # never answers
    write(cell, SOFTMAX.solution)
    button(cell, "Check").click()
    expect(cell.locator(".llmlab-busy")).to_contain_text("Loading Python", timeout=10_000)
    button(cell, "Stop").click()
    assert "You stopped the check before your code ran." in verdict(cell, 2)
    page.unroute("**/pyodide.asm.wasm")
    assert "All 5 tests pass." in check(cell)


def test_missing_python_is_the_graders_fault(reader: Callable[..., Page]) -> None:
    page = reader()
    page.route("**/vendor/pyodide-*/*.wasm", lambda route: route.fulfill(status=404))
    cell = softmax_cell(page)
    words = check(cell, SOFTMAX.solution)
    assert "your answer is not scored" in words
    assert "pyodide.asm.wasm did not arrive" in words
    assert cell.locator(".llmlab-badge").inner_text() == ""


def test_silence_while_loading_ends_in_words(reader: Callable[..., Page]) -> None:
    page = reader()
    page.clock.install()
    page.route("**/pyodide.asm.wasm", lambda route: None)
    cell = softmax_cell(page)
    button(cell, "Check").click()
    expect(cell.locator("progress")).to_be_visible(timeout=10_000)
    for _ in range(20):  # files that are on their way when the clock jumps are signs of life
        page.clock.fast_forward(31_000)
        page.wait_for_timeout(200)
        if cell.locator(".llmlab-answer").inner_text():
            break
    assert "nothing arrived for 30 seconds" in verdict(cell, 2)


OBSTACLES = {
    "no WebAssembly": ("delete window.WebAssembly", "has no WebAssembly"),
    "old workers": (
        "const W = Worker; window.Worker = class { constructor(u) { return new W(u); } }",
        "too old",
    ),
    "no workers": ("delete window.Worker", "too old"),
}


@pytest.mark.parametrize(("script", "words"), OBSTACLES.values(), ids=OBSTACLES)
def test_a_browser_that_cannot_says_so(
    reader: Callable[..., Page], script: str, words: str
) -> None:
    cell = softmax_cell(reader(script=script))
    note = cell.locator(".llmlab-exercise-note")
    expect(note).to_contain_text(words)
    assert "Write your answer in the notebook" in note.inner_text()
    assert cell.locator(".cell_input pre").is_visible()
    assert cell.get_by_role("button", name="Check").count() == 0


LACKS = {
    "Python": ("copy_pyodide", lambda static: None, "built without Python"),
    "PyTorch": ("gradable", list, "needs PyTorch"),
}


@pytest.mark.parametrize(("name", "replacement", "words"), LACKS.values(), ids=LACKS)
def test_what_the_site_lacks_is_said(
    reader: Callable[..., Page],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    replacement: Callable,
    words: str,
) -> None:
    monkeypatch.setattr(site_exercises, name, replacement)
    site_exercises.add_exercises(tmp_path, [])
    page = reader("book/how_to_use.html")
    page.route(
        "**/_static/exercises/*.js*",
        lambda route: route.fulfill(
            path=tmp_path / "exercises" / route.request.url.split("/")[-1].split("?")[0]
        ),
    )
    page.goto(page.url.replace("book/how_to_use.html", PAGE))
    cell = softmax_cell(page)
    expect(cell.locator(".llmlab-exercise-note")).to_contain_text(words)
    assert cell.locator(".cell_input pre").is_visible()


@pytest.mark.parametrize(
    ("script", "words"), [(BLOCKED, "keeps nothing"), (FULL, "is full")], ids=["blocked", "full"]
)
def test_what_cannot_be_kept_is_said_once(
    reader: Callable[..., Page], script: str, words: str
) -> None:
    page = reader(script=script)
    cell = softmax_cell(page)
    write(cell, "x = 1")
    expect(cell.locator(".llmlab-exercise-note")).to_contain_text(words)
    other = page.locator(".llmlab-exercise").first
    write(other, "y = 2")
    page.wait_for_timeout(600)
    assert page.get_by_text(words).count() == 1


def test_a_hundred_thousand_characters(reader: Callable[..., Page]) -> None:
    cell = softmax_cell(reader())
    words = "An answer may have 20,000 characters; yours has 100,000."
    write(cell, "x" * 100_000)
    button(cell, "Check").click()
    expect(cell.locator(".llmlab-busy")).to_have_text(words)
    write(cell, SOFTMAX.starter)
    assert code(cell) == SOFTMAX.starter


def test_hints_come_one_by_one_and_the_solution_unfolds(reader: Callable[..., Page]) -> None:
    page = reader()
    cell = page.locator(".tag_exercise", has_text="causal_mask").first
    cell.scroll_into_view_if_needed()
    cell = page.locator("[data-exercise='attention.causal_mask']")
    for hint in exercise("attention.causal_mask").hints:
        button(cell, "Hint").click()
        assert cell.locator(".llmlab-hints li").last.inner_text() == hint.replace("`", "")
    assert button(cell, "Hint").get_attribute("aria-disabled") == "true"
    solution = page.locator(".tag_exercise[data-exercise='attention.causal_mask'] + details")
    assert not solution.locator("pre").is_visible()
    button(cell, "Solution").click()
    assert solution.locator("pre").is_visible()
    assert page.evaluate("document.activeElement.tagName") == "SUMMARY"


@pytest.mark.parametrize("name", [PAGE, "book/how_to_use.html"])
def test_nothing_heavy_is_loaded_before_it_is_needed(
    browser: Browser, address: str, name: str
) -> None:
    visit = Visit(browser.new_page())
    listen(visit)
    visit.page.goto(address + name, wait_until="networkidle")
    ours = [url for url in visit.requests if "/exercises/" in url or "pyodide" in url]
    visit.page.close()
    names = sorted(url.split("/")[-1].split("?")[0] for url in ours)
    assert names == ["enhance.js", "exercises.css"]
    folder = HTML / "_static" / "exercises"
    assert sum(len(gzip.compress((folder / name).read_bytes())) for name in names) < 4000
