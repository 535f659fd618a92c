"""The picture of a GPT: its shapes, weights and lines of code are those of the package."""

from __future__ import annotations

import inspect
import math

import pytest
import torch
from playwright.sync_api import expect

from llmlab.analysis import count_parameters
from llmlab.display import Architecture
from llmlab.models import GPT, GPTConfig, MultiHeadAttention, attention, blocks, embedding, gpt
from tests.browser import eventually

SIZES = {"vocab_size": 11, "context": 7, "layers": 3, "heads": 2, "width": 24}
KINDS = [
    {"position": "rotary"},
    {"position": "learned", "norm": "rms", "bias": False},
    {"position": "sinusoidal", "feed_forward": "swiglu"},
    {"position": "alibi", "feed_forward": "relu2"},
    {"position": "none"},
]
each_kind = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind["position"])


@each_kind
def test_letters_and_numbers_are_the_same_shape(kind):
    letters = {"B": 5, "T": 6, "D": 24, "H": 2, "K": 12, "V": 11}
    letters["F"] = 64 if "swiglu" in kind.values() else 96
    for part in Architecture(GPTConfig(**SIZES, **kind), batch=5, time=6).parts:
        for shape, sizes in [(part["shape"], part["sizes"]), *(row[1:] for row in part["inside"])]:
            assert tuple(letters[letter] for letter in shape.split(", ")) == tuple(sizes)


@each_kind
def test_the_parts_hold_all_weights_of_the_model(kind):
    config = GPTConfig(**SIZES, **kind)
    parts = Architecture(config).parts
    total = sum(part["weights"] * (config.layers if part["block"] else 1) for part in parts)
    assert total == count_parameters(GPT(config))


def test_positions_that_are_added_are_a_part_and_others_are_not():
    names = {
        kind["position"]: [part["name"] for part in Architecture(GPTConfig(**SIZES, **kind)).parts]
        for kind in KINDS
    }
    added = {position for position, parts in names.items() if "positions" in parts}
    assert added == {"learned", "sinusoidal"}


@each_kind
def test_every_line_of_code_stands_in_the_package(kind):
    source = "".join(inspect.getsource(module) for module in (attention, blocks, embedding, gpt))
    for part in Architecture(GPTConfig(**SIZES, **kind)).parts:
        assert part["code"] in source


def test_the_attention_of_the_picture_is_left_as_it_was():
    Architecture(GPTConfig(**SIZES))
    kernel = MultiHeadAttention(24, 2).kernel
    assert kernel is torch.nn.functional.scaled_dot_product_attention


@pytest.mark.parametrize(("batch", "time"), [(0, 7), (2, 8), (2, 0)])
def test_tokens_that_do_not_fit_are_refused(batch, time):
    with pytest.raises(ValueError, match=f"from 1 to context=7: got batch={batch}, time={time}"):
        Architecture(GPTConfig(**SIZES), batch=batch, time=time)


def test_keys_walk_up_the_picture_and_say_where_they_are(mount):
    widget = Architecture(GPTConfig(**SIZES, position="rotary"), batch=5, time=6)
    page = mount(widget)
    says = page.locator(".ll-says")
    expect(says).to_have_text("1 of 10: tokens.")
    page.get_by_role("tab", selected=True).focus()
    lower = math.inf
    for index, key in enumerate(("ArrowUp", "ArrowRight", "ArrowUp"), start=1):
        page.keyboard.press(key)
        eventually(lambda: page.evaluate("models[0].get('chosen')"), index)
        tab = page.get_by_role("tab", selected=True)
        expect(tab).to_be_focused()
        lower = eventually(lambda: tab.bounding_box()["y"], lambda y: y < lower)
    expect(says).to_have_text("4 of 10: attention, in each of the 3 blocks.")
    expect(page.get_by_role("tabpanel")).to_contain_text("5 × 2 × 6 × 6")
    page.keyboard.press("End")
    expect(says).to_have_text("10 of 10: logits.")
    expect(page.get_by_role("button", name="one part up")).to_be_disabled()
    page.keyboard.press("Home")
    expect(page.get_by_role("button", name="one part down")).to_be_disabled()


def test_clicks_and_buttons_choose_a_part(mount):
    page = mount(Architecture(GPTConfig(**SIZES)), width=375)
    page.get_by_role("tab", name="feed-forward (B, T, D)").click()
    expect(page.locator(".ll-says")).to_contain_text("feed-forward, in each of the 3 blocks")
    expect(page.locator(".ll-panel code")).to_have_text(
        "return x + self.feed_forward(self.feed_forward_norm(x))"
    )
    page.get_by_role("button", name="one part up").click()
    expect(page.locator(".ll-says")).to_contain_text("add, in each of the 3 blocks")
    expect(page.get_by_role("tabpanel")).to_contain_text("No weights.")
