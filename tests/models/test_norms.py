import pytest
import torch
from torch import nn

from llmlab.models import LayerNorm, RMSNorm, layer_norm, rms_norm
from llmlab.models.norms import norm_named


@pytest.fixture
def x():
    return 3 + 2 * torch.randn(2, 5, 12, generator=torch.Generator().manual_seed(0))


def test_layer_norm_by_hand():
    # Mean 4, variance (9 + 1 + 1 + 9) / 4 = 5.
    x = torch.tensor([1.0, 3.0, 5.0, 7.0])
    expected = torch.tensor([-3.0, -1.0, 1.0, 3.0]) / 5**0.5
    torch.testing.assert_close(layer_norm(x, torch.ones(4), epsilon=0.0), expected)


def test_rms_norm_by_hand():
    # Mean square (1 + 49 + 25 + 25) / 4 = 25.
    x = torch.tensor([1.0, 7.0, 5.0, -5.0])
    expected = torch.tensor([0.2, 1.4, 1.0, -1.0])
    torch.testing.assert_close(rms_norm(x, torch.ones(4), epsilon=0.0), expected)


@pytest.mark.parametrize("bias", [True, False])
def test_layer_norm_agrees_with_pytorch(x, bias):
    theirs = nn.LayerNorm(12, bias=bias)
    for parameter in theirs.parameters():
        nn.init.normal_(parameter)
    ours = LayerNorm(12, bias=bias)
    ours.load_state_dict(theirs.state_dict())
    torch.testing.assert_close(ours(x), theirs(x))
    torch.testing.assert_close(layer_norm(x, ours.weight, ours.bias), theirs(x))


def test_rms_norm_agrees_with_pytorch(x):
    theirs = nn.RMSNorm(12, eps=1e-5)
    nn.init.normal_(theirs.weight)
    ours = RMSNorm(12)
    ours.load_state_dict(theirs.state_dict())
    torch.testing.assert_close(ours(x), theirs(x))
    torch.testing.assert_close(rms_norm(x, ours.weight), theirs(x))


def test_scale_does_not_matter_and_shift_only_to_rms(x):
    layer, rms = norm_named("layer", 12), norm_named("rms", 12)
    torch.testing.assert_close(layer(100 * x + 7), layer(x), atol=1e-4, rtol=0)
    torch.testing.assert_close(rms(100 * x), rms(x), atol=1e-4, rtol=0)
    assert not torch.allclose(rms(x + 7), rms(x), atol=0.1)


def test_unknown_norm():
    with pytest.raises(ValueError, match="norm must be one of layer, rms: got norm='batch'"):
        norm_named("batch", 8)


@pytest.mark.parametrize("make", [LayerNorm, RMSNorm])
def test_width_must_be_positive(make):
    with pytest.raises(ValueError, match="width must be an integer of at least 1: got width=0"):
        make(0)
