import pytest
import torch
from torch import nn

from llmlab.training.optimizers import Lion


def test_three_steps_agree_with_arithmetic_by_hand():
    # learning rate 0.1, decay 0.5, betas 0.9 and 0.5
    weight = nn.Parameter(torch.tensor([1.0]))
    optimizer = Lion([weight], lr=0.1, betas=(0.9, 0.5), weight_decay=0.5)

    def step(gradient: float) -> float:
        weight.grad = torch.tensor([gradient])
        optimizer.step()
        return weight.item()

    # m = 0: the sign of 0.1 · 0.2 is +. 1 · 0.95 - 0.1 = 0.85; then m = 0.5 · 0.2 = 0.1
    assert step(0.2) == pytest.approx(0.85)
    # 0.9 · 0.1 - 0.1 · 0.4 = 0.05 is still +. 0.85 · 0.95 - 0.1 = 0.7075; m = 0.05 - 0.2 = -0.15
    assert step(-0.4) == pytest.approx(0.7075)
    # 0.9 · (-0.15) + 0.1 · 1 = -0.035 is -, against the gradient: 0.7075 · 0.95 + 0.1 = 0.772125
    assert step(1.0) == pytest.approx(0.772125)
    assert optimizer.state[weight]["momentum"].item() == pytest.approx(0.425)


def test_every_weight_moves_by_the_learning_rate():
    weight = nn.Parameter(torch.zeros(3, 2))
    weight.grad = torch.tensor([[1e-6, -5.0], [0.3, 0.0], [-1e-9, 2.0]])
    Lion([weight], lr=0.01).step()
    assert torch.equal(weight.data, -0.01 * weight.grad.sign())


def test_a_parameter_without_gradient_stays():
    still, moved = nn.Parameter(torch.ones(2)), nn.Parameter(torch.ones(2))
    moved.grad = torch.ones(2)
    Lion([still, moved], lr=0.5).step()
    assert (still.tolist(), moved.tolist()) == ([1.0, 1.0], [0.5, 0.5])
