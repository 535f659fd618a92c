import pytest
import torch
from torch import nn

from llmlab.models import GPT, GPTConfig
from llmlab.training import TrainConfig
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
    assert len(mine) == 8
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
