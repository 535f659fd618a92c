import json

import pytest

from llmlab.training import TrainConfig


@pytest.mark.parametrize(
    ("name", "value", "accepted"),
    [
        ("steps", 0, "an integer of at least 1"),
        ("steps", 2.5, "an integer: got steps=2.5"),
        ("steps", True, "an integer: got steps=True"),
        ("warmup", -1, "an integer of at least 0"),
        ("warmup", 11, "within the run of 10 steps"),
        ("accumulate", 0, "an integer of at least 1"),
        ("seed", -3, r"an integer from 0 to 2\*\*64 - 1"),
        ("evaluate_every", -1, "an integer of at least 0"),
        ("checkpoint_every", None, "an integer: got"),
        ("learning_rate", float("nan"), "a number: got"),
        ("learning_rate", float("inf"), "a finite number"),
        ("learning_rate", "fast", "a number: got"),
        ("learning_rate", 0, "above 0"),
        ("weight_decay", -0.1, "at least 0"),
        ("clip", float("inf"), "a finite number"),
        ("final_fraction", 1.5, "between 0 and 1"),
        ("betas", (0.9, 1.0), r"in \[0, 1\)"),
        ("betas", (0.9,), r"\(a number, a number\)"),
        ("betas", 0.9, r"\(a number, a number\)"),
        ("schedule", "step", "constant, cosine, linear, trapezoid"),
        ("optimizer", "sgd", "adamw, lion, muon"),
        ("cooldown", 0.0, "above 0 and up to 1"),
        ("precision", "int8", "auto, fp32, bf16, fp16"),
    ],
)
def test_a_bad_value_is_named(name, value, accepted):
    with pytest.raises(ValueError, match=accepted) as raised:
        TrainConfig(**{"steps": 10, name: value})
    assert name in str(raised.value)


@pytest.mark.parametrize(("steps", "warmup"), [(1, 0), (9, 0), (50, 5), (200, 20), (5000, 20)])
def test_a_short_run_warms_up_for_a_tenth_of_it(steps, warmup):
    assert TrainConfig(steps).warmup == warmup


def test_a_config_survives_json():
    config = TrainConfig(steps=7, betas=(0.8, 0.99), schedule="linear", seed=5)
    assert TrainConfig(**json.loads(json.dumps(config.to_dict()))) == config
