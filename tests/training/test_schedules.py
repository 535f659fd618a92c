import pytest

from llmlab.training import TrainConfig
from llmlab.training.schedules import learning_rate


def rates(steps, at, **options):
    config = TrainConfig(steps=50 if steps is None else steps, learning_rate=1.0, **options)
    return [learning_rate(config, step) for step in at]


def test_warm_up_climbs_in_equal_parts_and_reaches_the_peak():
    found = rates(100, range(5), warmup=4, schedule="constant")
    assert found == pytest.approx([1 / 5, 2 / 5, 3 / 5, 4 / 5, 1.0])


def test_constant_stays():
    assert rates(100, (0, 50, 99), warmup=0, schedule="constant") == [1.0, 1.0, 1.0]


def test_cosine_at_points_worked_by_hand():
    # 10 warm-up steps, then 100: a quarter, a half and three quarters of the way
    # (1 + cos 45°) / 2 = 0.853553, (1 + cos 90°) / 2 = 0.5, (1 + cos 135°) / 2 = 0.146447
    found = rates(110, (10, 35, 60, 85, 110), warmup=10, schedule="cosine")
    assert found == pytest.approx([1.0, 0.853553, 0.5, 0.146447, 0.0], abs=1e-6)


def test_cosine_falls_to_the_final_fraction():
    # nanoGPT's recipe: 1e-3 to 1e-4; halfway 1e-4 + 0.5 · 9e-4
    config = TrainConfig(steps=2100, learning_rate=1e-3, warmup=100, final_fraction=0.1)
    assert learning_rate(config, 1100) == pytest.approx(5.5e-4)
    assert learning_rate(config, 2100) == pytest.approx(1e-4)


def test_linear_is_a_straight_line():
    found = rates(100, (0, 25, 50, 75, 99), warmup=0, schedule="linear")
    assert found == pytest.approx([1.0, 0.75, 0.5, 0.25, 0.01])


def test_trapezoid_is_flat_and_then_falls_over_the_last_fifth():
    found = rates(100, (0, 50, 80, 90, 95), warmup=0, schedule="trapezoid")
    assert found == pytest.approx([1.0, 1.0, 1.0, 0.5, 0.25])
    found = rates(100, (0, 40, 70), warmup=0, schedule="trapezoid", cooldown=0.6)
    assert found == pytest.approx([1.0, 1.0, 0.5])


@pytest.mark.parametrize("schedule", ["constant", "cosine", "linear", "trapezoid"])
@pytest.mark.parametrize(("steps", "warmup"), [(1, 0), (5, 5), (30, 10)])
def test_every_rate_lies_between_nothing_and_the_peak(schedule, steps, warmup):
    found = rates(steps, range(steps), warmup=warmup, schedule=schedule)
    assert all(0 < rate <= 1 for rate in found)
    falling = found[warmup:]
    assert falling == sorted(falling, reverse=True)
