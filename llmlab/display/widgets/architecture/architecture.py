"""A GPT as one picture: its parts in build order, and the shape of what each of them returns."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace

import torch
import traitlets
from torch import nn

from llmlab.display.sources import module, styles
from llmlab.display.widgets.shared.widget import Widget
from llmlab.models.gpt import GPT, GPTConfig

__all__ = ["Architecture"]

POSITION = {
    "learned": "A row of a second table, one for each position, is added.",
    "sinusoidal": "Sines and cosines of the position are added; they are not trained.",
}
SCORES = {
    "rotary": "queries and keys are turned by their positions; ",
    "alibi": "each score loses a slope times the distance; ",
}


class Architecture(Widget):
    """The parts of a GPT beside its stream: choose one for its shapes, weights and line of code.

    Every shape is read off a model of ``config`` that has run on ``batch`` sequences of ``time``
    tokens, the whole context unless given, on PyTorch's meta device, where a tensor has a shape
    and no contents. Raises ValueError where a size is not positive or the tokens do not fit.
    """

    _esm = module("widgets/architecture/architecture.js")
    _css = styles("widgets/shared/theme.css", "widgets/architecture/architecture.css")

    parts = traitlets.List(traitlets.Dict()).tag(sync=True)  # Part, as a dict
    layers = traitlets.Int().tag(sync=True)
    chosen = traitlets.Int(0).tag(sync=True)

    def __init__(
        self, config: GPTConfig, *, batch: int = 8, time: int | None = None, title: str = ""
    ):
        time = config.context if time is None else time
        if batch < 1 or not 1 <= time <= config.context:
            raise ValueError(
                f"batch must be positive and time from 1 to context={config.context}: "
                f"got {batch=}, {time=}."
            )
        parts = _parts(_Traced(config, batch, time))
        steps = "; ".join(f"{part.name} ({part.shape})" for part in parts)
        super().__init__(
            parts=[asdict(part) for part in parts],
            layers=config.layers,
            title=title or "A GPT, part by part",
            description=f"A GPT of {config.layers} blocks, from tokens to logits: {steps}.",
        )


@dataclass(frozen=True)
class Part:
    """One part of the picture.

    ``place`` says how it stands to the stream: "under" or "over" it, "in" it, "read" from it,
    "beside" it, or "add"; ``inside`` lists what happens within: (what, shape, sizes) each.
    """

    name: str
    kind: str
    place: str
    shape: str  # letters, "B, T, D"
    sizes: tuple[int, ...]  # the same as numbers
    weights: int
    text: str
    code: str  # a line of the package's own source
    block: bool = False  # whether every block has one
    inside: tuple[tuple[str, str, tuple[int, ...]], ...] = ()


class _Traced:
    """A GPT without contents, and the shape of everything it makes on its way."""

    def __init__(self, config: GPTConfig, batch: int, time: int):
        self.config = config
        self.tokens = (batch, time)
        self.shapes: dict[str, tuple[int, ...]] = {}
        with torch.device("meta"):
            self.model = GPT(config)
            tokens = torch.zeros(batch, time, dtype=torch.int64)
        for name, part in self.model.named_modules():
            part.register_forward_hook(self._note(name))
        attention = self.model.blocks[0].attention
        attention.kernel = self._listen(attention.kernel)
        self.shapes["logits"] = tuple(self.model(tokens).shape)

    def weights(self, part: nn.Module | None) -> int:
        return 0 if part is None else sum(weight.numel() for weight in part.parameters())

    def _note(self, name: str):
        def hook(part, inputs, output):
            self.shapes[name] = tuple(output.shape)

        return hook

    def _listen(self, kernel):
        def listening(q, k, v, **options):
            out = kernel(q, k, v, **options)
            self.shapes |= {"heads": tuple(q.shape), "gathered": tuple(out.shape)}
            self.shapes["scores"] = tuple((q @ k.transpose(-1, -2)).shape)
            return out

        return listening


def _parts(traced: _Traced) -> list[Part]:
    """From the tokens to the logits; the blocks are alike, so one stands for all."""
    return [*_before_the_blocks(traced), *_block(traced), *_after_the_blocks(traced)]


def _before_the_blocks(traced: _Traced) -> list[Part]:
    model, config, shapes = traced.model, traced.config, traced.shapes
    parts = [
        Part("tokens", "edge", "under", "B, T", traced.tokens, 0,
             f"Whole numbers from 0 to V − 1 = {config.vocab_size - 1:,}: which entry of the "
             "vocabulary stands at each place of each text.",
             "def forward(self, tokens: torch.Tensor"),
        Part("token table", "table", "in", "B, T, D", shapes["token_embedding"],
             traced.weights(model.token_embedding),
             "Each number becomes the row of the table that stands for it. With these vectors "
             "the stream begins.",
             "x = self.token_embedding(tokens)"),
    ]  # fmt: skip
    if model.position_embedding is not None:
        parts.append(
            Part("positions", "table", "in", "B, T, D", shapes["token_embedding"],
                 traced.weights(model.position_embedding), POSITION[config.position],
                 "x = x + self.position_embedding(tokens.shape[1], start)")
        )  # fmt: skip
    return parts


def _block(traced: _Traced) -> list[Part]:
    block, shapes = traced.model.blocks[0], traced.shapes
    stream = ("B, T, D", shapes["blocks.0"])
    attention, feed_forward = block.attention, block.feed_forward
    parts = [
        Part("attention norm", "norm", "read", *stream, traced.weights(block.attention_norm),
             "A copy of the stream, each token brought to one size. The stream itself stays as it "
             "is.",
             "x = x + self.attention(self.attention_norm(x), mask, cache)"),
        Part("attention", "attention", "beside", *stream, traced.weights(attention),
             "The only place where tokens meet: each gathers from itself and those before it.",
             "out = self._attend(q, k, v, mask)", inside=_inside_attention(traced)),
        Part("add", "add", "add", *stream, 0,
             "What attention wrote is added to the stream, which so keeps all that was in it.",
             "x = x + self.attention(self.attention_norm(x), mask, cache)"),
        Part("feed-forward norm", "norm", "read", *stream,
             traced.weights(block.feed_forward_norm),
             "Another norm with weights of its own, for the second part.",
             "return x + self.feed_forward(self.feed_forward_norm(x))"),
        Part("feed-forward", "feed_forward", "beside", *stream, traced.weights(feed_forward),
             "Each token alone: widen, bend, narrow again.",
             "return x + self.feed_forward(self.feed_forward_norm(x))",
             inside=_inside_feed_forward(traced)),
        Part("add", "add", "add", *stream, 0,
             "Added as well. The block hands on what it was handed, plus two terms.",
             "return x + self.feed_forward(self.feed_forward_norm(x))"),
    ]  # fmt: skip
    return [replace(part, block=True) for part in parts]


def _inside_attention(traced: _Traced) -> tuple:
    shapes, turned = traced.shapes, SCORES.get(traced.config.position, "")
    return (
        ("queries, keys and values: three matrices", "B, T, D", shapes["blocks.0.attention.query"]),
        ("each cut into H heads", "B, H, T, K", shapes["heads"]),
        (f"{turned}scores, softmax", "B, H, T, T", shapes["scores"]),
        ("weighted means of the values", "B, H, T, K", shapes["gathered"]),
        ("heads side by side again, a fourth matrix", "B, T, D", shapes["blocks.0.attention"]),
    )


def _inside_feed_forward(traced: _Traced) -> tuple:
    shapes, name = traced.shapes, "blocks.0.feed_forward"
    first = ("widened to F, then bent", "B, T, F", shapes[f"{name}.expand"])
    if f"{name}.gate" in shapes:
        first = ("widened to F, times a gate of as many", *first[1:])
    return (first, ("narrowed back", "B, T, D", shapes[name]))


def _after_the_blocks(traced: _Traced) -> list[Part]:
    return [
        Part("last norm", "norm", "in", "B, T, D", traced.shapes["norm"],
             traced.weights(traced.model.norm),
             "The sum of all that was written. Here it is normed itself, once.",
             "return self.norm(x)"),
        Part("logits", "edge", "over", "B, T, V", traced.shapes["logits"], 0,
             "The token table read backwards: the product of each vector with every row, a score "
             "for every token that could come next. It has no weights of its own.",
             "return self.token_embedding.logits(features)"),
    ]  # fmt: skip
