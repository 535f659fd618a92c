import math

import pytest
import torch

from llmlab.models import (
    ALiBi,
    LearnedPositions,
    Rotary,
    SinusoidalPositions,
    alibi_bias,
    alibi_slopes,
    sinusoidal,
)
from llmlab.models.positions import attention_position, embedded_position


def test_sinusoid_by_hand():
    table = sinusoidal(3, 4)
    assert table[0].tolist() == [0.0, 1.0, 0.0, 1.0]
    slow = 1 / 10_000 ** (2 / 4)  # 0.01
    expected = [math.sin(2), math.cos(2), math.sin(2 * slow), math.cos(2 * slow)]
    torch.testing.assert_close(table[2], torch.tensor(expected))


def test_moving_along_a_sinusoid_is_a_rotation():
    table = sinusoidal(600, 8).view(600, 4, 2)  # pairs (sin, cos)
    step = 37
    frequency = 10_000.0 ** (-torch.arange(0, 8, 2) / 8)
    sin, cos = (frequency * step).sin(), (frequency * step).cos()
    s, c = table[:-step, :, 0], table[:-step, :, 1]
    moved = torch.stack([s * cos + c * sin, c * cos - s * sin], -1)
    torch.testing.assert_close(moved, table[step:], atol=1e-5, rtol=0)


def test_sinusoids_stay_exact_far_out():
    row = sinusoidal(100_001, 2)[-1]
    assert row[0].item() == pytest.approx(math.sin(100_000.0), abs=1e-7)


@pytest.mark.parametrize("make", [LearnedPositions, SinusoidalPositions])
def test_positions_continue_from_start(make):
    positions = make(10, 6)
    assert positions(4).shape == (4, 6)
    assert torch.equal(positions(3, start=5), positions(10)[5:8])


def test_rotary_by_hand():
    x = torch.tensor([[1.0, 0.0]]).repeat(3, 1)
    turned = Rotary(2, 3)(x)
    expected = [[math.cos(t), math.sin(t)] for t in range(3)]
    torch.testing.assert_close(turned, torch.tensor(expected))


@pytest.mark.parametrize(("head_width", "slowest"), [(2, 6.283), (4, 628.3), (64, 47_117)])
def test_the_slowest_pair_turns_as_its_docstring_says(head_width, slowest):
    speed = torch.atan2(*(table[1].double() for table in _tables(head_width)))[-1]
    assert 2 * math.pi / speed.item() == pytest.approx(slowest, rel=1e-3)
    assert slowest == pytest.approx(2 * math.pi * 10_000 ** (1 - 2 / head_width), rel=1e-3)


def _tables(head_width: int) -> tuple[torch.Tensor, torch.Tensor]:
    rotary = Rotary(head_width, 2)
    return rotary.sin, rotary.cos


def test_rotary_dot_products_depend_on_distance_only():
    generator = torch.Generator().manual_seed(0)
    q, k = torch.randn(8, generator=generator), torch.randn(8, generator=generator)
    rotary = Rotary(8, 40)
    scores = rotary(q.expand(40, 8)) @ rotary(k.expand(40, 8)).T  # (T, S)
    for distance in (-7, 0, 1, 13):
        along = scores.diagonal(distance)
        torch.testing.assert_close(along, along[:1].expand_as(along), atol=1e-4, rtol=0)
    assert scores[0].std() > 0.1


def test_rotary_keeps_lengths():
    x = torch.randn(2, 3, 20, 8, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(Rotary(8, 20)(x).norm(dim=-1), x.norm(dim=-1))


def test_rotary_agrees_with_complex_numbers():
    x = torch.randn(5, 8, generator=torch.Generator().manual_seed(0))
    frequency = 10_000.0 ** (-torch.arange(4) / 4)
    turn = torch.polar(torch.ones(5, 4), torch.outer(torch.arange(7, 12), frequency))
    expected = torch.complex(x[:, :4], x[:, 4:]) * turn
    expected = torch.cat([expected.real, expected.imag], -1)
    torch.testing.assert_close(Rotary(8, 12)(x, start=7), expected)


def test_rotary_keeps_the_type():
    x = torch.randn(20, 8, dtype=torch.bfloat16)
    assert Rotary(8, 20)(x).dtype == torch.bfloat16


ROOT = 2**-0.5
SLOPES = {  # Press et al. 2022: section 3 gives 8 heads and the rule; their code the rest
    4: [1 / 4, 1 / 16, 1 / 64, 1 / 256],
    8: [1 / 2, 1 / 4, 1 / 8, 1 / 16, 1 / 32, 1 / 64, 1 / 128, 1 / 256],
    12: [2.0**-i for i in range(1, 9)] + [ROOT, ROOT / 2, ROOT / 4, ROOT / 8],
}


@pytest.mark.parametrize("heads", SLOPES)
def test_alibi_slopes_are_the_papers(heads):
    torch.testing.assert_close(alibi_slopes(heads), torch.tensor(SLOPES[heads]))


def test_alibi_bias_by_hand():
    bias = alibi_bias(8, 3)
    assert bias.shape == (8, 3, 3)
    assert bias[0].tolist() == [[0, -0.5, -1], [-0.5, 0, -0.5], [-1, -0.5, 0]]
    assert alibi_bias(8, 1, 3)[1].tolist() == [[-0.5, -0.25, 0]]
    assert torch.equal(ALiBi(8).bias(2, 5), alibi_bias(8, 2, 5))


def test_by_name():
    assert isinstance(embedded_position("learned", 8, 4), LearnedPositions)
    assert isinstance(embedded_position("sinusoidal", 8, 4), SinusoidalPositions)
    assert isinstance(attention_position("rotary", 8, 2, 4), Rotary)
    assert isinstance(attention_position("alibi", 8, 2, 4), ALiBi)
    assert embedded_position("none", 8, 4) is None
    assert attention_position("none", 8, 2, 4) is None


# --- Bad input -------------------------------------------------------------------------------


def test_odd_head_width():
    with pytest.raises(ValueError, match=r"must be even for rotary positions: got head_width=5"):
        Rotary(5, 8)


def test_odd_width():
    with pytest.raises(ValueError, match=r"width must be even for sinusoidal .*: got width=7"):
        sinusoidal(4, 7)


def test_rotary_beyond_its_context():
    with pytest.raises(
        ValueError, match=r"positions must be from 0 to 7, one less than the context: got .* to 9\."
    ):
        Rotary(4, 8)(torch.zeros(2, 4), start=8)


@pytest.mark.parametrize(
    "make",
    [
        lambda: sinusoidal(0, 4),
        lambda: LearnedPositions(0, 4),
        lambda: Rotary(4, -1),
        lambda: alibi_slopes(0),
        lambda: alibi_bias(4, 0),
    ],
)
def test_sizes_must_be_positive(make):
    with pytest.raises(ValueError, match="must be an integer of at least 1"):
        make()


def test_unknown_position():
    accepted = "position must be one of learned, sinusoidal, rotary, alibi, none: got"
    with pytest.raises(ValueError, match=accepted):
        embedded_position("rope", 8, 4)
    with pytest.raises(ValueError, match=accepted):
        attention_position("rope", 8, 2, 4)
