import math

import pytest
import torch
from torch import nn

from llmlab.training import TrainConfig
from llmlab.training.optimizers import make_optimizers


def test_matrices_decay_and_vectors_do_not():
    model = nn.Sequential(nn.Embedding(5, 4), nn.LayerNorm(4), nn.Linear(4, 5))
    (adamw,) = make_optimizers(model, TrainConfig(steps=1, weight_decay=0.3))
    decaying, others = adamw.param_groups
    assert [tuple(p.shape) for p in decaying["params"]] == [(5, 4), (5, 4)]
    assert [tuple(p.shape) for p in others["params"]] == [(4,), (4,), (5,)]
    assert (decaying["weight_decay"], others["weight_decay"]) == (0.3, 0.0)


def test_an_empty_group_is_left_out():
    norm = nn.LayerNorm(3)
    (adamw,) = make_optimizers(norm, TrainConfig(steps=1))
    (group,) = adamw.param_groups
    assert group["params"] == [norm.weight, norm.bias]
    assert group["weight_decay"] == 0.0


def test_two_steps_agree_with_arithmetic_by_hand():
    # one weight w = 1, learning rate 0.1, decay 0.5, betas 0.9 and 0.99, gradients 0.2 then -0.4
    model = nn.Linear(1, 1, bias=False)
    weight = model.weight
    weight.data = torch.ones(1, 1)
    config = TrainConfig(steps=2, learning_rate=0.1, weight_decay=0.5, betas=(0.9, 0.99))
    (optimizer,) = make_optimizers(model, config)
    weight.grad = torch.tensor([[0.2]])
    optimizer.step()
    # decay: 1 · (1 - 0.1·0.5) = 0.95. Both averages, corrected for their start, are 0.2 and 0.04,
    # so the step is 0.1 · 0.2 / sqrt(0.04) = 0.1
    assert weight.item() == pytest.approx(0.95 - 0.1, abs=1e-6)
    weight.grad = torch.tensor([[-0.4]])
    optimizer.step()
    # decay: 0.85 · 0.95 = 0.8075. m = 0.9·0.02 - 0.1·0.4 = -0.022, corrected by 1 - 0.81 = 0.19;
    # v = 0.99·0.0004 + 0.01·0.16 = 0.001996, corrected by 1 - 0.9801 = 0.0199
    step = 0.1 * (-0.022 / 0.19) / math.sqrt(0.001996 / 0.0199)
    assert weight.item() == pytest.approx(0.8075 - step, abs=1e-6)
