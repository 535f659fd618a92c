"""The GPT of the built site: in the page it computes what PyTorch computed in the chapter."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.browser import eventually, unchanging

from .axe import expect_accessible
from .conftest import Visit

Open = Callable[..., Visit]
INDEX, CHAPTER = "book/index.html", "notebooks/03_pretraining.html"
both_pages = pytest.mark.parametrize("name", [INDEX, CHAPTER])

# The widget's module, state and weights, fetched as mount.js fetches them.
LOAD = """async () => {
  const script = document.querySelector("script[type$='widget-state+json']");
  const records = Object.values(JSON.parse(script.textContent).state);
  const { state, buffers } = records.find((record) => record.state.reference);
  const get = ({ $file }) => fetch(new URL(`../_static/widgets/${$file}`, location.href));
  const tokenizer = await (await get(state.tokenizer)).json();
  const weights = new DataView(await (await get(buffers[0].data)).arrayBuffer());
  const gpt = await import((await get(state._esm)).url);
  const model = new gpt.GPT(state.config, weights);
  const encode = (text) => gpt.makeTokenizer(tokenizer).encode(text);
  window.book = { ...state, gpt, encode, file: buffers[0].data.$file };
  window.read = () => new gpt.Reading(model);
}"""


@pytest.fixture
def load(visit: Open) -> Callable[[str], Page]:
    def open_page(name: str) -> Page:
        page = visit(name).page
        page.evaluate(LOAD)
        return page

    return open_page


@both_pages
def test_trained_weights_give_the_scores_and_the_text_of_pytorch(load: Open, name: str) -> None:
    page = load(name)
    computed = page.evaluate(
        """() => {
          const { logits, greedy } = book.reference;
          const tokens = book.encode(book.text);
          const scores = read().read(tokens).scores(tokens.length - 1);
          const gaps = logits.map((logit, id) => Math.abs(logit - scores[id]));
          const stream = book.gpt.write(read(), tokens, { temperature: 0 });
          const written = greedy.map(() => stream.next().value);
          return [Math.max(...gaps), String(written) === String(greedy), greedy.length];
        }"""
    )
    gap, same, size = unchanging(computed, "computed from weights that nobody changes")
    assert gap < 1e-4
    assert size == 64
    assert same


@both_pages
def test_the_model_writes_what_the_chapter_wrote_and_then_something_else(
    load: Open, name: str
) -> None:
    page = load(name)
    page.emulate_media(reduced_motion="reduce")  # all at once
    widget = page.locator(".ll-scope")
    paper = widget.locator(".ll-paper")
    begun, sample = page.evaluate("[book.text, book.sample]")
    eventually(paper.text_content, begun + sample)
    widget.get_by_role("button", name="Write").click()
    eventually(
        paper.text_content,
        lambda text: text.startswith(begun) and len(text) > len(begun) and text != begun + sample,
    )
    page.locator(".ll-scope summary").click() if name == INDEX else None
    widget.get_by_label("seed").fill("1")
    widget.get_by_role("button", name="Write").click()
    eventually(paper.text_content, begun + sample)


def test_index_and_chapter_fetch_the_same_weights(load: Open) -> None:
    files = [load(name).evaluate("book.file") for name in (INDEX, CHAPTER)]
    index, chapter = unchanging(files, "the pages name them in their source")
    assert index == chapter


def test_index_answers_what_a_reader_types(visit: Open) -> None:
    page = visit(INDEX).page
    figure = page.locator(".llmlab-opening")
    expect(figure.locator("pre")).to_be_hidden()
    figure.locator("textarea").fill("JULIET:\nO ")
    figure.get_by_role("button", name="Write").click()
    expect(figure.get_by_role("status").get_by_text("Done: 100 tokens")).to_be_visible()
    eventually(
        figure.locator(".ll-paper").text_content, lambda text: text.startswith("JULIET:\nO ")
    )
    for fact in ("parameters", "MB", "trained for", "held-out loss"):
        expect(figure.locator("figcaption")).to_contain_text(fact)


def test_index_shows_what_the_model_wrote_without_scripts(browser, address: str) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(address + INDEX)
    opening = page.locator(".llmlab-opening")
    expect(opening.locator("pre")).to_be_visible()
    eventually(opening.locator("pre").inner_text, lambda text: len(text) > 100)
    expect(page.locator(".llmlab-noscript")).to_contain_text("goes on with the text you begin")
    expect(opening.locator("figcaption")).to_contain_text("held-out loss")
    context.close()


@pytest.mark.parametrize(("size", "theme"), [("wide", "dark"), ("phone", "light")])
def test_every_view_is_accessible_and_fits(visit: Open, size: str, theme: str) -> None:
    page = visit(CHAPTER, size, theme).page
    for tab in page.locator(".ll-scope").get_by_role("tab").all():
        tab.click()
        if tab.inner_text() == "Heads":
            page.get_by_role("button", name="layer 1, head 0").click()
        expect(tab).to_have_attribute("aria-selected", "true")
        expect_accessible(page, ".ll-scope")  # the rest is as test_pages found it
        eventually(
            lambda: page.evaluate("document.documentElement.scrollWidth"),
            lambda needed: needed <= page.viewport_size["width"],
        )
