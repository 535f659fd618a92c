"""The microscope in a browser: writing, looking, stepping and switching, by keyboard and mouse."""

from __future__ import annotations

import pytest
import torch
from playwright.sync_api import expect
from torch.nn import functional as F

from llmlab.analysis import ablate_head
from llmlab.data import CharTokenizer
from llmlab.display import Microscope
from llmlab.display.arrays import visible
from tests.browser import eventually


def status(page) -> str:
    return page.locator(".ll-actions [role=status]").inner_text()


def write(page, button: str = "Write") -> None:
    """Press a button and let the model write all at once."""
    page.emulate_media(reduced_motion="reduce")
    page.get_by_role("button", name=button).click()
    page.locator(".ll-actions").get_by_text("Done").wait_for()


def paper(page) -> str:
    return page.locator(".ll-paper").text_content()


def field(page):
    return page.locator(".llmlab textarea")


def paste(page, text: str) -> None:
    """Put a text in the place of the reader's, from the clipboard as a reader would."""
    page.evaluate(
        """(text) => {
          const from = document.body.appendChild(document.createElement("textarea"));
          from.value = text;
          from.select();
        }""",
        text,
    )
    page.keyboard.press("Control+x")
    field(page).focus()
    page.keyboard.press("Control+a")
    page.keyboard.press("Control+v")
    page.evaluate("document.body.lastElementChild.remove()")


def note(page) -> str:
    return page.locator(".ll-note").inner_text()


def test_it_opens_with_what_python_wrote_and_writes_the_same(page, toy):
    wanted = toy.widget.text + toy.widget.sample
    eventually(lambda: paper(page), wanted)
    eventually(lambda: status(page), "Below: written in Python with seed 1.")
    page.locator(".ll-main").focus()
    page.keyboard.press("Enter")
    page.locator(".ll-actions").get_by_text("Done").wait_for()  # token by token
    eventually(lambda: paper(page), lambda found: found != wanted)
    eventually(lambda: status(page), "Done: 100 tokens, seed 2.")
    page.get_by_label("seed").fill("1")
    write(page)
    eventually(lambda: paper(page), wanted)


def test_the_knobs_decide_and_a_wrong_one_is_named(page):
    page.get_by_label("top-k").fill("1")
    write(page)
    greedy = paper(page)
    write(page, "Another")
    eventually(lambda: paper(page), greedy)  # one token is left: nothing to draw
    for name, value, words in (
        ("top-k", "0", "top-k must be a whole number from 1 to 301."),
        ("top-k", "", "top-k must be a whole number from 1 to 301."),
        ("seed", "-1", "seed must be a whole number from 0 to 999999999."),
        ("seed", "1.5", "seed must be a whole number from 0 to 999999999."),
    ):
        page.get_by_label(name).fill(value)
        page.get_by_role("button", name="Write").click()
        eventually(lambda: status(page), words)
        page.get_by_label(name).fill("1")
    eventually(lambda: page.locator(".ll-paper").text_content(), greedy)
    page.get_by_label("temperature").focus()
    page.keyboard.press("End")
    expect(page.get_by_label("temperature 2")).to_have_count(1)
    page.get_by_label("top-k").fill("301")
    write(page)
    eventually(lambda: paper(page), lambda found: found != greedy)


def test_writing_can_be_stopped(page):
    page.evaluate("document.querySelector('.ll-main').click()")
    page.evaluate("document.querySelector('.ll-main').click()")
    said = eventually(lambda: status(page), lambda found: found.startswith("Stopped: "))
    assert int(said.split()[1]) < 100
    eventually(lambda: page.locator(".ll-main").inner_text(), "Write")


