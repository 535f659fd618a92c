"""A model small enough for arithmetic, and batches for it."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from llmlab.data import RandomWindows
from llmlab.training import TrainConfig, set_seed

VOCABULARY = 11


class Bigram(nn.Module):
    """Each token's embedding, through dropout, predicts the next token."""

    def __init__(self, width: int = 16, dropout: float = 0.0) -> None:
        super().__init__()
        self.embedding = nn.Embedding(VOCABULARY, width)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(width, VOCABULARY)

    def forward(self, tokens):
        return self.head(self.dropout(self.embedding(tokens)))


@pytest.fixture
def make_bigram():
    def make(seed: int = 0, **options) -> Bigram:
        set_seed(seed)
        return Bigram(**options)

    return make


@pytest.fixture
def bigram(make_bigram):
    return make_bigram()


@pytest.fixture
def batches():
    return RandomWindows(torch.arange(500) % VOCABULARY, context=8, batch_size=4, seed=0)


@pytest.fixture
def make_config():
    def make(steps: int = 6, **options) -> TrainConfig:
        return TrainConfig(steps=steps, **{"warmup": min(2, steps), "device": "cpu"} | options)

    return make
