import pytest
import torch
from torch import nn

from llmlab.training.optimizers import Muon, orthogonalise


@pytest.mark.parametrize("shape", [(1, 16, 16), (1, 16, 64), (1, 64, 16), (3, 24, 8)])
def test_singular_values_come_near_one_and_directions_stay(shape):
    matrix = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    found = orthogonalise(matrix)
    values = torch.linalg.svdvals(found)
    assert found.shape == matrix.shape
    assert values.min() > 0.6
    assert values.max() < 1.3
    u, _, v = torch.linalg.svd(matrix, full_matrices=False)
    rotated = u.mT @ found @ v.mT  # the same directions: diagonal, as s is
    off = rotated - torch.diag_embed(rotated.diagonal(dim1=-2, dim2=-1))
    assert off.abs().max() < 1e-4


def test_a_singular_value_agrees_with_arithmetic_by_hand():
    # diag(3, 4) has norm 5: 0.6 and 0.8. One step of a x + b x³ + c x⁵:
    # 3.4445 · 0.6 - 4.775 · 0.216 + 2.0315 · 0.07776 = 1.193269
    # 3.4445 · 0.8 - 4.775 · 0.512 + 2.0315 · 0.32768 = 0.976482
    found = orthogonalise(torch.diag(torch.tensor([3.0, 4.0]))[None], steps=1)
    assert torch.allclose(found[0], torch.diag(torch.tensor([1.193269, 0.976482])), atol=1e-5)


def test_five_steps_bring_all_but_the_smallest_singular_values_near_one():
    # the bounds that the docstring names, on shares of the Frobenius norm from 1 down to 1e-5
    share = torch.logspace(-5, 0, 800, dtype=torch.float64)
    other = (1 - share**2).clamp(min=0).sqrt()  # a second direction, so that the norm is 1
    matrices = torch.diag_embed(torch.stack([share, other], dim=-1))
    value = orthogonalise(matrices)[:, 0, 0]
    assert value[share >= 0.0015].min() > 0.68
    assert value.max() < 1.21
    assert value[share < 0.0001].max() < 0.05
    assert (value / share).max() < 485


def test_zeros_stay_zeros():
    assert orthogonalise(torch.zeros(2, 4, 3)).abs().max() == 0


def test_a_step_has_the_size_of_adamws_and_decays():
    # an orthogonal gradient has five equal directions, whatever its scale: the step is
    # p(p(p(p(p(1/√4))))) of it. Entries: learning rate · 0.2 · √4 · that
    weight = nn.Parameter(torch.ones(4, 4))
    weight.grad = 7.0 * torch.eye(4)
    Muon([weight], lr=0.1, weight_decay=0.5).step()
    x = 0.5
    for _ in range(5):
        x = 3.4445 * x - 4.7750 * x**3 + 2.0315 * x**5
    expected = 0.95 * torch.ones(4, 4) - 0.1 * 0.2 * 2 * x * torch.eye(4)
    assert torch.allclose(weight.data, expected, atol=1e-5)


def test_three_steps_agree_with_pytorchs_own():
    shapes = [(24, 16), (16, 24), (16, 16), (24, 16)]
    generator = torch.Generator().manual_seed(1)
    start = [torch.randn(shape, generator=generator) for shape in shapes]
    ours, theirs = ([nn.Parameter(w.clone()) for w in start] for _ in range(2))
    settings = {"lr": 0.02, "momentum": 0.9, "weight_decay": 0.1}
    mine = Muon(ours, **settings)
    reference = torch.optim.Muon(theirs, **settings, adjust_lr_fn="match_rms_adamw")
    for _ in range(3):
        for a, b in zip(ours, theirs, strict=True):
            a.grad = torch.randn(a.shape, generator=generator)
            b.grad = a.grad.clone()
        mine.step()
        reference.step()
    for a, b, w in zip(ours, theirs, start, strict=True):
        moved = (b - w).norm()  # PyTorch computes the direction in bfloat16: two or three digits
        assert (a - b).norm() < 0.03 * moved
        assert (a - w).norm() > 0.5 * moved


def test_a_vector_is_refused():
    with pytest.raises(ValueError, match=r"must be matrices for Muon: got shape \(3,\)"):
        Muon([nn.Parameter(torch.zeros(3))])
