from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from llmlab.display.figures.curves import after, curves, thin


def _run(name, pairs):
    lines = [{"step": s, "loss": v, "tokens": 10 * s, "seconds": 0.5 * s} for s, v in pairs]
    return SimpleNamespace(name=name, lines=lines)


def test_seeds_are_averaged_at_the_steps_they_share():
    runs = [_run("a", [(1, 4.0), (2, 2.0), (3, 9.0)]), _run("a", [(1, 2.0), (2, 3.0)])]
    (curve,) = curves(runs, ["loss"])
    assert curve.seeds == 2
    assert curve.x["step"].tolist() == [1, 2]
    assert curve.x["tokens"].tolist() == [10, 20]
    assert curve.mean.tolist() == [3.0, 2.5]
    assert curve.low.tolist() == [2.0, 2.0]
    assert curve.high.tolist() == [4.0, 3.0]


def test_a_run_of_its_own_needs_no_list_and_a_missing_column_gives_no_curve():
    found = curves(_run("a", [(1, 4.0)]))
    assert [curve.column for curve in found] == ["loss"]
    assert found[0].label == "a train"


def test_names_stay_apart_and_in_order():
    found = curves([_run("b", [(1, 1.0)]), _run("a", [(1, 2.0)])], ["loss"])
    assert [curve.name for curve in found] == ["b", "a"]


def test_thinning_keeps_both_ends():
    (curve,) = curves(_run("a", [(step, float(step)) for step in range(1000)]), ["loss"])
    few = thin(curve, 50)
    assert len(few.mean) == 50
    assert few.mean[0] == 0
    assert few.mean[-1] == 999
    assert thin(curve, 1000) is curve


def test_step_zero_can_be_left_out():
    (curve,) = curves(_run("a", [(0, 5.0), (1, 4.0)]), ["loss"])
    assert np.array_equal(after(curve, "tokens").mean, [4.0])


def test_something_that_is_no_run_is_refused():
    with pytest.raises(TypeError, match="runs must be run records"):
        curves([3])
