"""What every reader needs of a page, in other engines than Chromium's; tests/site has the rest."""

from __future__ import annotations

import io

import pytest
from PIL import Image, ImageChops

from llmlab.exercises import exercise
from tests.browser import eventually

from .conftest import pages
from .drivers import Engine

SETTLE = """
const until = async (act) => { while (!act()) await new Promise((go) => setTimeout(go, 20)); };
document.querySelector(".llmlab-invite")?.click();
await document.fonts.ready;
const widgets = [...document.querySelectorAll(".llmlab-widget")];
for (const widget of widgets) {
  widget.scrollIntoView();
  await until(() => widget.dataset.state && widget.getAttribute("aria-busy") !== "true");
}
for (const cell of document.querySelectorAll(".tag_exercise")) {
  cell.scrollIntoView();
  await until(() => cell.querySelector(".llmlab-exercise"));
}
return widgets.map((widget) => widget.dataset.state);
"""
# The first glyph of the n-th formula that begins with a parenthesis, in the middle of the window.
FIRST_GLYPH = """
const formulas = [...document.querySelectorAll("mjx-container")].filter((node) =>
  /^\\s*\\(/.test(node.dataset.tex) && node.offsetParent);
const formula = formulas[given[0]];
if (!formula) return null;
formula.scrollIntoView({ block: "center" });
const { x, y, width, height } = formula.querySelector("use, path").getBoundingClientRect();
return [x, y, x + width, y + height];
"""
FORMULAS = 3  # looked at on each page
ALIKE = 40  # of 255: what differs more from the paper is ink


def has_ink(engine: Engine, box: list[float]) -> bool:
    """Whether something is painted in this box of the window."""
    picture = Image.open(io.BytesIO(engine.screenshot())).convert("L").crop(box)
    paper = Image.new("L", picture.size, picture.getpixel((0, 0)))
    return ImageChops.difference(picture, paper).getextrema()[1] > ALIKE


@pytest.mark.parametrize("name", pages())
def test_a_page_is_whole(engine: Engine, address: str, name: str) -> None:
    engine.open(address + name)
    states = engine.run(SETTLE)
    assert set(states) <= {"mounted"}
    for number in range(FORMULAS):
        if (box := engine.run(FIRST_GLYPH, number)) is not None:
            eventually(lambda box=box: has_ink(engine, box), True)
    engine.run("for (let n = 0; n < 5; n++) await new Promise(requestAnimationFrame)")
    eventually(lambda: engine.run("return complaints"), [])


def test_a_parenthesis_that_is_not_painted_is_noticed(engine: Engine, address: str) -> None:
    engine.open(address + "notebooks/01_attention.html")
    engine.run(SETTLE)
    box = engine.run(FIRST_GLYPH, 0)
    eventually(lambda: has_ink(engine, box), True)
    engine.run(
        "for (const g of document.querySelectorAll('mjx-container svg')) g.style.opacity = 0"
    )
    eventually(lambda: has_ink(engine, engine.run(FIRST_GLYPH, 0)), False)


def test_an_exercise_is_graded(engine: Engine, address: str) -> None:
    engine.open(address + "notebooks/01_attention.html")
    engine.run(SETTLE)
    cell = "document.querySelector(\"[data-exercise='attention.softmax']\")"
    engine.run(f"{cell}.scrollIntoView(); {cell}.querySelector('.cm-content').focus();")
    # the editor indents by itself, as for any reader who types
    lines = exercise("attention.softmax").solution.splitlines()
    engine.type("\n".join(line.strip() for line in lines))
    eventually(
        lambda: engine.run(f"return {cell}.querySelector('.cm-content').innerText"),
        lambda text: "return weights / weights.sum" in text,
    )
    check = "[...buttons].find((button) => button.textContent === 'Check').click()"
    engine.run(f"const buttons = {cell}.querySelectorAll('button'); {check};")
    answer = f"{cell}.querySelector('.llmlab-answer')"
    passed = "All 5 tests pass."
    eventually(lambda: engine.run(f"return {answer}.innerText"), lambda said: passed in said, 60)


def test_the_gpt_writes(engine: Engine, address: str) -> None:
    engine.open(address + "notebooks/03_pretraining.html")
    engine.run(SETTLE)
    engine.run("document.querySelector('.ll-scope').scrollIntoView()")
    engine.run("document.querySelector('.ll-scope .ll-main').click()")
    status = "return document.querySelector('.ll-scope .ll-actions [role=status]').innerText"
    eventually(lambda: engine.run(status), lambda said: said.startswith("Done: 100 tokens"), 60)


def test_an_arrow_is_dragged(engine: Engine, address: str) -> None:
    engine.open(address + "notebooks/01_attention.html")
    engine.run(SETTLE)
    x, y = engine.run(
        """const dot = document.querySelector(".ll-plane .ll-query .ll-dot");
        dot.scrollIntoView({ block: "center" });
        const box = dot.getBoundingClientRect();
        return [box.x + box.width / 2, box.y + box.height / 2];"""
    )
    says = "return document.querySelector('.ll-query').getAttribute('aria-valuetext')"
    before = engine.run(says)
    engine.drag((x, y), (x - 60, y + 40))
    eventually(lambda: engine.run(says), lambda after: after != before)
