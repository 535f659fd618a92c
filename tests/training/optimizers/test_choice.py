import pytest
import torch
from torch import nn

from llmlab.models import GPT, GPTConfig
from llmlab.training import Stepper, TrainConfig
from llmlab.training.optimizers import Lion, Muon, make_optimizers


def make(optimizer: str, model: nn.Module) -> list[torch.optim.Optimizer]:
    return make_optimizers(model, TrainConfig(steps=3, optimizer=optimizer, weight_decay=0.3))


def test_muon_gets_the_matrices_of_linear_layers_and_adamw_the_rest():
    model = GPT(GPTConfig(11, 8, layers=2, heads=2, width=8))
    muon, adamw = make("muon", model)
    assert isinstance(muon, Muon)
    assert isinstance(adamw, torch.optim.AdamW)
    names = {parameter: name for name, parameter in model.named_parameters()}
    mine = [names[p] for group in muon.param_groups for p in group["params"]]
    assert len(mine) == 12
    assert all(name.startswith("blocks.") and name.endswith(".weight") for name in mine)
    others = [names[p] for group in adamw.param_groups for p in group["params"]]
    assert "token_embedding.weight" in others
    assert sorted(mine + others) == sorted(names.values())


def test_muon_alone_where_all_are_matrices():
    (only,) = make("muon", nn.Linear(3, 3, bias=False))
    assert isinstance(only, Muon)


def test_lion_decays_matrices_alone():
    (lion,) = make("lion", nn.Linear(3, 2))
    assert isinstance(lion, Lion)
    assert [group["weight_decay"] for group in lion.param_groups] == [0.3, 0.0]


def test_frozen_parameters_are_left_out():
    model = nn.Linear(3, 2)
    model.weight.requires_grad_(False)
    for optimizer in ("adamw", "lion", "muon"):
        (found,) = make(optimizer, model)
        assert [p for group in found.param_groups for p in group["params"]] == [model.bias]


def test_a_model_without_trainable_parameters_is_refused():
    with pytest.raises(ValueError, match="no parameter with requires_grad=True"):
        make("adamw", nn.Linear(2, 2).requires_grad_(False))


def test_patterns_of_names_give_groups_of_their_own():
    groups = {
        "*.bias": {"learning_rate": 0.5},
        "1.*": {"learning_rate": 0.25, "weight_decay": 0.0, "optimizer": "lion"},
        "*": {"weight_decay": 0.7},
    }
    model = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3))
    lion, adamw = make_optimizers(model, TrainConfig(3, learning_rate=0.1, groups=groups))
    assert isinstance(lion, Lion)
    (of_lion,) = lion.param_groups
    assert of_lion["params"] == [model[1].weight]
    assert (of_lion["initial_lr"], of_lion["weight_decay"]) == (0.25, 0.0)
    rates = [(group["params"], group["initial_lr"]) for group in adamw.param_groups]
    assert rates == [([model[0].weight], 0.1), ([model[0].bias, model[1].bias], 0.5)]
    assert [group["weight_decay"] for group in adamw.param_groups] == [0.7, 0.0]


def test_the_schedule_multiplies_each_groups_own_rate():
    config = TrainConfig(
        8, learning_rate=0.1, warmup=3, device="cpu", groups={"bias": {"learning_rate": 0.4}}
    )
    stepper = Stepper(nn.Linear(2, 2), lambda m, x: (m(x).square().mean(), {}), config)
    result = stepper.compute(1, [torch.ones(1, 2)])  # half of the warm-up: (1 + 1) / (3 + 1)
    assert [group["lr"] for group in stepper.groups] == pytest.approx([0.05, 0.2])
    assert result.learning_rate == pytest.approx(0.05)


class Experts(nn.Module):
    """Two experts' matrices in one parameter, a table, and a head that gives one number."""

    def __init__(self):
        super().__init__()
        self.table = nn.Embedding(5, 4)
        self.experts = nn.Parameter(torch.randn(2, 4, 3))
        self.head = nn.Linear(3, 1)


def test_muon_gets_stacked_matrices_and_no_head_of_one_number():
    model = Experts()
    muon, adamw = make("muon", model)
    assert [p for group in muon.param_groups for p in group["params"]] == [model.experts]
    assert len([p for group in adamw.param_groups for p in group["params"]]) == 3


def test_stacked_matrices_move_as_each_would_alone():
    stacked = nn.Parameter(torch.randn(2, 4, 3, generator=torch.Generator().manual_seed(0)))
    apart = [nn.Parameter(matrix.detach().clone()) for matrix in stacked]
    stacked.grad = torch.randn(2, 4, 3, generator=torch.Generator().manual_seed(1))
    for parameter, gradient in zip(apart, stacked.grad, strict=True):
        parameter.grad = gradient.clone()
    Muon([stacked], lr=0.1).step()
    Muon(apart, lr=0.1).step()
    torch.testing.assert_close(stacked.data, torch.stack([p.data for p in apart]))
