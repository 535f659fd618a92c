"""The microscope in a browser: writing, looking, stepping and switching, by keyboard and mouse."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from llmlab.analysis import ablate_head
from llmlab.data import CharTokenizer
from llmlab.display import Microscope
from llmlab.display.arrays import visible


def status(page) -> str:
    return page.locator(".ll-actions [role=status]").inner_text()


def written(page, button: str = "Write") -> str:
    """Press a button and return what the model writes, all at once."""
    page.emulate_media(reduced_motion="reduce")
    page.get_by_role("button", name=button).click()
    assert status(page).startswith("Done")
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
    page.wait_for_timeout(60)  # an animation frame or two
    return page.locator(".ll-note").inner_text()


def test_it_opens_with_what_python_wrote_and_writes_the_same(page, toy):
    wanted = toy.widget.text + toy.widget.sample
    paper = page.locator(".ll-paper")
    assert paper.text_content() == wanted
    assert status(page) == "Below: written in Python with seed 1."
    page.locator(".ll-main").focus()
    page.keyboard.press("Enter")
    page.locator(".ll-actions").get_by_text("Done").wait_for()  # token by token
    assert paper.text_content() != wanted
    assert status(page) == "Done: 100 tokens, seed 2."
    page.get_by_label("seed").fill("1")
    assert written(page) == wanted


def test_the_knobs_decide_and_a_wrong_one_is_named(page):
    page.get_by_label("top-k").fill("1")
    greedy = written(page)
    assert written(page, "Another") == greedy  # one token is left: nothing to draw
    for name, value, words in (
        ("top-k", "0", "top-k must be a whole number from 1 to 301."),
        ("top-k", "", "top-k must be a whole number from 1 to 301."),
        ("seed", "-1", "seed must be a whole number from 0 to 999999999."),
        ("seed", "1.5", "seed must be a whole number from 0 to 999999999."),
    ):
        page.get_by_label(name).fill(value)
        page.get_by_role("button", name="Write").click()
        assert status(page) == words
        page.get_by_label(name).fill("1")
    assert page.locator(".ll-paper").text_content() == greedy
    page.get_by_label("temperature").focus()
    page.keyboard.press("End")
    assert page.get_by_label("temperature 2").count() == 1
    page.get_by_label("top-k").fill("301")
    assert written(page) != greedy


def test_writing_can_be_stopped(page):
    page.evaluate("document.querySelector('.ll-main').click()")
    page.evaluate("document.querySelector('.ll-main').click()")
    assert status(page).startswith("Stopped: ")
    assert int(status(page).split()[1]) < 100
    assert page.locator(".ll-main").inner_text() == "Write"


def test_tabs_tokens_maps_and_stages_move_by_keyboard(page, toy):
    page.get_by_role("tab", name="Write").focus()
    page.keyboard.press("ArrowRight")
    assert page.evaluate("document.activeElement.textContent") == "Look"
    strip = page.get_by_role("listbox")
    strip.focus()
    chosen = strip.locator("[aria-selected=true]")
    names = [
        piece.replace(" ", "␣").replace("\n", "↵") for piece in toy.tokenizer.tokens("ROMEO:\nO, ")
    ]
    shown = [chip.evaluate("node => node.firstChild.data") for chip in strip.locator("span").all()]
    assert shown == names
    page.keyboard.press("Home")
    assert chosen.evaluate("node => node.firstChild.data") == names[0]
    assert f"After “{names[0]}”" in page.locator(".ll-next").first.inner_text()
    assert f"goes on with “{names[1]}”" in page.locator(".ll-next").first.inner_text()
    page.keyboard.press("ArrowRight")
    assert chosen.evaluate("node => node.firstChild.data") == names[1]
    page.locator(".ll-maps [aria-checked=true]").focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowLeft")
    assert page.evaluate("document.activeElement.getAttribute('aria-label')") == "layer 1, head 3"
    assert page.locator(".ll-says").first.inner_text().startswith("Layer 1, head 3: “")
    page.get_by_role("tab", name="Step").click()
    stages = page.locator(".ll-stages [role=radio]")
    assert stages.count() == 1 + 2 * 2 + 2
    stages.first.focus()
    for key, name in (
        ("ArrowDown", "Block 0, attention"),
        ("End", "Logits"),
        ("Home", "Embedding"),
    ):
        page.keyboard.press(key)
        assert page.evaluate("document.activeElement.firstChild.textContent") == name
    assert page.get_by_role("button", name="Back").is_disabled()
    page.get_by_role("button", name="Next").click()
    assert "added" in page.locator(".ll-stage").inner_text()


@torch.no_grad()
def test_look_shows_the_probabilities_of_pytorch(page, toy):
    model = toy.build()
    model.load_state_dict({name: value.half() for name, value in model.state_dict().items()})
    tokens = toy.tokenizer.encode("ROMEO:\nO, ")
    chances = model(torch.tensor([tokens]))[0, -1].softmax(-1)
    page.get_by_role("tab", name="Look").click()
    bars = page.locator(".ll-next:visible .ll-bars li")
    assert bars.count() == 10
    best = chances.max().item()
    wanted = f"{100 * best:.1f} %" if best < 0.1 else f"{100 * best:.0f} %"
    assert bars.first.inner_text().endswith(wanted)


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
    assert f"is {losses[0]:.3f} nats per token. Switch a head off." in says.inner_text()
    toggle = page.get_by_role("button", name="layer 1, head 2")
    change = f"{losses[1] - losses[0]:+.2f}".replace("-", "−")
    toggle.get_by_text(change).wait_for()  # each head is tried alone, one after another
    toggle.focus()
    page.keyboard.press("Enter")
    assert toggle.get_attribute("aria-pressed") == "false"
    assert f"Without layer 1, head 2 it is {losses[1]:.3f}: {change}." in says.inner_text()
    page.get_by_role("tab", name="Write").click()
    assert "Off: layer 1, head 2." in page.locator(".ll-off").inner_text()
    page.get_by_role("button", name="Switch them on").click()
    assert page.locator(".ll-off").is_hidden()


def test_a_long_text_is_read_at_its_end_and_that_is_said(page, toy):
    page.get_by_role("tab", name="Look").click()
    long = toy.play * 600  # 100,000 characters
    assert len(long) > 100_000
    paste(page, long)
    assert note(page) == (
        f"This text is longer than the model can see: it reads the last {toy.context} tokens."
    )
    shown = page.locator(".ll-token").evaluate_all("all => all.map((node) => node.firstChild.data)")
    wanted = [toy.tokenizer.decode([token]) for token in toy.tokenizer.encode(long)[-toy.context :]]
    assert shown == [visible(piece) for piece in wanted]
    paste(page, "a" * 100_000)  # one word
    assert "it reads the last" in note(page)
    field(page).fill("O")
    assert note(page) == ""
    assert page.locator(".ll-token").count() == 1


def test_no_text_has_words_in_every_view(page):
    field(page).fill("")
    assert note(page) == "There is no text yet: type some."
    for name in ("Look", "Step", "Heads"):
        page.get_by_role("tab", name=name).click()
        assert note(page) == "There is no text yet: type some."
        assert page.locator(".ll-token:visible").count() == 0
    page.get_by_role("tab", name="Write").click()
    page.locator(".ll-main").click()
    assert status(page) == "There is no text yet: type some."
    page.get_by_role("tab", name="Heads").click()
    field(page).fill("O")
    page.get_by_text("The loss needs at least two tokens").wait_for()


def test_characters_that_a_model_does_not_know_are_named(mount, toy):
    tokenizer = CharTokenizer.train(toy.play)
    page = mount(Microscope(toy.build(tokenizer.vocab_size), tokenizer, toy.run, text="ROMEO:"))
    size = tokenizer.vocab_size
    field(page).fill("O é🌹é")
    assert note(page) == f"This model knows {size} characters, and not “é” “🌹”."
    page.locator(".ll-main").click()
    assert "and not “é” “🌹”" in status(page)
    field(page).fill("O Romeo")
    assert note(page) == ""
    assert written(page).startswith("O Romeo")


def test_a_notebook_s_shortcuts_do_not_fire(page):
    page.evaluate("document.addEventListener('keydown', () => { window.heard = true; })")
    field(page).press("a")
    page.get_by_role("tab", name="Write").press("Enter")
    assert page.evaluate("window.heard") is None


def test_a_single_view_has_no_tabs(mount, toy):
    page = mount(Microscope(toy.build(), toy.tokenizer, toy.run, text="O", view="write"))
    assert page.get_by_role("tab").count() == 0
    assert not page.get_by_label("temperature").is_visible()
    page.locator("summary").click()
    assert page.get_by_label("temperature").is_visible()


@pytest.mark.parametrize(("dark", "width"), [(False, 800), (True, 800), (False, 375)])
def test_every_view_fits_its_page(mount, toy, dark, width):
    widget = Microscope(toy.build(), toy.tokenizer, toy.run, text=toy.play)
    page = mount(widget, dark=dark, width=width)
    for tab in page.get_by_role("tab").all():
        tab.click()
        assert page.evaluate("document.documentElement.scrollWidth") <= width
    names = page.evaluate("[...document.querySelectorAll('[id]')].map((node) => node.id)")
    assert len(names) == len(set(names))


def test_leaving_removes_every_listener_and_element(page):
    page.get_by_role("tab", name="Heads").click()
    page.evaluate("window.stops.forEach((stop) => stop())")
    page.wait_for_timeout(400)  # what was still to be tried is not tried
    assert page.locator(".llmlab").count() == 0
    assert page.evaluate("window.models[0].count()") == 0