def test_tabs_tokens_maps_and_stages_move_by_keyboard(page, toy):
    page.get_by_role("tab", name="Write").focus()
    page.keyboard.press("ArrowRight")
    eventually(lambda: page.evaluate("document.activeElement.textContent"), "Look")
    strip = page.get_by_role("listbox")
    strip.focus()
    chosen = strip.locator("[aria-selected=true]")
    names = [
        piece.replace(" ", "␣").replace("\n", "↵") for piece in toy.tokenizer.tokens("ROMEO:\nO, ")
    ]
    eventually(
        lambda: strip.locator("span").evaluate_all(
            "all => all.map((node) => node.firstChild.data)"
        ),
        names,
    )
    page.keyboard.press("Home")
    eventually(lambda: chosen.evaluate("node => node.firstChild.data"), names[0])
    eventually(
        lambda: page.locator(".ll-next").first.inner_text(),
        lambda found: f"After “{names[0]}”" in found,
    )
    eventually(
        lambda: page.locator(".ll-next").first.inner_text(),
        lambda found: f"goes on with “{names[1]}”" in found,
    )
    page.keyboard.press("ArrowRight")
    eventually(lambda: chosen.evaluate("node => node.firstChild.data"), names[1])
    page.locator(".ll-maps [aria-checked=true]").focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowLeft")
    eventually(
        lambda: page.evaluate("document.activeElement.getAttribute('aria-label')"),
        "layer 1, head 3",
    )
    eventually(
        lambda: page.locator(".ll-says").first.inner_text(),
        lambda found: found.startswith("Layer 1, head 3: “"),
    )
    page.get_by_role("tab", name="Step").click()
    stages = page.locator(".ll-stages [role=radio]")
    expect(stages).to_have_count(1 + 2 * 2 + 2)
    stages.first.focus()
    for key, name in (
        ("ArrowDown", "Block 0, attention"),
        ("End", "Logits"),
        ("Home", "Embedding"),
    ):
        page.keyboard.press(key)
        eventually(lambda: page.evaluate("document.activeElement.firstChild.textContent"), name)
    expect(page.get_by_role("button", name="Back")).to_be_disabled()
    page.get_by_role("button", name="Next").click()
    eventually(lambda: page.locator(".ll-stage").inner_text(), lambda found: "added" in found)


@torch.no_grad()
def test_look_shows_the_probabilities_of_pytorch(page, toy):
    model = toy.build()
    model.load_state_dict({name: value.half() for name, value in model.state_dict().items()})
    tokens = toy.tokenizer.encode("ROMEO:\nO, ")
    chances = model(torch.tensor([tokens]))[0, -1].softmax(-1)
    page.get_by_role("tab", name="Look").click()
    bars = page.locator(".ll-next:visible .ll-bars li")
    expect(bars).to_have_count(10)
    best = chances.max().item()
    wanted = f"{100 * best:.1f} %" if best < 0.1 else f"{100 * best:.0f} %"
    eventually(lambda: bars.first.inner_text(), lambda found: found.endswith(wanted))


@torch.no_grad()
def test_heads_switch_by_keyboard_and_say_the_loss_of_pytorch(page, toy):
    model = toy.build()
    model.load_state_dict({name: value.half() for name, value in model.state_dict().items()})
    text = torch.tensor(toy.tokenizer.encode("ROMEO:\nO, "))
    losses = [F.cross_entropy(model(text[None])[0, :-1], text[1:]).item()]
    with ablate_head(model, 1, 2):
        losses.append(F.cross_entropy(model(text[None])[0, :-1], text[1:]).item())
    page.get_by_role("tab", name="Heads").click()
    says = page.locator(".ll-says:visible")
    eventually(
        lambda: says.inner_text(),
        lambda found: f"is {losses[0]:.3f} nats per token. Switch a head off." in found,
    )
    toggle = page.get_by_role("button", name="layer 1, head 2")
    change = f"{losses[1] - losses[0]:+.2f}".replace("-", "−")
    toggle.get_by_text(change).wait_for()  # each head is tried alone, one after another
    toggle.focus()
    page.keyboard.press("Enter")
    eventually(lambda: toggle.get_attribute("aria-pressed"), "false")
    eventually(
        lambda: says.inner_text(),
        lambda found: f"Without layer 1, head 2 it is {losses[1]:.3f}: {change}." in found,
    )
    page.get_by_role("tab", name="Write").click()
    eventually(
        lambda: page.locator(".ll-off").inner_text(), lambda found: "Off: layer 1, head 2." in found
    )
    page.get_by_role("button", name="Switch them on").click()
    expect(page.locator(".ll-off")).to_be_hidden()


