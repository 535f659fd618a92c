"""Loss curves whose points open what the model wrote there."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from llmlab.display import LiveLoss, LossCurves
from tests.browser import eventually

WRITTEN = {0: "\n\nqx zj", 20: "\n\nROMEO:\nThe of", 60: "JULIET:\nO, speak again"}


def test_samples_travel_in_the_order_of_steps(make_run):
    shuffled = {step: WRITTEN[step] for step in (60, 0, 20)}
    widget = LossCurves(make_run("gpt"), samples=shuffled)
    assert [sample["step"] for sample in widget.samples] == [0, 20, 60]
    assert widget.samples[2]["text"] == WRITTEN[60]
    assert LossCurves(make_run("gpt")).samples == []
    assert widget.description.startswith("Loss curves, from the first to the last step: gpt train,")


def test_a_sample_of_no_step_is_refused(make_run):
    with pytest.raises(ValueError, match="samples must be at steps from 0 to 60: got 61"):
        LossCurves(make_run(), samples={61: "text"})


def test_a_live_plot_takes_the_newest_text_of_each_evaluation():
    written = []
    live = LiveLoss(samples=written)
    live(None, {"step": 1, "loss": 3.0})
    for step in (2, 4):
        written.append(f"after {step}")
        live(None, {"step": step, "loss": 2.0, "validation_loss": 2.5})
    assert live.samples == [{"step": 2, "text": "after 2"}, {"step": 4, "text": "after 4"}]
    live(None, {"step": 1, "loss": 3.0, "validation_loss": 3.5})  # a new training starts
    assert [sample["step"] for sample in live.samples] == [1]


def test_enter_opens_the_nearest_sample_with_its_step_and_loss(make_run, mount):
    run = make_run("gpt")
    page = mount(LossCurves(run, samples=WRITTEN))
    panel, plot = page.locator(".ll-sample"), page.locator(".ll-plot")
    eventually(
        lambda: panel.inner_text(), lambda found: "JULIET:\nO, speak again" in found
    )  # the newest, before any choice
    expect(page.locator(".ll-ring")).to_have_count(3)
    eventually(
        lambda: plot.get_attribute("aria-label"),
        lambda found: "Enter opens the nearest sample" in found,
    )
    plot.focus()
    page.keyboard.press("Home")
    for _ in range(24):
        page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")  # at step 24: 20 is nearer than 60
    loss = next(line["validation_loss"] for line in run.lines if line["step"] == 20)
    eventually(lambda: panel.locator("p").first.inner_text(), f"Step 20, gpt validation {loss:.3f}")
    eventually(lambda: panel.locator("blockquote").inner_text(), "ROMEO:\nThe of")
    page.keyboard.press("End")
    eventually(
        lambda: panel.inner_text(), lambda found: "ROMEO" in found
    )  # reading on does not close it
    page.keyboard.press("Enter")
    eventually(lambda: panel.inner_text(), lambda found: "JULIET" in found)


def test_a_click_opens_a_ringed_point_and_nothing_between(make_run, mount):
    page = mount(LossCurves(make_run("gpt"), samples=WRITTEN))
    panel = page.locator(".ll-sample blockquote")
    page.locator(".ll-ring").first.click()
    eventually(lambda: panel.inner_text(), "qx zj")
    box = page.locator(".ll-plot").bounding_box()
    page.mouse.click(box["x"] + 0.7 * box["width"], box["y"] + 40)  # far from every ring
    eventually(lambda: panel.inner_text(), "qx zj")
    page.locator("select").select_option(label="by tokens")
    page.locator(".ll-ring").nth(1).click()
    eventually(lambda: panel.inner_text(), "ROMEO:\nThe of")


def test_a_plot_without_samples_has_no_panel(make_run, mount):
    page = mount(LossCurves(make_run("gpt")))
    expect(page.locator(".ll-sample")).to_be_hidden()
    expect(page.locator(".ll-ring")).to_have_count(0)
    eventually(
        lambda: page.locator(".ll-plot").get_attribute("aria-label"),
        lambda found: "Enter" not in found,
    )


def test_a_live_panel_follows_the_training_until_the_reader_chooses(mount):
    page = mount(LiveLoss())
    live = LiveLoss(samples=(texts := []))
    for step in (1, 2, 3):
        texts.append(f"text {step}")
        live(None, {"step": step, "loss": 1.0, "validation_loss": 4 / step, "tokens": step})
        send(page, live)
        eventually(lambda: sample(page), f"text {step}")
    page.locator(".ll-ring").nth(1).click()
    texts.append("text 4")
    live(None, {"step": 4, "loss": 1.0, "validation_loss": 1.0, "tokens": 4})
    send(page, live)
    expect(page.locator(".ll-ring")).to_have_count(4)
    eventually(lambda: sample(page), "text 2")


def send(page, live) -> None:
    """Send the page what the live plot holds."""
    page.evaluate(
        "([s, d, w]) => { models[0].set('series', s); models[0].set('samples', w);"
        " models[0].set('data', new DataView(Uint8Array.from(d).buffer)); }",
        [live.series, list(live.data), live.samples],
    )


def sample(page) -> str:
    return page.locator(".ll-sample blockquote").inner_text()
