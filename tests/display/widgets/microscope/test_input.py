"""What the microscope packs, what it refuses, and what the page does with a damaged file."""

from __future__ import annotations

import copy
import json

import pytest
import torch
from playwright.sync_api import expect
from safetensors.torch import load

from llmlab.data import ByteTokenizer, CharTokenizer, TokenizerError
from llmlab.display import Microscope
from llmlab.inference import Sampling, generate
from llmlab.models import BERT, GPT, BERTConfig, GPTConfig
from tests.browser import eventually

# --- The constructor -------------------------------------------------------------------------


def test_it_leaves_model_and_random_numbers_alone(toy):
    model = toy.build().train()
    before, state = copy.deepcopy(model.state_dict()), torch.random.get_rng_state()
    widget = Microscope(model, toy.tokenizer, toy.run, text="ROMEO:")
    assert model.training
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())
    assert torch.equal(state, torch.random.get_rng_state())
    sent = load(widget.weights)
    assert {value.dtype for value in sent.values()} == {torch.float16}
    assert widget.facts == (
        "71,000 parameters in 0.1 MB, trained for 9 steps in 4 s on a CPU (2 threads); "
        "held-out loss 3.45 nats per token."
    )
    assert widget.description.startswith("A GPT that goes on with any text")
    assert widget.description.endswith(widget.facts)
    rounded = toy.build()
    rounded.load_state_dict(sent)
    sample = generate(rounded, toy.tokenizer, "ROMEO:", widget.length, Sampling(**widget.knobs))
    assert widget.sample == sample


def test_a_run_without_evaluation_says_so(toy):
    run = copy.copy(toy.run)
    run.lines = [{"step": 9, "seconds": 3.6, "loss": 3.21}]
    assert "training loss 3.21" in Microscope(toy.build(), toy.tokenizer, run).facts


def test_what_the_page_cannot_compute_is_refused_in_one_sentence(toy):
    accepted = "a GPT with position='rotary', norm='layer' and feed_forward='gelu': got "
    learned = GPT(GPTConfig(301, toy.context, 1, 2, 8))
    with pytest.raises(ValueError, match=f"^model must be {accepted}position='learned'.$"):
        Microscope(learned, toy.tokenizer, toy.run)
    swiglu = GPT(GPTConfig(301, toy.context, 1, 2, 8, position="rotary", feed_forward="swiglu"))
    with pytest.raises(ValueError, match=f"{accepted}feed_forward='swiglu'.$"):
        Microscope(swiglu, toy.tokenizer, toy.run)
    with pytest.raises(ValueError, match=f"{accepted}BERT.$"):
        Microscope(BERT(BERTConfig(301, toy.context, 1, 2, 8)), toy.tokenizer, toy.run)
    with pytest.raises(ValueError, match=r"=301: got ByteTokenizer with vocab_size=256.$"):
        Microscope(toy.build(), ByteTokenizer(), toy.run)
    with pytest.raises(ValueError, match=r"vocab_size=301: got str with vocab_size=None.$"):
        Microscope(toy.build(), "gpt2", toy.run)
    with pytest.raises(ValueError, match=r"view must be one of all, write, .*: got 'draw'"):
        Microscope(toy.build(), toy.tokenizer, toy.run, view="draw")
    broken = toy.build()
    broken.norm.weight.data[3] = 1e5  # not to be written in 16 bits
    with pytest.raises(ValueError, match=r"finite weights below 65,520: norm.weight does not.$"):
        Microscope(broken, toy.tokenizer, toy.run)
    characters = CharTokenizer.train("abc")
    with pytest.raises(TokenizerError, match="'R' at position 0"):
        Microscope(toy.build(vocab_size=3), characters, toy.run, text="ROMEO")


# --- Damage ----------------------------------------------------------------------------------


def damaged(weights: bytes, how: str) -> bytes:
    size = int.from_bytes(weights[:8], "little")
    header, body = json.loads(weights[8 : 8 + size]), weights[8 + size :]

    def packed(header) -> bytes:
        text = json.dumps(header).encode() if not isinstance(header, bytes) else header
        return len(text).to_bytes(8, "little") + text + body

    name = "blocks.0.attention.output.weight"
    if how == "other type":
        header[name]["dtype"] = "BF16"
    elif how == "other shape":
        header[name]["shape"] = [47, 48]
    elif how == "turned":
        header["token_embedding.weight"]["shape"].reverse()
    elif how == "missing":
        del header[name]
    elif how == "no entry":
        header[name] = None
    cases = {
        "empty": b"",
        "cut in the length": weights[:5],
        "cut in the header": weights[:99],
        "cut in the weights": weights[:-7],
        "huge header": b"\xff" * 8 + weights[8:],
        "no JSON": packed(b"{" * size),
        "a list": packed([]),
        "not a number": weights[:-2] + b"\x00\x7e",
    }
    return cases.get(how, packed(header))


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ("empty", "it ends too early"),
        ("cut in the length", "it ends too early"),
        ("cut in the header", "it ends too early"),
        ("cut in the weights", "it ends too early"),
        ("huge header", "it ends too early"),
        ("no JSON", "its header is not JSON"),
        ("a list", "token_embedding.weight must be of shape 301,48"),
        ("other type", "holds BF16, where only F16 and F32 are read"),
        ("no entry", "holds undefined, where only F16 and F32 are read"),
        ("other shape", "blocks.0.attention.output.weight does not fit its shape"),
        ("turned", "token_embedding.weight must be of shape 301,48"),
        ("missing", "blocks.0.attention.output.weight must be of shape 48,48"),
        ("not a number", "holds something that is not a number"),
    ],
)
def test_a_damaged_model_is_named_and_the_page_lives_on(mount, toy, how, words):
    broken = Microscope(toy.build(), toy.tokenizer, toy.run)
    broken.weights = damaged(broken.weights, how)
    page = mount(broken, toy.widget)
    page.emulate_media(reduced_motion="reduce")
    alert = page.get_by_role("alert")
    expect(alert).to_contain_text("The model cannot run. The model’s file is damaged: ")
    expect(alert).to_contain_text(words)
    page.get_by_role("button", name="Another").click()
    eventually(
        lambda: page.locator(".ll-actions [role=status]").inner_text(),
        lambda found: "Done" in found,
    )
    page.evaluate("window.stops.forEach((stop) => stop())")
    expect(page.locator(".llmlab")).to_have_count(0)
