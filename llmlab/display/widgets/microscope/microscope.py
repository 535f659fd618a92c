"""A trained GPT in the page: write with it, look inside it, switch its heads off."""

from __future__ import annotations

import copy
from typing import Any

import torch
import traitlets
from safetensors.torch import save

from llmlab.display.sources import module, styles
from llmlab.display.widgets.shared.widget import Widget
from llmlab.inference import Sampling, generate, generate_tokens
from llmlab.models import GPT
from llmlab.training import Run

__all__ = ["Microscope"]

ACCEPTED = {"position": "rotary", "norm": "layer", "feed_forward": "gelu"}  # what gpt.js computes
TOKENIZERS = ("bpe", "byte", "char")
VIEWS = ("all", "write", "look", "step", "heads")
KNOBS = ("temperature", "top_p", "seed")
SAMPLING = Sampling(temperature=0.6, top_p=0.9, seed=1)
LENGTH = 100  # tokens written at a press of the button


class Microscope(Widget):
    """A GPT that answers in the page, without a kernel, on weights rounded to 16 bits.

    Four views: *write* continues a text; *look* shows the tokens, what may come next and every
    head's attention; *step* follows one token through the model; *heads* switches heads off.
    The same seed writes the same text here and with ``llmlab.inference.generate``.

    Args:
        model: a GPT with rotary positions, layer norm and gelu.
        tokenizer: the one it was trained with: BPE, bytes or characters.
        run: the record of its training, whose size, time and loss stand below.
        text: what it reads first.
        view: "all" of the views, or only one of them.
        title: shown above.

    Raises:
        ValueError: if the model is another one, or tokenizer or view do not fit.
        TokenizerError: if the tokenizer does not know a character of the text.
    """

    _esm = module("widgets/microscope/microscope.js")
    _css = styles(
        "widgets/shared/theme.css",
        "widgets/attention_map/attention_map.css",
        "widgets/microscope/microscope.css",
    )

    weights = traitlets.Bytes().tag(sync=True)  # safetensors, fp16
    config = traitlets.Dict().tag(sync=True)
    tokenizer = traitlets.Dict().tag(sync=True)
    knobs = traitlets.Dict().tag(sync=True)
    length = traitlets.Int(LENGTH).tag(sync=True)
    text = traitlets.Unicode().tag(sync=True)
    sample = traitlets.Unicode().tag(sync=True)  # what it writes after the text at first
    facts = traitlets.Unicode().tag(sync=True)
    view = traitlets.Unicode("all").tag(sync=True)
    reference = traitlets.Dict().tag(sync=True)  # PyTorch's numbers, to compare the page's with

    def __init__(
        self,
        model: GPT,
        tokenizer: Any,
        run: Run,
        *,
        text: str = "\n\n",
        view: str = "all",
        title: str = "A GPT in this page",
    ):
        if view not in VIEWS:
            raise ValueError(f"view must be one of {', '.join(VIEWS)}: got {view!r}.")
        _check_model(model)
        _check_tokenizer(tokenizer, model.config.vocab_size)
        rounded = {name: value.cpu().half() for name, value in model.state_dict().items()}
        for name, value in rounded.items():
            if not value.isfinite().all():
                raise ValueError(f"model must hold finite weights below 65,520: {name} does not.")
        here = copy.deepcopy(model).cpu().float().eval()  # what the page computes with
        here.load_state_dict(rounded)
        facts = _facts(run, sum(value.nbytes for value in rounded.values()))
        super().__init__(
            weights=save(rounded),
            config=vars(model.config),
            tokenizer=tokenizer.to_dict(),
            knobs={name: getattr(SAMPLING, name) for name in KNOBS},
            text=text,
            sample=generate(here, tokenizer, text, LENGTH, SAMPLING),
            facts=facts,
            description=f"A GPT that goes on with any text and can be looked into: {facts}",
            view=view,
            title=title,
            reference=_reference(here, tokenizer, text),
        )


def _check_model(model: Any) -> None:
    accepted = " and ".join(f"{name}={value!r}" for name, value in ACCEPTED.items())
    sentence = f"model must be a GPT with {accepted.replace(' and ', ', ', 1)}: got "
    if not isinstance(model, GPT):
        raise ValueError(f"{sentence}{type(model).__name__}.")
    for name, value in ACCEPTED.items():
        found = getattr(model.config, name)
        if found != value:
            raise ValueError(f"{sentence}{name}={found!r}.")


def _check_tokenizer(tokenizer: Any, vocab_size: int) -> None:
    kind, size = getattr(tokenizer, "kind", None), getattr(tokenizer, "vocab_size", None)
    if kind not in TOKENIZERS or size != vocab_size:
        raise ValueError(
            f"tokenizer must be a BPETokenizer, ByteTokenizer or CharTokenizer with the model's "
            f"vocab_size={vocab_size}: got {type(tokenizer).__name__} with vocab_size={size}."
        )


def _facts(run: Run, size: int) -> str:
    """What the model is and what it cost, in one sentence."""
    held_out = any("validation_loss" in line for line in run.lines)
    column, name = ("validation_loss", "held-out") if held_out else ("loss", "training")
    device = run.device.replace("cpu", "a CPU").replace("(1 threads)", "(1 thread)")
    return (
        f"{run.parameters:,} parameters in {size / 1e6:.1f} MB, trained for {run.step:,} steps in "
        f"{run.lines[-1]['seconds']:.0f} s on {device}; "
        f"{name} loss {run.final(column):.2f} nats per token."
    )


@torch.no_grad()
def _reference(model: GPT, tokenizer: Any, text: str) -> dict:
    """A greedy continuation, and scores of the token after the text, as PyTorch computes them."""
    ids = torch.tensor([tokenizer.encode(text or "\n")[-model.config.context :]])
    written = generate_tokens(model, ids, 64, Sampling(temperature=0))[0, ids.shape[1] :]
    return {
        "tokens": ids[0].tolist(),
        "greedy": written.tolist(),
        "logits": [round(score, 6) for score in model(ids)[0, -1, :32].tolist()],
    }
