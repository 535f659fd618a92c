"""The GPT in the page against PyTorch: logits, attention, loss, and the text that it writes."""

from __future__ import annotations

import base64

import pytest
import torch
from safetensors.torch import save
from torch.nn import functional as F

from llmlab.analysis import ablate_head, record_attention
from llmlab.inference import Sampling, generate_tokens
from llmlab.models import GPT
from tests.browser import unchanging


def computed(page, script: str, argument=None):
    """What a script computes from its argument alone, whatever the page shows."""
    return unchanging(page.evaluate(script, argument), "it depends on the argument alone")


def text_of(*weights: torch.Tensor) -> str:
    return base64.b64encode(save(*weights)).decode()


def whole(model: GPT) -> str:
    """The weights as a safetensors file of float32, for the page."""
    return text_of(model.state_dict())


def ids(length: int, seed: int = 0) -> list[int]:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(301, (length,), generator=generator).tolist()


# --- The forward pass ------------------------------------------------------------------------


@pytest.mark.parametrize("length", [1, 2, 7, 24])
@torch.no_grad()
def test_logits_agree_with_pytorch(page, length, toy):
    model, tokens = toy.build(), ids(length)
    read = "([weights, tokens]) => [...open(weights).read(tokens).logits]"
    found = torch.tensor(computed(page, read, [whole(model), tokens]))[: length * 301]
    wanted = model(torch.tensor([tokens]))[0].flatten()
    assert wanted.abs().max() > 3  # opinions that could disagree
    assert (found - wanted).abs().max() < 1e-4
    model.blocks[1].feed_forward.output.weight[3] += 0.05
    other = torch.tensor(computed(page, read, [whole(model), tokens]))[: length * 301]
    assert (other - wanted).abs().max() > 1e-3


@torch.no_grad()
def test_sixteen_bits_are_the_rounding_and_nothing_else(page, toy):
    model, tokens = toy.build(), ids(toy.context)
    read = "(tokens) => [...open(sent).read(tokens).logits]"
    found = torch.tensor(computed(page, read, tokens))
    exact = model(torch.tensor([tokens]))[0].flatten()
    model.load_state_dict({name: value.half() for name, value in model.state_dict().items()})
    rounded = model(torch.tensor([tokens]))[0].flatten()
    assert (found - rounded).abs().max() < 1e-4
    assert 1e-4 < (found - exact).abs().max() < 0.1


def test_a_cache_changes_nothing(page, toy):
    """Token by token, or at once, or after a change in the middle: the same bits."""
    differences = computed(
        page,
        """(tokens) => {
          const slow = open(sent).read(tokens), fast = open(sent), other = open(sent);
          for (let t = 1; t <= tokens.length; t++) fast.read(tokens.slice(0, t));
          other.read(tokens.map((token, t) => (t < 9 ? token : (token + 1) % 301))).read(tokens);
          const parts = (reading) => [reading.logits, ...reading.attention, ...reading.stream];
          const apart = (a, b) => a.filter((value, i) => value !== b[i]).length;
          const count = (reading) => parts(reading).map((part, i) => apart(part, parts(slow)[i]));
          return [...count(fast), ...count(other)];
        }""",
        ids(toy.context),
    )
    assert len(differences) == 2 * (1 + 2 + 5)
    assert set(differences) == {0}


def test_where_no_module_is_compiled_the_bits_are_the_same(page, toy):
    """The loop in JavaScript, for a page that may not compile WebAssembly, is the one in it."""
    compiled, different = computed(
        page,
        """(tokens) => {
          const { Module } = WebAssembly;
          const compiled = [];
          const read = (compile) => {
            WebAssembly.Module = compile;
            return open(sent).read(tokens).logits;
          };
          const fast = read(function (bytes) {
            compiled.push(new Module(bytes));
            return compiled[0];
          });
          const plain = read(function () { throw new Error("not allowed"); });
          WebAssembly.Module = Module;
          return [compiled.length, fast.filter((value, i) => value !== plain[i]).length];
        }""",
        ids(7),
    )
    assert compiled == 1
    assert different == 0


@torch.no_grad()
def test_attention_maps_are_the_recorded_ones(page, toy):
    model, tokens = toy.build(), ids(toy.context)
    found = computed(
        page,
        """([weights, tokens]) => {
          const reading = open(weights).read(tokens);
          const row = (layer, head, t) => [...reading.weights(layer, head, t)];
          return [0, 1].map((layer) => [0, 1, 2, 3].map((head) =>
            tokens.map((_, t) => row(layer, head, t))));
        }""",
        [whole(model), tokens],
    )
    with record_attention(model) as maps:
        model(torch.tensor([tokens]))
    for layer, heads in zip(maps, found, strict=True):
        for wanted, rows in zip(layer[0], heads, strict=True):
            for t, row in enumerate(rows):
                assert (torch.tensor(row) - wanted[t, : t + 1]).abs().max() < 1e-5


