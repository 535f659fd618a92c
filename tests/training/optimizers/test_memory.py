import pytest
import torch
from torch import nn

from llmlab.training import TrainConfig
from llmlab.training.optimizers import (
    load_optimizer_tensors,
    make_optimizers,
    optimizer_tensors,
)


@pytest.mark.parametrize(
    ("optimizer", "names"),
    [
        ("adamw", {"weight/exp_avg", "bias/exp_avg"}),
        ("lion", {"weight/momentum", "bias/momentum"}),
        ("muon", {"weight/momentum", "bias/exp_avg"}),
    ],
)
def test_the_memory_survives_a_round_trip(optimizer, names):
    model, twin = nn.Linear(3, 2), nn.Linear(3, 2)
    config = TrainConfig(steps=5, optimizer=optimizer)
    first, second = make_optimizers(model, config), make_optimizers(twin, config)
    step(model, first)
    twin.load_state_dict(model.state_dict())
    memory = {
        name: tensor.clone()
        for name, tensor in optimizer_tensors(first, dict(model.named_parameters())).items()
    }
    assert names <= set(memory)
    load_optimizer_tensors(second, dict(twin.named_parameters()), memory)
    step(model, first)
    step(twin, second)
    assert torch.equal(model.weight, twin.weight)
    assert torch.equal(model.bias, twin.bias)


def test_memory_of_another_model_is_refused():
    model = nn.Linear(3, 2)
    optimizers = make_optimizers(model, TrainConfig(steps=5))
    with pytest.raises(ValueError, match="'blocks'"):
        load_optimizer_tensors(
            optimizers, dict(model.named_parameters()), {"blocks/exp_avg": torch.zeros(1)}
        )


def step(model, optimizers):
    model(torch.tensor([[1.0, 2.0, -1.0]])).square().sum().backward()
    for optimizer in optimizers:
        optimizer.step()
        optimizer.zero_grad()


@pytest.mark.parametrize("optimizer", ["adamw", "lion", "muon"])
def test_memory_read_on_a_cpu_lands_beside_its_parameter(optimizer):
    model = nn.Linear(3, 2)
    config = TrainConfig(steps=5, optimizer=optimizer)
    first = make_optimizers(model, config)
    step(model, first)
    memory = optimizer_tensors(first, dict(model.named_parameters()))
    elsewhere = nn.Linear(3, 2, device="meta")  # a device that is not the CPU, on any machine
    optimizers = make_optimizers(elsewhere, config)
    load_optimizer_tensors(optimizers, dict(elsewhere.named_parameters()), memory)
    states = [state for each in optimizers for state in each.state.values()]
    assert states
    assert {t.device.type for state in states for t in state.values()} == {"meta"}
