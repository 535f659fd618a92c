import pytest
import torch
from torch.nn import functional as F

from llmlab.inference import linear as module
from llmlab.inference.linear import MANY_WEIGHTS, QuickProducts, SlicedLinear
from llmlab.models import GPT, GPTConfig


@pytest.fixture
def sliced(monkeypatch) -> list[int]:
    """Notes of how many slices products were made, a last single one aside."""
    taken: list[int] = []
    plain = module._product

    def counted(rows, matrices, bias):
        if len(matrices) > 1:
            taken.append(len(matrices))
        return plain(rows, matrices, bias)

    monkeypatch.setattr(module, "_product", counted)
    return taken


def weights(outputs: int, width: int) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(outputs, width, generator=generator), torch.randn(
        outputs, generator=generator
    )


def test_two_slices_by_hand():
    weight = torch.tensor([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])  # two slices of one row, one left
    x, bias = torch.tensor([[1.0, 10.0]]), torch.tensor([0.5, 0.0, -1.0])
    layer = SlicedLinear(weight, bias)
    layer._parts = module._cut(weight, bias, slices=2)
    assert [len(matrices) for matrices, _ in layer._parts] == [2, 1]
    with torch.no_grad():
        assert layer(x).tolist() == [[21.5, 43.0, 64.0]]


@pytest.mark.parametrize("shape", [(512,), (1, 512), (4, 1, 512), (2, 32, 512)])
@pytest.mark.parametrize("outputs", [512, 523])
@pytest.mark.parametrize("biased", [True, False])
def test_slices_change_the_last_bits_alone(sliced, shape, outputs, biased):
    weight, bias = weights(outputs, 512)
    x = torch.randn(shape, generator=torch.Generator().manual_seed(1))
    bias = bias if biased else None
    with torch.no_grad():
        found = SlicedLinear(weight, bias)(x)
    assert sliced
    assert found.is_contiguous()  # PyTorch's fused attention asks for it
    torch.testing.assert_close(found, F.linear(x, weight, bias), atol=1e-4, rtol=1e-5)


def test_training_and_many_products_are_the_plain_ones(sliced):
    weight, bias = (part.requires_grad_() for part in weights(512, 512))
    layer, x = SlicedLinear(weight, bias), torch.ones(1, 512)
    layer(x).sum().backward()  # gradients are on
    assert torch.equal(weight.grad, torch.ones(512, 512))
    assert torch.equal(bias.grad, torch.ones(512))
    with torch.no_grad():
        many = torch.ones(module.FEW_VECTORS + 1, 512)
        assert torch.equal(layer(many), F.linear(many, weight, bias))
    assert not sliced


def test_the_slices_follow_the_weights():
    layer = torch.nn.Linear(512, 600)
    sliced, x = SlicedLinear(layer.weight, layer.bias), torch.ones(2, 512)
    with torch.no_grad():
        layer.weight.mul_(3.0)
        layer.bias.add_(1.0)
        torch.testing.assert_close(sliced(x), layer(x), atol=1e-4, rtol=1e-5)


def test_a_models_large_layers_and_head_are_called_so_and_afterwards_as_before(sliced):
    model = GPT(GPTConfig(600, 8, layers=1, heads=2, width=512)).eval()
    tokens = torch.arange(3)[None]
    keys = model.state_dict().keys()
    with torch.no_grad():
        plain = model(tokens)
        assert not sliced
        with QuickProducts(model):
            torch.testing.assert_close(model(tokens), plain, atol=1e-5, rtol=1e-5)
            assert model.state_dict().keys() == keys
        assert len(sliced) == 4 + 2 + 1  # attention, feed-forward, head
        assert torch.equal(model(tokens), plain)
    assert len(sliced) == 7


def test_an_error_inside_leaves_the_model_as_it_was():
    model = GPT(GPTConfig(600, 8, layers=1, heads=2, width=512))
    with pytest.raises(ValueError, match="tokens must be at most"), QuickProducts(model):
        model(torch.zeros(1, 9, dtype=torch.long))
    assert all("forward" not in vars(module) for module in model.modules())


def test_small_layers_and_layers_of_ones_own_are_left_alone():
    class Own(torch.nn.Linear):
        """A layer with a forward of its own."""

    few = torch.nn.Linear(512, MANY_WEIGHTS // 512 - 1)
    model = torch.nn.Sequential(torch.nn.Linear(8, 8), few, Own(512, 512))
    model.append(torch.nn.Linear(512, 512, dtype=torch.float64))
    with QuickProducts(model):
        assert all("forward" not in vars(module) for module in model)
