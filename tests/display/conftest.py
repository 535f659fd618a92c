"""Toy runs and maps, and a browser that mounts widgets as a page without a kernel does."""

from __future__ import annotations

import base64
import json
from functools import cache
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from llmlab.data import BPETokenizer
from llmlab.display import Microscope
from llmlab.models import GPT, GPTConfig

ADDRESS = "https://widgets.test/"  # nothing leaves the machine: the test answers for it

# A new tab finds nothing that another has kept; a reload finds what its own has.
NEW_READER = """if (location.href === "ADDRESS" && !sessionStorage.known) {
  localStorage.clear();
  sessionStorage.known = "yes";
}"""

HARNESS = """<!doctype html><html lang="en" data-theme="THEME"><meta charset="utf-8">
<title>widgets</title><meta name="viewport" content="width=device-width, initial-scale=1">
<style>body { margin: 16px; font: 16px/1.5 system-ui, sans-serif; background: BACK; color: INK; }
</style><body><main></main><script type="application/json" id="data">DATA</script>
<script type="module">
window.models = []; window.stops = [];
function shim(state) {
  const heard = {};
  return {
    get: (name) => state[name],
    set(name, value) {
      state[name] = value;
      for (const act of [...(heard[`change:${name}`] || [])]) act();
    },
    on: (event, act) => (heard[event] ??= []).push(act),
    off: (event, act) => { heard[event] = (heard[event] || []).filter((other) => other !== act); },
    save_changes() {},
    count: () => Object.values(heard).flat().length,
  };
}
const view = (text) => new DataView(Uint8Array.from(atob(text), (c) => c.charCodeAt(0)).buffer);
window.view = view;
for (const { state, bytes, esm, css } of JSON.parse(document.getElementById("data").textContent)) {
  document.head.append(Object.assign(document.createElement("style"), { textContent: css }));
  for (const [name, text] of Object.entries(bytes)) state[name] = view(text);
  const model = shim(state);
  const el = document.createElement("div");
  document.querySelector("main").append(el);
  const address = URL.createObjectURL(new Blob([esm], { type: "text/javascript" }));
  const { default: widget } = await import(address);
  window.stops.push(widget.render({ model, el }));
  window.models.push(model);
}
window.ready = true;
</script></body></html>"""


def _pack(widget) -> dict:
    state, contents = {}, {}
    for name in widget.keys:
        value = getattr(widget, name)
        if isinstance(value, bytes):
            contents[name] = base64.b64encode(value).decode()
        elif not name.startswith("_") and name not in ("layout", "comm", "tabbable", "tooltip"):
            state[name] = value
    esm, css = str(widget._esm), str(widget._css)
    return {"state": state, "bytes": contents, "esm": esm, "css": css}


@pytest.fixture(scope="session")
def context(browser):
    """Where pages are opened."""
    with browser.new_context() as context:
        context.add_init_script(NEW_READER.replace("ADDRESS", ADDRESS))
        yield context


@pytest.fixture
def mount(context):
    """Mount widgets on a page; when the test ends, no error and no request may have happened."""
    said, pages = [], []

    def open_page(*widgets, dark: bool = False, width: int = 800):
        data = json.dumps([_pack(widget) for widget in widgets]).replace("</", "<\\/")
        back, ink = ("#121212", "#ced6dd") if dark else ("#ffffff", "#222222")
        text = HARNESS.replace("THEME", "dark" if dark else "light")
        text = text.replace("BACK", back).replace("INK", ink).replace("DATA", data)
        page = context.new_page()
        page.route(ADDRESS, lambda route: route.fulfill(body=text, content_type="text/html"))
        page.set_viewport_size({"width": width, "height": 900})
        pages.append(page)
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("request", lambda request: _note_request(request.url, said))
        page.goto(ADDRESS)
        page.wait_for_function("window.ready")
        return page

    yield open_page
    for page in pages:
        page.close()
    assert said == []


def _note_request(address: str, said: list[str]) -> None:
    if address != ADDRESS and not address.startswith(("blob:", "data:")):
        said.append(f"request to {address}")


@pytest.fixture
def make_run():
    """A made-up run record that falls from 4 to about ``floor``."""

    def make(name="gpt", seed=0, floor=1.5, steps=60, every=20):
        noise = np.random.default_rng(seed).normal(0, 0.02, steps + 1)
        lines = []
        for step in range(steps + 1):
            loss = floor + (4 - floor) * float(np.exp(-step / 15)) + float(noise[step])
            line = {"step": step, "tokens": step * 512, "seconds": step * 0.1}
            if step:
                line["loss"] = loss
            if step % every == 0:
                line["validation_loss"] = loss + 0.1
            lines.append(line)
        return SimpleNamespace(name=name, lines=lines)

    return make


@pytest.fixture
def make_maps():
    """Causal attention of L layers and H heads over T tokens; rows sum to 1."""

    def make(L=2, H=3, T=5, seed=0):
        scores = np.random.default_rng(seed).normal(0, 2, (L, H, T, T)).astype(np.float32)
        scores = np.where(np.tri(T, dtype=bool), np.exp(scores), 0)
        return list(scores / scores.sum(-1, keepdims=True))

    return make


# --- A small GPT for the microscope ----------------------------------------------------------

PLAY = """ROMEO:
But soft! what light through yonder window breaks? It is the east, and Juliet is the sun.
JULIET:
O Romeo, Romeo! wherefore art thou Romeo? Deny thy father and refuse thy name.
"""
CONTEXT = 24
MODULE = """async () => {
  const [{ state, bytes, esm }] = JSON.parse(document.getElementById("data").textContent);
  const address = URL.createObjectURL(new Blob([esm], { type: "text/javascript" }));
  window.gpt = await import(address);
  window.tokenizer = gpt.makeTokenizer(state.tokenizer);
  window.open = (weights, off = []) =>
    new gpt.Reading(new gpt.GPT(state.config, view(weights)), off);
  window.sent = bytes.weights;
}"""


def build_gpt(vocab_size: int = 301) -> GPT:
    """A GPT with opinions: untrained weights, but large ones."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = GPT(GPTConfig(vocab_size, CONTEXT, 2, heads=4, width=48, position="rotary")).eval()
        for parameter in model.parameters():
            parameter.data += 0.2 * torch.randn(parameter.shape)
    return model


@cache
def _toy() -> SimpleNamespace:
    line = {"step": 9, "seconds": 3.6, "loss": 3.21, "validation_loss": 3.45}
    run = SimpleNamespace(
        lines=[line], step=9, parameters=71_000, device="cpu (2 threads)", final=line.get
    )
    tokenizer = BPETokenizer.train(PLAY, 301)  # an odd number of tokens
    return SimpleNamespace(
        build=build_gpt,
        tokenizer=tokenizer,
        run=run,
        widget=Microscope(build_gpt(), tokenizer, run, text="ROMEO:\nO, "),
        context=CONTEXT,
        play=PLAY,
    )


@pytest.fixture
def toy() -> SimpleNamespace:
    """A function that builds a small GPT, its tokenizer, a run record, and a Microscope of all."""
    return _toy()


@pytest.fixture
def page(mount, toy):
    """The microscope on a page, with its module at hand as ``gpt``."""
    page = mount(toy.widget)
    page.evaluate(MODULE)
    return page