@torch.no_grad()
def test_the_stream_is_what_runs_through_the_blocks(page, toy):
    model, tokens = toy.build(), ids(toy.context)
    read = "([weights, tokens]) => open(weights).read(tokens).stream.map((part) => [...part])"
    found = [
        torch.tensor(part).view(-1, 48) for part in computed(page, read, [whole(model), tokens])
    ]
    x = model.embed(torch.tensor([tokens]))
    wanted = [x[0]]
    for block in model.blocks:
        between = x + block.attention(block.attention_norm(x))
        x = block(x)
        wanted += [between[0], x[0]]
    for here, there in zip(found, wanted, strict=True):
        assert (here - there).abs().max() < 1e-4


@pytest.mark.parametrize("off", [[(0, 1)], [(1, 3)], [(0, 0), (1, 2)]])
@torch.no_grad()
def test_a_head_that_is_off_changes_the_loss_as_in_pytorch(page, off, toy):
    model, tokens = toy.build(), ids(toy.context)
    lose = """([weights, tokens, off]) => {
      const surprises = open(weights, off).read(tokens).surprises();
      return surprises.reduce((sum, value) => sum + value, 0) / surprises.length;
    }"""
    found = computed(page, lose, [whole(model), tokens, [f"{a},{b}" for a, b in off]])
    text = torch.tensor(tokens)
    every = F.cross_entropy(model(text[None])[0, :-1], text[1:]).item()
    with ablate_head(model, *off[0]), ablate_head(model, *off[-1]):
        wanted = F.cross_entropy(model(text[None])[0, :-1], text[1:]).item()
    assert abs(wanted - every) > 0.01
    assert found == pytest.approx(wanted, abs=1e-4)


# --- Writing ---------------------------------------------------------------------------------

WRITE = """([weights, tokens, length, knobs]) => {
  const stream = gpt.write(open(weights), tokens, knobs);
  return Array.from({ length }, () => stream.next().value);
}"""


@pytest.mark.parametrize("prompt", [1, 10, 24, 77])
def test_greedy_text_is_the_same(page, prompt, toy):
    """64 tokens, far beyond the context: the window moves as it does in Python."""
    model, tokens = toy.build(), ids(prompt, seed=1)
    found = computed(page, WRITE, [whole(model), tokens, 64, {"temperature": 0}])
    wanted = generate_tokens(model, torch.tensor([tokens]), 64, Sampling(temperature=0))[0, prompt:]
    assert found == wanted.tolist()
    assert len(set(found)) > 1


@pytest.mark.parametrize(
    ("seed", "knobs"),
    [
        (0, {}),
        (4, {"temperature": 0.7, "top_p": 0.9}),
        (7, {"temperature": 1.5, "top_k": 5}),
        (4_000_000_000, {"temperature": 1.2, "top_k": 40, "top_p": 0.5}),
    ],
)
def test_a_seed_writes_the_same_text_as_in_python(page, seed, knobs, toy):
    model, tokens = toy.build(), ids(5)
    names = {"temperature": "temperature", "top_k": "topK", "top_p": "topP"}
    given = {"seed": seed, **{names[name]: value for name, value in knobs.items()}}
    found = computed(page, WRITE, [whole(model), tokens, 100, given])
    wanted = generate_tokens(model, torch.tensor([tokens]), 100, Sampling(seed=seed, **knobs))[
        0, 5:
    ]
    assert found == wanted.tolist()
    other = computed(page, WRITE, [whole(model), tokens, 100, {**given, "seed": seed + 1}])
    assert found != other


def test_the_widget_s_reference_is_what_the_page_computes(page, toy):
    reference = toy.widget.reference
    assert reference["tokens"] == toy.tokenizer.encode("ROMEO:\nO, ")
    found = computed(
        page,
        "(tokens) => [...open(sent).read(tokens).scores(tokens.length - 1)]",
        reference["tokens"],
    )
    gaps = [abs(a - b) for a, b in zip(found, reference["logits"], strict=False)]
    assert len(gaps) == 32
    assert max(gaps) < 1e-4
    sent = computed(page, "sent")
    greedy = computed(page, WRITE, [sent, reference["tokens"], 64, {"temperature": 0}])
    assert greedy == reference["greedy"]
