from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
from dataclasses import replace

import psutil
import pytest
import torch
import torch.nn.functional as F

from llmlab.analysis import (
    cache_memory,
    check_memory,
    count_activations,
    count_parameters,
    free_memory,
    memory,
    memory_estimate,
    peak_memory,
)
from llmlab.models import BERTConfig, FastGPTConfig, GPTConfig, GRUConfig, build, config_to_dict

SIZES = {"vocab_size": 50, "context": 16, "layers": 2, "heads": 4, "width": 32}
TOKENS = torch.randint(50, (3, 16), generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(
    ("position", "norm", "feed_forward", "dropout"),
    [
        *itertools.product(
            ["learned", "rotary", "alibi"], ["layer", "rms"], ["gelu", "swiglu"], [0.0]
        ),
        ("learned", "layer", "relu2", 0.1),
        ("rotary", "layer", "gelu", 0.1),
    ],
)
def test_activations_agree_with_what_autograd_saves(position, norm, feed_forward, dropout):
    config = GPTConfig(
        **SIZES, position=position, norm=norm, feed_forward=feed_forward, dropout=dropout
    )
    saved = count_activations(build(config).train(), TOKENS)
    assert memory_estimate(config, batch_size=3)["activations"] == saved


@pytest.mark.parametrize("kind", [BERTConfig, FastGPTConfig])
def test_other_models_are_estimated_too(kind):
    config = kind(**SIZES)
    model = build(config).train()
    estimate = memory_estimate(config, batch_size=3)
    assert estimate["activations"] == count_activations(model, TOKENS)
    assert estimate["weights"] == 4 * count_parameters(model)


def test_activations_of_a_gpt_by_hand():
    config = GPTConfig(**SIZES)
    found = [memory_estimate(replace(config, layers=n), 1)["activations"] for n in (2, 3)]
    width, hidden, heads = 32, 128, 4
    # two norms keep their input and two numbers; attention reads D, keeps q, k, v, out and H
    # numbers; the feed-forward reads D and keeps F before and after the activation
    layer = 2 * (width + 2) + width + 4 * width + heads + width + 2 * hidden
    assert found[1] - found[0] == 4 * 16 * layer


def test_estimating_draws_no_random_number():
    torch.manual_seed(3)
    before = torch.get_rng_state()
    memory_estimate(GPTConfig(**SIZES, dropout=0.1), 3)
    assert torch.equal(torch.get_rng_state(), before)


def test_weights_and_adam_agree_with_the_tensors():
    config = GPTConfig(**SIZES)
    model = build(config)
    optimizer = torch.optim.AdamW(model.parameters())
    F.cross_entropy(model(TOKENS).flatten(0, 1), TOKENS.flatten()).backward()
    optimizer.step()
    states = [
        value.nbytes
        for state in optimizer.state.values()
        for name, value in state.items()
        if name != "step"
    ]
    estimate = memory_estimate(config, batch_size=3)
    assert estimate["weights"] == sum(p.nbytes for p in model.parameters())
    assert estimate["adam"] == sum(states)


@pytest.mark.parametrize("feed_forward", ["gelu", "swiglu"])
@pytest.mark.parametrize("norm", ["layer", "rms"])
@pytest.mark.parametrize("bias", [True, False])
def test_weights_agree_with_the_model(feed_forward: str, norm: str, bias: bool):
    config = GPTConfig(**SIZES, feed_forward=feed_forward, norm=norm, bias=bias, position="none")
    assert memory_estimate(config, 1)["weights"] == 4 * count_parameters(build(config))


def test_cache_agrees_with_a_filled_one():
    config = GPTConfig(**SIZES)
    model = build(config)
    cache = model.new_cache()
    with torch.no_grad():
        model(TOKENS, cache=cache)
    assert cache_memory(config, batch_size=3) == cache.nbytes == 4 * 2 * 2 * 32 * 3 * 16


def test_counting_a_large_model_takes_no_memory():
    config = GPTConfig(vocab_size=50_257, context=2048, layers=96, heads=96, width=12_288)
    weights = memory_estimate(config, batch_size=1)["weights"]
    assert weights == pytest.approx(4 * 175e9, rel=0.01)  # GPT-3, Brown et al. (2020), table 2.1


def test_peak_never_falls_and_sees_a_large_tensor():
    before = peak_memory()
    held = torch.zeros(before // 4 + 1_000_000)  # as many bytes again as were ever used
    assert peak_memory() > 1.5 * before
    del held
    assert peak_memory() > 1.5 * before


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda c: memory_estimate(c, batch_size=0),
            "batch_size must be an integer of at least 1: got batch_size=0.",
        ),
        (
            lambda c: memory_estimate(c, 1, time=-1),
            "time must be an integer of at least 1: got time=-1.",
        ),
        (lambda c: cache_memory(c, time=0), "time must be an integer of at least 1: got time=0."),
    ],
)
def test_sizes_below_one_are_refused(call, message: str):
    with pytest.raises(ValueError, match=message):
        call(GPTConfig(**SIZES))


