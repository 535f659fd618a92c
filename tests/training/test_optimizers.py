import math

import pytest
import torch
from torch import nn

from llmlab.training import TrainConfig
from llmlab.training.optimizers import (
    adamw,
    load_optimizer_tensors,
    optimizer_tensors,
    parameter_groups,
)


def test_matrices_decay_and_vectors_do_not():
    model = nn.Sequential(nn.Embedding(5, 4), nn.LayerNorm(4), nn.Linear(4, 5))
    decaying, others = parameter_groups(model, weight_decay=0.3)
    assert [tuple(p.shape) for p in decaying["params"]] == [(5, 4), (5, 4)]
    assert [tuple(p.shape) for p in others["params"]] == [(4,), (4,), (5,)]
    assert (decaying["weight_decay"], others["weight_decay"]) == (0.3, 0.0)


def test_frozen_parameters_are_left_out():
    model = nn.Linear(3, 2)
    model.weight.requires_grad_(False)
    decaying, others = parameter_groups(model, 0.1)
    assert decaying["params"] == []
    assert others["params"] == [model.bias]


def test_a_model_without_trainable_parameters_is_refused():
    with pytest.raises(ValueError, match="no parameter with requires_grad=True"):
        parameter_groups(nn.Linear(2, 2).requires_grad_(False), 0.1)


def test_two_steps_agree_with_arithmetic_by_hand():
    # one weight w = 1, learning rate 0.1, decay 0.5, betas 0.9 and 0.99, gradients 0.2 then -0.4
    model = nn.Linear(1, 1, bias=False)
    nn.init.ones_(model.weight)
    config = TrainConfig(steps=2, learning_rate=0.1, weight_decay=0.5, betas=(0.9, 0.99))
    optimizer = adamw(model, config)
    model.weight.grad = torch.tensor([[0.2]])
    optimizer.step()
    # decay: 1 · (1 - 0.1·0.5) = 0.95. Both averages, corrected for their start, are 0.2 and 0.04,
    # so the step is 0.1 · 0.2 / sqrt(0.04) = 0.1
    assert model.weight.item() == pytest.approx(0.95 - 0.1, abs=1e-6)
    model.weight.grad = torch.tensor([[-0.4]])
    optimizer.step()
    # decay: 0.85 · 0.95 = 0.8075. m = 0.9·0.02 - 0.1·0.4 = -0.022, corrected by 1 - 0.81 = 0.19;
    # v = 0.99·0.0004 + 0.01·0.16 = 0.001996, corrected by 1 - 0.9801 = 0.0199
    step = 0.1 * (-0.022 / 0.19) / math.sqrt(0.001996 / 0.0199)
    assert model.weight.item() == pytest.approx(0.8075 - step, abs=1e-6)


def test_the_memory_survives_a_round_trip():
    model, twin = nn.Linear(3, 2), nn.Linear(3, 2)
    twin.load_state_dict(model.state_dict())
    config = TrainConfig(steps=5)
    first, second = adamw(model, config), adamw(twin, config)
    _step(model, first)
    twin.load_state_dict(model.state_dict())
    memory = {name: tensor.clone() for name, tensor in optimizer_tensors(first, model).items()}
    assert "weight/exp_avg" in memory
    load_optimizer_tensors(second, twin, memory)
    _step(model, first)
    _step(twin, second)
    assert torch.equal(model.weight, twin.weight)


def test_memory_of_another_model_is_refused():
    model = nn.Linear(3, 2)
    optimizer = adamw(model, TrainConfig(steps=5))
    with pytest.raises(ValueError, match="'blocks'"):
        load_optimizer_tensors(optimizer, model, {"blocks/exp_avg": torch.zeros(1)})


def _step(model, optimizer):
    model(torch.ones(1, 3)).square().sum().backward()
    optimizer.step()
    optimizer.zero_grad()
