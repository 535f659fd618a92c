"""The package's own functions are correct answers to the exercises: the two agree."""

from __future__ import annotations

import numpy as np
import torch
from torch.nn import functional

from llmlab.data import mask_tokens
from llmlab.data.bpe import merge_pair
from llmlab.exercises import check
from llmlab.inference import Sampling, next_token_probabilities
from llmlab.models import (
    GPT,
    GPTConfig,
    Rotary,
    causal_mask,
    layer_norm,
    scaled_dot_product_attention,
    sinusoidal,
)


def assert_passes(id, answer):
    verdict = check(id, answer)
    assert verdict.passed, str(verdict)


def test_attention():
    def attend(q, k, v, mask):
        return scaled_dot_product_attention(*map(torch.tensor, (q, k, v, mask)))[0]

    assert_passes("attention.attend", attend)
    assert_passes("attention.causal_mask", causal_mask)


def test_positions():
    assert_passes("transformer.sinusoidal", sinusoidal)

    def rotate(x, positions):
        width = x.shape[1]
        order = np.r_[0:width:2, 1:width:2]  # the package pairs entry i with entry i + K/2
        rotary = Rotary(width, 1 + int(positions.max()))
        out = np.empty(x.shape)
        for row, position in enumerate(positions):
            turned = rotary(torch.tensor(x[row : row + 1, order]), start=int(position))
            out[row, order] = turned.double().numpy()[0]
        return out

    assert_passes("transformer.rotate", rotate)


def test_norm():
    def answer(x, gain, bias, eps=1e-5):
        return layer_norm(*map(torch.tensor, (x, gain, bias)), eps)

    assert_passes("transformer.layer_norm", answer)


def test_pretraining():
    assert_passes("pretraining.merge_pair", merge_pair)
    assert_passes(
        "pretraining.cross_entropy",
        lambda logits, targets: functional.cross_entropy(*map(torch.tensor, (logits, targets))),
    )
    assert_passes(
        "pretraining.top_p",
        lambda p, limit: next_token_probabilities(torch.tensor(p).log(), Sampling(top_p=limit)),
    )


def test_a_step():
    def answer(logits, targets, rate):
        x = torch.tensor(logits, requires_grad=True)
        functional.cross_entropy(x, torch.tensor(targets)).backward()
        return (x - rate * x.grad).detach()

    assert_passes("pretraining.gradient_step", answer)


def test_masking():
    def answer(tokens, mask_id, vocab_size, generator, rate=0.15):
        seeded = torch.Generator().manual_seed(int(generator.integers(2**31)))
        return mask_tokens(torch.tensor(tokens), mask_id, vocab_size, seeded, rate)

    assert_passes("pretraining.mask_tokens", answer)


def test_counting():
    def matrices(vocabulary, positions, layers, width):
        with torch.device("meta"):  # sizes without weights: GPT-2 costs no memory here
            model = GPT(GPTConfig(vocabulary, positions, layers, 1, width))
        return sum({id(p): p.numel() for p in model.parameters() if p.dim() == 2}.values())

    def answer(vocabulary, positions, layers, width):
        one, two = (matrices(vocabulary, positions, n, width) for n in (1, 2))
        return one + (layers - 1) * (two - one)  # a hundred layers would take long to make

    assert_passes("transformer.count_parameters", answer)
