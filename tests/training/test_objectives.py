import math

import pytest
import torch
from torch import nn

from llmlab.data import IGNORE, Batch
from llmlab.training import causal_loss, masked_loss


class Fixed(nn.Module):
    """Answers every token with the same logits: log of the given probabilities."""

    def __init__(self, probabilities):
        super().__init__()
        self.logits = nn.Parameter(torch.tensor(probabilities).log())

    def forward(self, tokens):
        return self.logits.expand(*tokens.shape, -1)


MODEL = Fixed([0.5, 0.25, 0.25])


def batch(targets):
    targets = torch.tensor([targets])
    return Batch(torch.zeros_like(targets), targets)


def test_causal_loss_by_hand():
    # targets 0, 0, 1, 2: (ln 2 + ln 2 + ln 4 + ln 4) / 4 = 1.5 ln 2; the two zeros are guessed
    loss, metrics = causal_loss(MODEL, batch([0, 0, 1, 2]))
    assert loss.item() == pytest.approx(1.5 * math.log(2))
    assert float(metrics["accuracy"]) == 0.5
    assert int(metrics["weight"]) == 4


def test_masked_loss_counts_hidden_tokens_only():
    # only two tokens were hidden: (ln 2 + ln 4) / 2
    loss, metrics = masked_loss(MODEL, batch([IGNORE, 0, IGNORE, 1]))
    assert loss.item() == pytest.approx(1.5 * math.log(2))
    assert float(metrics["accuracy"]) == 0.5
    assert int(metrics["weight"]) == 2


def test_a_batch_with_nothing_hidden_has_no_loss_and_no_gradient():
    model = Fixed([0.5, 0.25, 0.25])
    loss, metrics = masked_loss(model, batch([IGNORE, IGNORE]))
    loss.backward()
    assert loss.item() == 0
    assert float(metrics["accuracy"]) == 0
    assert model.logits.grad.abs().sum() == 0


def test_it_agrees_with_torch():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Embedding(7, 5), nn.Linear(5, 7))
    inputs, targets = torch.randint(7, (2, 3, 4))
    targets[0, 0] = IGNORE
    loss, metrics = causal_loss(model, Batch(inputs, targets))
    logits = model(inputs)
    assert torch.allclose(loss, nn.functional.cross_entropy(logits.mT, targets))
    right = (logits.argmax(-1) == targets)[targets != IGNORE]
    assert float(metrics["accuracy"]) == pytest.approx(right.float().mean().item())