def test_a_long_text_is_read_at_its_end_and_that_is_said(page, toy):
    page.get_by_role("tab", name="Look").click()
    long = toy.play * 600  # 100,000 characters
    assert len(long) > 100_000
    paste(page, long)
    eventually(
        lambda: note(page),
        f"This text is longer than the model can see: it reads the last {toy.context} tokens.",
    )
    shown = "all => all.map((node) => node.firstChild.data)"
    wanted = [toy.tokenizer.decode([token]) for token in toy.tokenizer.encode(long)[-toy.context :]]
    eventually(
        lambda: page.locator(".ll-token").evaluate_all(shown), [visible(piece) for piece in wanted]
    )
    field(page).fill("O")
    eventually(lambda: note(page), "")
    paste(page, "a" * 100_000)  # one word
    eventually(lambda: note(page), lambda said: "it reads the last" in said)
    field(page).fill("O")
    eventually(lambda: note(page), "")
    expect(page.locator(".ll-token")).to_have_count(1)


def test_no_text_has_words_in_every_view(page):
    field(page).fill("")
    eventually(lambda: note(page), "There is no text yet: type some.")
    for name in ("Look", "Step", "Heads"):
        page.get_by_role("tab", name=name).click()
        eventually(lambda: note(page), "There is no text yet: type some.")
        expect(page.locator(".ll-token:visible")).to_have_count(0)
    page.get_by_role("tab", name="Write").click()
    page.locator(".ll-main").click()
    eventually(lambda: status(page), "There is no text yet: type some.")
    page.get_by_role("tab", name="Heads").click()
    field(page).fill("O")
    page.get_by_text("The loss needs at least two tokens").wait_for()


def test_characters_that_a_model_does_not_know_are_named(mount, toy):
    tokenizer = CharTokenizer.train(toy.play)
    page = mount(Microscope(toy.build(tokenizer.vocab_size), tokenizer, toy.run, text="ROMEO:"))
    size = tokenizer.vocab_size
    field(page).fill("O é🌹é")
    eventually(lambda: note(page), f"This model knows {size} characters, and not “é” “🌹”.")
    page.locator(".ll-main").click()
    eventually(lambda: status(page), lambda found: "and not “é” “🌹”" in found)
    field(page).fill("O Romeo")
    eventually(lambda: note(page), "")
    write(page)
    eventually(lambda: paper(page), lambda found: found.startswith("O Romeo"))


def test_a_notebook_s_shortcuts_do_not_fire(page):
    page.evaluate("document.addEventListener('keydown', () => { window.heard = true; })")
    field(page).press("a")
    page.get_by_role("tab", name="Write").press("Enter")
    eventually(lambda: page.evaluate("window.heard"), lambda found: found is None)


def test_a_single_view_has_no_tabs(mount, toy):
    page = mount(Microscope(toy.build(), toy.tokenizer, toy.run, text="O", view="write"))
    expect(page.get_by_role("tab")).to_have_count(0)
    expect(page.get_by_label("temperature")).not_to_be_visible()
    page.locator("summary").click()
    expect(page.get_by_label("temperature")).to_be_visible()


@pytest.mark.parametrize(("dark", "width"), [(False, 800), (True, 800), (False, 375)])
def test_every_view_fits_its_page(mount, toy, dark, width):
    widget = Microscope(toy.build(), toy.tokenizer, toy.run, text=toy.play)
    page = mount(widget, dark=dark, width=width)
    for tab in page.get_by_role("tab").all():
        tab.click()
        eventually(
            lambda: page.evaluate("document.documentElement.scrollWidth"),
            lambda found: found <= width,
        )
    eventually(
        lambda: page.evaluate("[...document.querySelectorAll('[id]')].map((node) => node.id)"),
        lambda names: len(names) == len(set(names)),
    )


def test_leaving_removes_every_listener_and_element(page):
    page.get_by_role("tab", name="Heads").click()
    page.evaluate("window.stops.forEach((stop) => stop())")
    expect(page.locator(".llmlab")).to_have_count(0)
    eventually(lambda: page.evaluate("window.models[0].count()"), 0)
