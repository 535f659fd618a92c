"""Exercises in the page: edited, graded, stopped and kept, with every mishap in words."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from llmlab_site import exercises as site_exercises
from playwright.sync_api import Browser, Locator, Page, expect

from llmlab.exercises import all_exercises, exercise, grade_source
from tests.browser import eventually, frames, limit

from .axe import expect_accessible
from .conftest import HTML

PAGE = "notebooks/01_attention.html"
ID = "attention.softmax"
SOFTMAX = exercise(ID)
LOOP = "def softmax(x):\n    while True:\n        pass"
FLOOD = "while True:\n    print('still here')"
# Browsers that keep nothing, and count how often they were asked to.
BLOCKED = """window.asked = 0; Object.defineProperty(window, "localStorage", {
    get() { asked += 1; throw new DOMException("no", "SecurityError"); } })"""
FULL = """window.asked = 0; Storage.prototype.setItem = () => {
    asked += 1; throw new DOMException("no", "QuotaExceededError"); }"""

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


def expect_code(cell: Locator, source: str) -> None:
    """The editor holds ``source``."""
    lines = editor(cell).locator(".cm-line")
    # text, not inner text: how many line breaks an empty line has in that is the browser's choice
    eventually(lambda: "\n".join(lines.all_text_contents()), source)


def write(cell: Locator, source: str) -> None:
    editor(cell).click()
    cell.page.keyboard.press("Control+a")
    cell.page.keyboard.insert_text(source) if source else cell.page.keyboard.press("Delete")


def button(cell: Locator, name: str) -> Locator:
    return cell.get_by_role("button", name=name)


def check(cell: Locator, source: str, *words: str) -> None:
    """Check ``source``, and wait for a verdict with these words."""
    write(cell, source)
    button(cell, "Check").click()
    expect_verdict(cell, *words)


def expect_verdict(cell: Locator, *words: str) -> None:
    """A verdict with these words comes; the first one waits for Python to load."""
    for each in words:
        expect(cell.locator(".llmlab-answer")).to_contain_text(each, timeout=limit(60))


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
    for kind in ("    yield x", "    return __import__('math')", "    raise SystemExit"):
        cases.append({"id": ID, "source": f"def softmax(x):\n{kind}"})
    cases.append({"id": ID, "source": "async def softmax(x):\n    return x"})
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
    expect_code(cell, SOFTMAX.starter)
    editor(cell).focus()
    keyboard = page.keyboard
    keyboard.press("Control+a")
    keyboard.insert_text("def softmax(x):\n")
    keyboard.press("Tab")
    keyboard.insert_text("print('seen')\n    return x.nope() ")
    keyboard.type("/ 2")
    keyboard.press("Escape")
    keyboard.press("Tab")
    expect(button(cell, "Check")).to_be_focused()
    keyboard.press("Enter")
    expect_verdict(cell, "Line 3, return x.nope() / 2,", "What your code printed")
    expect(cell.locator(".llmlab-marked-line")).to_have_text("return x.nope() / 2")

    mistake = SOFTMAX.mistakes[0]
    write(cell, mistake.source)
    expect(cell.locator(".llmlab-marked-line")).to_have_count(0)
    keyboard.press("Shift+Enter")
    expect_verdict(cell, "Hint. ", mistake.hint.replace("`", ""))

    write(cell, SOFTMAX.solution)
    keyboard.press("Control+Enter")
    expect_verdict(cell, "All 5 tests pass.")
    expect(cell.locator(".llmlab-badge")).to_have_text("✓ Solved")
    expect_accessible(page)

    page.reload()
    cell = softmax_cell(page)
    expect_code(cell, SOFTMAX.solution)
    expect(cell.locator(".llmlab-badge")).to_have_text("✓ Solved")
    button(cell, "Reset").click()
    expect_code(cell, SOFTMAX.starter)
    keyboard.press("Control+z")
    expect_code(cell, SOFTMAX.solution)

    check(cell, mistake.source, "Failed")
    expect(cell.locator(".llmlab-badge")).to_have_text("Solved before")  # no tick beside a cross
    page.reload()
    cell = softmax_cell(page)
    expect_code(cell, mistake.source)
    expect(cell.locator(".llmlab-badge")).to_have_text("Solved before")
    check(cell, SOFTMAX.solution, "All 5 tests pass.")
    write(cell, mistake.source)
    expect(cell.locator(".llmlab-answer")).to_be_empty()  # the verdict was on other code
    button(cell, "Reset").click()
    expect(cell.locator(".llmlab-badge")).to_have_text("✓ Solved")


def test_what_never_ends_is_stopped_and_the_next_check_works(reader: Callable[..., Page]) -> None:
    page = reader()
    cell, endless = softmax_cell(page), "stopped after 5 seconds: is there a loop that never ends?"
    write(cell, FLOOD)
    button(cell, "Check").click()
    other = page.locator("[data-exercise='attention.scores']")
    button(other, "Check").click()
    expect_verdict(cell, endless)
    expect_verdict(other, "Write the body of scores")  # checks take turns
    check(cell, LOOP, endless)
    button(cell, "Check").click()
    expect(cell.locator(".llmlab-busy")).to_have_text("Checking …", timeout=limit(60))
    button(cell, "Stop").click()
    expect_verdict(cell, "You stopped your code.")
    expect(cell.locator(".llmlab-badge")).to_be_empty()  # nothing of this is scored

    check(cell, "", "Write the body of softmax")
    check(cell, "x = 1", "Write the body of softmax")
    torch = "import torch\ndef softmax(x):\n    return torch.softmax(x, -1)"
    check(cell, torch, "No module named 'torch'", "a notebook has the rest")
    check(cell, SOFTMAX.solution, "All 5 tests pass.")


def test_stop_while_loading_does_not_end_checking(reader: Callable[..., Page]) -> None:
    page = reader()
    cell = softmax_cell(page)
    page.route("**/pyodide.asm.wasm", lambda route: None)  # never answers
    write(cell, SOFTMAX.solution)
    button(cell, "Check").click()
    expect(cell.locator(".llmlab-busy")).to_contain_text("Loading Python")
    button(cell, "Stop").click()
    expect_verdict(cell, "You stopped the check before your code ran.")
    page.unroute("**/pyodide.asm.wasm")
    button(cell, "Check").click()
    expect_verdict(cell, "All 5 tests pass.")


def test_missing_python_is_the_graders_fault(reader: Callable[..., Page]) -> None:
    page = reader()
    page.route("**/vendor/pyodide-*/*.wasm", lambda route: route.fulfill(status=404))
    cell = softmax_cell(page)
    words = ["your answer is not scored", "pyodide.asm.wasm did not arrive"]
    check(cell, SOFTMAX.solution, *words)
    expect(cell.locator(".llmlab-badge")).to_be_empty()


def test_silence_while_loading_ends_in_words(reader: Callable[..., Page]) -> None:
    page = reader()
    page.clock.install()
    page.route("**/pyodide.asm.wasm", lambda route: None)
    cell = softmax_cell(page)
    button(cell, "Check").click()
    expect(cell.locator("progress")).to_be_visible()

    def half_a_minute_later() -> str:
        page.clock.fast_forward(31_000)
        return cell.locator(".llmlab-answer").inner_text()

    # Files that are on their way when the clock jumps are signs of life.
    eventually(half_a_minute_later, lambda words: "nothing arrived for 30 seconds" in words)


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
    expect(note).to_contain_text("Write your answer in the notebook")
    expect(cell.locator(".cell_input pre")).to_be_visible()
    expect(cell.get_by_role("button", name="Check")).to_have_count(0)


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
    expect(cell.locator(".cell_input pre")).to_be_visible()


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
    asked = page.evaluate("asked")
    write(page.locator(".llmlab-exercise").first, "y = 2")
    eventually(lambda: page.evaluate("asked"), lambda now: now > asked)
    frames(page)
    expect(page.get_by_text(words)).to_have_count(1)


def test_a_hundred_thousand_characters(reader: Callable[..., Page]) -> None:
    cell = softmax_cell(reader())
    words = "An answer may have 20,000 characters; yours has 100,000."
    write(cell, "x" * 100_000)
    button(cell, "Check").click()
    expect(cell.locator(".llmlab-busy")).to_have_text(words)
    write(cell, SOFTMAX.starter)
    expect_code(cell, SOFTMAX.starter)


def test_hints_come_one_by_one_and_the_solution_unfolds(reader: Callable[..., Page]) -> None:
    page = reader()
    cell = page.locator(".tag_exercise", has_text="causal_mask").first
    cell.scroll_into_view_if_needed()
    cell = page.locator("[data-exercise='attention.causal_mask']")
    for hint in exercise("attention.causal_mask").hints:
        button(cell, "Hint").click()
        expect(cell.locator(".llmlab-hints li").last).to_have_text(hint.replace("`", ""))
    expect(button(cell, "Hint")).to_have_attribute("aria-disabled", "true")
    solution = page.locator(".tag_exercise[data-exercise='attention.causal_mask'] + details")
    expect(solution.locator("pre")).to_be_hidden()
    button(cell, "Solution").click()
    expect(solution.locator("pre")).to_be_visible()
    expect(solution.locator("summary")).to_be_focused()


@pytest.mark.parametrize("name", [PAGE, "book/how_to_use.html"])
def test_nothing_heavy_is_loaded_before_it_is_needed(visit: Callable, name: str) -> None:
    urls = [answer.url for answer in visit(name).untouched]
    ours = [url for url in urls if "/exercises/" in url or "pyodide" in url]
    names = sorted(url.split("/")[-1].split("?")[0] for url in ours)
    assert names == ["enhance.js", "exercises.css"]
    folder = HTML / "_static" / "exercises"
    assert sum(len(gzip.compress((folder / name).read_bytes())) for name in names) < 4000