def test_what_cannot_be_estimated_is_refused():
    with pytest.raises(TypeError, match=r"^config must be one of GPTConfig, .*: got dict"):
        memory_estimate({}, 1, 8)
    with pytest.raises(ValueError, match=r"^time must be given for GRUConfig"):
        memory_estimate(GRUConfig(vocab_size=5, width=4), 1)
    with pytest.raises(TypeError, match=r"^config must be of a model with a cache: got GRUConfig"):
        cache_memory(GRUConfig(vocab_size=5, width=4), time=3)


def test_free_memory_is_a_part_of_what_there_is():
    there = psutil.virtual_memory().total
    assert there / 100 < free_memory() <= there  # in bytes, then


def test_a_model_fits_or_is_refused_by_the_sum_of_its_estimate(monkeypatch):
    config = GPTConfig(**SIZES)
    needed, cpu = sum(memory_estimate(config, 3).values()), torch.device("cpu")
    monkeypatch.setattr(memory, "free_memory", lambda device: needed)
    check_memory(config, 3, cpu)
    monkeypatch.setattr(memory, "free_memory", lambda device: needed - 1)
    with pytest.raises(ValueError, match=r"^the model must fit into the .* 3 × 16 tokens"):
        check_memory(config, 3, cpu)


@pytest.mark.parametrize("kind", [GPTConfig, BERTConfig, FastGPTConfig])
def test_the_parts_are_none_below_zero(kind):
    for batch_size in (1, 40):
        assert all(part >= 0 for part in memory_estimate(kind(**SIZES), batch_size).values())


def test_the_backward_pass_needs_the_gradients_of_the_logits():
    # the logits of many tokens over many words outweigh all else: kept are the logarithms of their
    # softmax, and the fullest moment has the gradients of the loss by these and by the logits too
    config = GPTConfig(vocab_size=5000, context=64, layers=1, heads=1, width=8)
    estimate, logits = memory_estimate(config, batch_size=8), 4 * 8 * 64 * 5000
    assert estimate["activations"] >= logits
    assert estimate["passing"] == pytest.approx(2 * logits, rel=0.1)


TRAINING = """
import json, sys
import torch
from llmlab.analysis import peak_memory
from llmlab.data import RandomWindows
from llmlab.models import build, config_from_dict
from llmlab.training import TrainConfig, causal_loss, train

def run(config, batch_size):
    batches = RandomWindows(torch.arange(5000) % 50, config.context, batch_size)
    train(build(config), batches, causal_loss, TrainConfig(2, device="cpu"), progress=False)

torch.set_num_threads(1)
sizes = {"model": "gpt", "vocab_size": 50, "context": 8, "layers": 1, "heads": 1, "width": 8}
run(config_from_dict(sizes), 2)  # what every training loads
before = peak_memory()
run(config_from_dict(json.loads(sys.argv[1])), int(sys.argv[2]))
print(peak_memory() - before)
"""

# Sizes that take 250 to 500 MB: a page more or less of something else does not count beside them.
LARGE = {
    "wide": (GPTConfig(1000, 128, layers=3, heads=8, width=512), 6),
    "many words": (GPTConfig(20_000, 128, layers=1, heads=4, width=128), 6),
    "modern": (
        GPTConfig(
            500, 512, layers=2, heads=4, width=256,
            position="rotary", norm="rms", feed_forward="swiglu", bias=False,
        ),
        8,
    ),
    "dropout": (GPTConfig(500, 256, layers=4, heads=8, width=256, dropout=0.1), 6),
    "fast": (FastGPTConfig(500, 256, layers=4, heads=4, width=256, lookback=8), 8),
    "mostly weights": (GPTConfig(1000, 64, layers=4, heads=8, width=768), 1),
}  # fmt: skip


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="measures with glibc")
@pytest.mark.parametrize("name", LARGE)
def test_real_trainings_take_what_is_worked_out(name: str):
    """Without the holes, which a fixed threshold of malloc avoids: they differ from run to run."""
    config, batch_size = LARGE[name]
    command = [sys.executable, "-c", TRAINING, json.dumps(config_to_dict(config)), str(batch_size)]
    environment = os.environ | {"MALLOC_MMAP_THRESHOLD_": "65536"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    estimate = memory_estimate(config, batch_size)
    assert sum(estimate.values()) - estimate["holes"] == pytest.approx(int(done.stdout), rel=0.1)
