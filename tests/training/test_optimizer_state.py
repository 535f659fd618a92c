"""What optimizers remember, as named tensors: for checkpoints that hold no Python objects."""

import pytest
import torch
from torch import nn

from llmlab.training import Stepper, TrainConfig
from llmlab.training.distributed import SingleProcess
from llmlab.training.optimizers import make_optimizers


def squared(model, batch):
    return model(batch).square().mean(), {}


def stepper(model: nn.Module, optimizer: str = "adamw") -> Stepper:
    return Stepper(model, squared, TrainConfig(steps=5, optimizer=optimizer, device="cpu"))


def take(steps: Stepper, step: int) -> None:
    steps.compute(step, [torch.tensor([[1.0, 2.0, -1.0]])])
    steps.apply()


@pytest.mark.parametrize(
    ("optimizer", "names"),
    [
        ("adamw", {"weight/exp_avg", "bias/exp_avg"}),
        ("lion", {"weight/momentum", "bias/momentum"}),
        ("muon", {"weight/momentum", "bias/exp_avg"}),
    ],
)
def test_it_survives_a_round_trip(optimizer, names):
    first = stepper(nn.Linear(3, 2), optimizer)
    second = stepper(nn.Linear(3, 2), optimizer)
    take(first, 0)
    second.model.load_state_dict(first.model.state_dict())
    remembered = {name: tensor.clone() for name, tensor in first.optimizer_state().items()}
    assert names <= set(remembered)
    second.load_optimizer_state(remembered)
    take(first, 1)
    take(second, 1)
    assert torch.equal(first.model.weight, second.model.weight)
    assert torch.equal(first.model.bias, second.model.bias)


def test_that_of_another_model_is_refused():
    with pytest.raises(ValueError, match="'blocks'"):
        stepper(nn.Linear(3, 2)).load_optimizer_state({"blocks/exp_avg": torch.zeros(1)})


@pytest.mark.parametrize("optimizer", ["adamw", "lion", "muon"])
def test_read_on_a_cpu_it_lands_beside_its_parameter(optimizer):
    first = stepper(nn.Linear(3, 2), optimizer)
    take(first, 0)
    elsewhere = nn.Linear(3, 2, device="meta")  # a device that is not the CPU, on any machine
    parallel = SingleProcess()
    parallel.place(elsewhere, torch.device("meta"))
    optimizers = make_optimizers(elsewhere, first.config)
    parallel.load_optimizer_state(optimizers, first.optimizer_state())
    states = [state for each in optimizers for state in each.state.values()]
    assert states
    assert {t.device.type for state in states for t in state.values()} == {"meta"}
