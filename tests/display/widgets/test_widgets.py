"""What the widgets hold, without a browser."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from llmlab.display import (
    AttentionMap,
    BPEExplorer,
    LiveLoss,
    LossCurves,
    MaskingGame,
    PositionClocks,
    QueryKeyPlane,
    head_view,
    model_view,
)
from llmlab.display.arrays import attention_array, visible

TOKENS = ["the", " cat", "\n", "sat", "."]


def _numbers(widget) -> np.ndarray:
    return np.frombuffer(widget.data, "<f4")


def test_weights_travel_as_float32_of_every_layer_and_head(make_maps):
    maps = make_maps()
    widget = AttentionMap([torch.tensor(layer) for layer in maps], TOKENS)
    assert widget.shape == [2, 3, 5]
    sent = np.frombuffer(widget.weights, "<f4").reshape(2, 3, 5, 5)
    assert np.abs(sent - np.stack(maps)).max() <= 0.5 / 4096
    assert widget.query == 4


def test_the_sentence_names_the_largest_weight():
    map_ = np.array([[1.0, 0.0], [0.75, 0.25]])
    assert AttentionMap([map_], ["T", " he"]).sentence() == (
        "Layer 0, head 0: token “␣he” looks most at “T” (0.75)."
    )


@pytest.mark.parametrize("shape", ["list of (1,H,T,T)", "tensor", "one map"])
def test_maps_may_come_in_the_shapes_models_give(make_maps, shape):
    maps = make_maps()
    given = {
        "list of (1,H,T,T)": [torch.tensor(layer)[None] for layer in maps],
        "tensor": torch.tensor(np.stack(maps)),
        "one map": maps[0][0],
    }[shape]
    expected = maps[0][0][None, None] if shape == "one map" else np.stack(maps)
    assert np.allclose(attention_array(given, TOKENS), expected)


def test_bad_maps_are_refused(make_maps):
    with pytest.raises(ValueError, match=r"maps\[0\] must be \(H, T, T\) with T=4 tokens"):
        AttentionMap(make_maps(), TOKENS[:4])
    with pytest.raises(ValueError, match="rows sum to 1: got a row sum of 2"):
        AttentionMap([2 * layer for layer in make_maps()], TOKENS)
    with pytest.raises(ValueError, match="at least one layer"):
        AttentionMap([], TOKENS)
    with pytest.raises(TypeError, match="tokens must be a list of strings: got str"):
        AttentionMap(make_maps(), "abcde")
    with pytest.raises(ValueError, match="head must be between 0 and 2: got 3"):
        AttentionMap(make_maps(), TOKENS, head=3)


def test_tokens_can_be_seen():
    assert [visible(token) for token in ("a b", "\n", "\t", "")] == ["a␣b", "↵", "⇥", "∅"]


def test_loss_curves_pack_six_rows_a_series(make_run):
    widget = LossCurves([make_run("a", 0), make_run("a", 1), make_run("b", 2)])
    assert [(entry["label"], entry["seeds"]) for entry in widget.series] == [
        ("a train", 2),
        ("a validation", 2),
        ("b train", 1),
        ("b validation", 1),
    ]
    assert len(_numbers(widget)) == sum(6 * entry["points"] for entry in widget.series)
    points = widget.series[0]["points"]
    assert _numbers(widget)[:points].tolist() == list(range(1, points + 1))


def test_a_long_run_is_thinned_for_the_page(make_run):
    widget = LossCurves(make_run(steps=3000))
    assert widget.series[0]["points"] == 800


def test_curves_without_a_column_are_refused(make_run):
    with pytest.raises(ValueError, match="runs hold no line with 'accuracy'"):
        LossCurves(make_run(), columns=("accuracy",))


def test_a_live_plot_takes_every_line_but_redraws_seldom(make_run):
    live, updates = LiveLoss(), []
    live.observe(lambda change: updates.append(change), "data")
    lines = [{"step": step, "loss": 3.0, "tokens": step, "seconds": 0.1} for step in range(1, 200)]
    for line in lines:
        live(None, line)
    assert len(updates) < 20
    live(None, {"step": 200, "loss": 2.0, "tokens": 200, "seconds": 1.0, "validation_loss": 2.1})
    assert [entry["points"] for entry in live.series] == [200, 1]  # an evaluation is drawn at once


def test_a_live_plot_begins_again_with_a_new_training():
    live = LiveLoss()
    for step in (1, 2, 3, 1):
        live(None, {"step": step, "loss": 1.0})
    live.flush()
    assert live.series[0]["points"] == 1


def test_an_empty_live_plot_holds_nothing():
    live = LiveLoss("My model")
    live.flush()
    assert live.series == []
    assert live.data == b""


def test_each_widget_says_in_a_sentence_what_it_shows(make_maps, make_run):
    maps = make_maps()
    assert AttentionMap(maps, TOKENS).description == (
        "A map of where each of 5 tokens looks, in 2 layers of 3 heads."
    )
    for view in (head_view, model_view):
        assert view(maps, TOKENS).description == (
            "Lines from each of 5 tokens to the tokens it looks at, in 2 layers of 3 heads."
        )
    run = make_run("a")
    first, last = (run.lines[step]["validation_loss"] for step in (0, 60))
    assert LossCurves(run, columns=("validation_loss",)).description == (
        f"Loss curves, from the first to the last step: a validation, {first:.2f} to {last:.2f}."
    )
    live = LiveLoss()
    assert live.description.startswith("A loss curve that fills while a model trains")
    live(None, {"step": 1, "loss": 3.0})
    live.flush()
    assert live.description.endswith("train, 3.00 to 3.00.")


@pytest.mark.parametrize("view", [head_view, model_view])
def test_bertviz_needs_no_network(make_maps, view):
    widget = view(make_maps(), TOKENS)
    assert widget.tokens == ["the", "␣cat", "↵", "sat", "."]
    code = str(widget._esm)
    assert "PYTHON_PARAMS" not in code
    assert "<script" not in code
    assert len(code) < 60_000
    assert len(widget.weights) == 4 * 2 * 3 * 5 * 5


def test_a_view_too_large_for_a_browser_is_refused():
    maps = [np.tile(np.eye(100), (6, 1, 1))]
    with pytest.raises(ValueError, match="100 tokens draw 60000 lines"):
        model_view(maps, ["a"] * 100)
    with pytest.raises(ValueError, match="layer must be between 0 and 0: got 1"):
        head_view([np.eye(2)[None]], ["a", "b"], layer=1)


def test_modules_fetch_and_import_nothing(make_maps, make_run):
    widgets = [AttentionMap(make_maps(), TOKENS), LossCurves(make_run()), LiveLoss()]
    for widget in (*widgets, QueryKeyPlane, PositionClocks, BPEExplorer, MaskingGame):
        code = str(widget._esm)
        assert "import " not in code.replace("may import nothing", "")
        assert "fetch(" not in code
        assert "http" not in code.replace("http://www.w3.org/2000/svg", "")
