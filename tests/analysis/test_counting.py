from __future__ import annotations

import pytest
import torch
from torch import nn

from llmlab.analysis import (
    count_flops,
    count_parameters,
    flop_formula,
    memory_estimate,
    parameter_formula,
    parameter_table,
    record_attention,
)
from llmlab.models import BERTConfig, GPTConfig, GRUConfig, build

TINY = {"vocab_size": 11, "context": 12, "layers": 2, "heads": 2, "width": 8}


def tokens(batch: int, time: int) -> torch.Tensor:
    return torch.randint(11, (batch, time), generator=torch.Generator().manual_seed(0))


def test_parameters_of_a_gpt_worked_out_by_hand():
    # a block: norms 2·(8+8), attention 8·24+24 + 8·8+8, feed-forward 8·32+32 + 32·8+8
    block = 32 + 216 + 72 + 288 + 264
    model = build(GPTConfig(**TINY))
    assert count_parameters(model) == 11 * 8 + 12 * 8 + 2 * block + 16
    assert count_parameters(model, embeddings=False) == 2 * block + 16


def test_formula_is_the_model_without_small_parts():
    config = GPTConfig(**TINY, position="none", norm="rms", bias=False)
    norms = 5 * 8
    assert parameter_formula(config) == 12 * 2 * 64 + 88
    assert count_parameters(build(config)) == parameter_formula(config) + norms


def test_formula_gives_gpt2_within_one_percent():
    # Radford et al. (2019) named it 117 M; with its 50,257 tokens it has 124 M
    config = GPTConfig(vocab_size=50_257, context=1024, layers=12, heads=12, width=768)
    assert memory_estimate(config, 1)["weights"] == 4 * 124_439_808
    assert parameter_formula(config) == pytest.approx(124_439_808, rel=0.01)


def test_table_of_a_gpt():
    model = build(GPTConfig(**TINY))
    assert parameter_table(model) == {
        "token embedding": 88,
        "position embedding": 96,
        "norms": 5 * 16,
        "attention": 2 * 288,
        "feed-forward": 2 * 552,
    }


@pytest.mark.parametrize(
    "config", [GPTConfig(**TINY), BERTConfig(**TINY), GRUConfig(vocab_size=11, width=8)]
)
def test_table_sums_to_the_count(config):
    model = build(config)
    assert sum(parameter_table(model).values()) == count_parameters(model)


def test_table_of_bert_keeps_its_head_apart():
    head = parameter_table(build(BERTConfig(**TINY)))["head"]
    assert head == 8 * 8 + 8 + 2 * 8 + 11  # transform, norm, bias a token


def test_flops_of_any_function():
    def product(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        return a @ b

    assert count_flops(product, torch.ones(3, 5), torch.ones(5, 7)) == 2 * 3 * 5 * 7


def test_shared_weights_count_once():
    layer = nn.Linear(3, 3, bias=False)
    assert count_parameters(nn.Sequential(layer, layer)) == 9


@pytest.mark.parametrize("feed_forward", ["gelu", "swiglu", "relu2"])
@pytest.mark.parametrize("position", ["learned", "rotary", "alibi"])
def test_flops_of_gpt_agree_with_the_counter(feed_forward: str, position: str):
    config = GPTConfig(**TINY, feed_forward=feed_forward, position=position)
    assert count_flops(build(config), tokens(3, 12)) == flop_formula(config, 12, batch_size=3)


def test_flops_of_bert_agree_with_the_counter():
    config = BERTConfig(**TINY)
    assert count_flops(build(config), tokens(2, 7)) == flop_formula(config, 7, batch_size=2)


def test_flops_by_hand():
    # one token, one layer: 2·(4·64 + 8·64) for the block, 4·1·8 for attention, 2·88 for logits
    config = GPTConfig(**(TINY | {"layers": 1}))
    assert flop_formula(config, time=1) == 2 * 12 * 64 + 4 * 8 + 2 * 88


def test_readable_attention_costs_what_the_fused_one_does():
    model = build(GPTConfig(**TINY))
    with record_attention(model):
        readable = count_flops(model, tokens(1, 12))
    assert readable == count_flops(model, tokens(1, 12))


def test_attention_is_the_quadratic_part():
    config = GPTConfig(**TINY)
    linear = 2 * flop_formula(config, 6)
    assert flop_formula(config, 12) - linear == 2 * 4 * 8 * (12 * 12 - 2 * 6 * 6)


@pytest.mark.parametrize("sizes", [{"time": 0}, {"time": 4, "batch_size": -1}])
def test_sizes_below_one_are_refused(sizes: dict):
    with pytest.raises(
        ValueError, match=f"^{list(sizes)[-1]} must be an integer of at least 1: got"
    ):
        flop_formula(GPTConfig(**TINY), **sizes)


def test_flops_of_a_recurrent_model_are_not_this_formula():
    with pytest.raises(
        TypeError, match=r"^config must be a GPTConfig or a BERTConfig: got a GRUConfig\.$"
    ):
        flop_formula(GRUConfig(vocab_size=11, width=8), 4)
