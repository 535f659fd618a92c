"""Attention weights and ablated heads, seen from outside the model."""

import pytest
import torch

from llmlab.analysis import ablate_head, record_attention
from llmlab.models import (
    BERT,
    GPT,
    BERTConfig,
    GPTConfig,
    GRUConfig,
    MultiHeadAttention,
    build,
)


@pytest.fixture
def random():
    generator = torch.Generator().manual_seed(0)
    return lambda *shape: torch.randn(*shape, generator=generator)


def test_recorded_maps_are_causal_distributions():
    model = GPT(GPTConfig(11, 8, 3, 2, 8))
    with record_attention(model) as maps:
        model(torch.randint(11, (4, 6)))
    assert [m.shape for m in maps] == [(4, 2, 6, 6)] * 3
    for weights in maps:
        torch.testing.assert_close(weights.sum(-1), torch.ones(4, 2, 6))
        assert weights.triu(1).abs().max() == 0
        assert not weights.requires_grad


def test_a_second_call_replaces_the_maps():
    model = BERT(BERTConfig(11, 8, 2, 2, 8))
    with record_attention(model) as maps:
        model(torch.randint(11, (1, 3)))
        model(torch.randint(11, (1, 5)))
    assert [m.shape[-1] for m in maps] == [5, 5]


def test_recording_ends_even_after_an_error():
    model = GPT(GPTConfig(11, 8, 2, 2, 8))
    with pytest.raises(RuntimeError, match="stop"), record_attention(model):
        raise RuntimeError("stop")
    kernels = {block.attention.kernel for block in model.blocks}
    assert kernels == {torch.nn.functional.scaled_dot_product_attention}


def test_ablating_a_head_removes_its_part(random):
    attention = MultiHeadAttention(12, 3)
    x = random(2, 5, 12)
    whole = attention(x)
    with ablate_head(attention, 0, 1):
        without = attention(x)
    # Features 4 to 7 of the concatenated heads are head 1's: cut those columns of the mixer.
    attention.output.weight.data[:, 4:8] = 0
    torch.testing.assert_close(without, attention(x))
    assert not torch.allclose(whole, without)


def test_ablations_nest_and_are_undone():
    model = GPT(GPTConfig(11, 8, 2, 2, 8))
    attention = model.blocks[1].attention
    x = torch.randn(1, 4, 8)
    whole = attention(x)
    with ablate_head(model, 1, 0):
        with ablate_head(model, 1, 1):
            assert torch.equal(attention(x), torch.zeros(1, 4, 8) + attention.output.bias)
        assert not torch.equal(attention(x), whole)
    assert torch.equal(attention(x), whole)
    with pytest.raises(RuntimeError, match="stop"), ablate_head(model, 1, 0):
        raise RuntimeError("stop")
    assert torch.equal(attention(x), whole)


@pytest.mark.parametrize(
    ("layer", "head", "sentence"),
    [
        (2, 0, "layer must be from 0 to 1: got layer=2"),
        (-1, 0, "layer must be from 0 to 1: got layer=-1"),
        (0, 2, "head must be from 0 to 1: got head=2"),
        (0, -1, "head must be from 0 to 1: got head=-1"),
    ],
)
def test_no_such_head(layer, head, sentence):
    model = GPT(GPTConfig(11, 8, 2, 2, 8))
    with pytest.raises(ValueError, match=sentence), ablate_head(model, layer, head):
        pass


def test_a_model_without_attention():
    model = build(GRUConfig(11, 8))
    with (
        pytest.raises(ValueError, match="model must hold attention: got GRULanguageModel"),
        record_attention(model),
    ):
        pass
