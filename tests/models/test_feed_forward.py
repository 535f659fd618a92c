import math

import pytest
import torch
from torch.nn import functional as F

from llmlab.models import FeedForward, SwiGLU
from llmlab.models.feed_forward import (
    feed_forward_named,
    gelu,
    gelu_tanh,
    hidden_width,
    squared_relu,
)


def test_activations_by_hand():
    x = torch.tensor([-1.0, 0.0, 1.0])
    phi = 0.5 * (1 + math.erf(1 / math.sqrt(2)))  # 0.8413, of a normal variable below 1
    torch.testing.assert_close(gelu(x), torch.tensor([phi - 1, 0.0, phi]))
    torch.testing.assert_close(gelu_tanh(x), gelu(x), atol=5e-4, rtol=0)
    assert squared_relu(torch.tensor([-2.0, 3.0])).tolist() == [0.0, 9.0]


def test_feed_forward_by_hand():
    layer = FeedForward(1, 2, squared_relu)
    layer.expand.weight.data = torch.tensor([[1.0], [-1.0]])
    layer.expand.bias.data = torch.tensor([0.0, 1.0])
    layer.output.weight.data = torch.tensor([[2.0, 5.0]])
    layer.output.bias.data = torch.tensor([0.5])
    # 3 → (3, -2) → (9, 0) → 2·9 + 5·0 + 0.5
    assert layer(torch.tensor([[[3.0]]])).item() == 18.5


def test_swiglu_by_hand():
    layer = SwiGLU(1, 1, bias=False)
    layer.gate.weight.data = torch.tensor([[1.0]])
    layer.expand.weight.data = torch.tensor([[3.0]])
    layer.output.weight.data = torch.tensor([[10.0]])
    # silu(1) × 3 × 10, with silu(1) = 1 / (1 + e^-1)
    assert layer(torch.ones(1, 1, 1)).item() == pytest.approx(30 / (1 + math.exp(-1)))


def test_swiglu_written_out():
    layer = SwiGLU(6, 10)
    x = torch.randn(2, 3, 6, generator=torch.Generator().manual_seed(0))
    gate, expand = layer.gate, layer.expand
    gated = F.silu(x @ gate.weight.T + gate.bias)
    hidden = gated * (x @ expand.weight.T + expand.bias)
    torch.testing.assert_close(layer(x), layer.output(hidden))


@pytest.mark.parametrize("name", ["gelu", "gelu_tanh", "relu2", "swiglu"])
def test_each_token_is_worked_on_alone(name):
    layer = feed_forward_named(name, 8)
    x = torch.randn(2, 5, 8, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(layer(x)[:, 3], layer(x[:, 3:4])[:, 0])


def test_swiglu_is_about_as_large_as_the_others():
    assert hidden_width("gelu", 128) == 512
    assert hidden_width("swiglu", 128) == 344  # 341.3 to the next multiple of 8
    sizes = [
        sum(p.numel() for p in feed_forward_named(name, 128, bias=False).parameters())
        for name in ("gelu", "swiglu")
    ]
    assert sizes == [2 * 128 * 512, 3 * 128 * 344]
    assert sizes[1] == pytest.approx(sizes[0], rel=0.02)


def test_unknown_feed_forward():
    accepted = "feed_forward must be one of gelu, gelu_tanh, relu2, swiglu: got feed_forward='mlp'"
    with pytest.raises(ValueError, match=accepted):
        feed_forward_named("mlp", 8)


@pytest.mark.parametrize("make", [lambda: FeedForward(8, 0, gelu), lambda: SwiGLU(8, -2)])
def test_hidden_width_must_be_positive(make):
    with pytest.raises(ValueError, match="hidden must be an integer of at least 1"):
        make()
