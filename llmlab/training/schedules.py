"""Learning-rate schedules: pure functions of the step, so that a resumed run needs no memory.

Each shape maps ``progress`` in [0, 1] (how much of the time after the warm-up has passed) to a
factor that runs from 1 down to 0; :func:`schedule_factor` adds the warm-up and the floor.
"""

from __future__ import annotations

import math
from functools import partial

from llmlab.training.config import TrainConfig


def constant(progress: float) -> float:
    """Stay at the peak."""
    return 1.0


def cosine(progress: float) -> float:
    """Fall along half a cosine wave (Loshchilov & Hutter 2017, SGDR)."""
    return 0.5 * (1.0 + math.cos(math.pi * progress))


def linear(progress: float) -> float:
    """Fall along a straight line."""
    return 1.0 - progress


def trapezoid(progress: float, cooldown: float) -> float:
    """Stay at the peak, then fall along a straight line over the last ``cooldown`` of the time.

    Hägele et al. (2024, "Scaling Laws and Compute-Optimal Training Beyond Fixed Training
    Durations") find that a fifth matches a full cosine.
    """
    return min(1.0, (1.0 - progress) / cooldown)


def schedule_factor(config: TrainConfig, step: int) -> float:
    """Return the share of its peak learning rate that each group has at update ``step`` (from 0).

    During the warm-up, update i uses (i + 1) / (warmup + 1) of the peak, so that the very first
    update already moves the weights and update ``warmup`` is the first at the full peak. The shape
    would reach its floor, ``final_fraction`` of the peak, at update ``steps``: one past the last.
    """
    if step < config.warmup:
        return (step + 1) / (config.warmup + 1)
    shapes = {
        "constant": constant,
        "cosine": cosine,
        "linear": linear,
        "trapezoid": partial(trapezoid, cooldown=config.cooldown),
    }
    progress = min(1.0, (step - config.warmup) / max(1, config.steps - config.warmup))
    floor = config.final_fraction
    return floor + (1.0 - floor) * shapes[config.schedule](progress)


def learning_rate(config: TrainConfig, step: int) -> float:
    """Return the learning rate of update ``step`` for what ``groups`` does not say otherwise of."""
    return config.learning_rate * schedule_factor(config, step)
