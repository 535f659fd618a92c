from __future__ import annotations

import numpy as np
import pytest
import torch

from llmlab.display import (
    attention_figure,
    bar_figure,
    figure_svg,
    heat_figure,
    line_figure,
    loss_figure,
)


def _words(figure) -> str:
    return figure_svg(figure, "test")


def test_runs_of_one_name_become_one_line_in_a_band(make_run):
    figure = loss_figure([make_run("gru", 0), make_run("gru", 1), make_run("gpt", 2)])
    axes = figure.axes[0]
    assert len(axes.collections) == 2  # the band of train and of validation of "gru"
    words = _words(figure)
    assert "gru (2 seeds)" in words
    assert "thin: training" in words


def test_a_single_run_names_both_columns_and_its_floor(make_run):
    words = _words(loss_figure(make_run("gpt"), floor=1.4, floor_label="entropy of the source"))
    for word in ("gpt train", "gpt validation", "entropy of the source", "step"):
        assert word in words


def test_logarithmic_axes_leave_out_step_zero(make_run):
    axes = loss_figure(make_run(), y="validation_loss", x="tokens", log=True).axes[0]
    assert axes.get_xscale() == axes.get_yscale() == "log"
    assert all((line.get_xdata() > 0).all() for line in axes.lines)


def test_a_loss_figure_says_what_is_missing(make_run):
    with pytest.raises(ValueError, match="x must be one of step, tokens, seconds: got 'epoch'"):
        loss_figure(make_run(), x="epoch")
    with pytest.raises(ValueError, match="runs hold no line with 'accuracy'"):
        loss_figure(make_run(), y="accuracy")


def test_attention_has_a_panel_a_head_and_visible_tokens(make_maps):
    tokens = ["a", " b", "\n", "c", "d"]
    figure = attention_figure(torch.tensor(np.stack(make_maps())[0]), tokens, title="Layer 0")
    assert sum(axes.axison for axes in figure.axes) == 3
    words = _words(figure)
    for word in ("head 2", "␣b", "↵", "query", "key", "Layer 0"):
        assert word in words


def test_one_attention_map_is_drawn_alone():
    figure = attention_figure(np.eye(3), ["a", "b", "c"], title="Itself")
    assert len(figure.axes) == 1
    assert np.array_equal(figure.axes[0].images[0].get_array(), np.eye(3))


def test_attention_of_another_length_is_refused():
    with pytest.raises(ValueError, match=r"T=2 tokens: got shape \(1, 3, 3\)"):
        attention_figure(np.eye(3), ["a", "b"])


def test_bars_carry_their_numbers():
    words = _words(bar_figure(["up", "down"], [0.5, -0.25], reference=0.1, reference_label="mean"))
    for word in ("up", "down", "0.50", "−0.25", "mean"):
        assert word in words


def test_bars_with_a_range_reach_its_ends():
    figure = bar_figure(["a"], [2.0], errors=[[1.5], [4.0]])
    (bars,) = figure.axes[0].collections
    ends = bars.get_segments()[0][:, 0]
    assert ends.tolist() == [1.5, 4.0]


def test_bars_and_labels_must_match():
    with pytest.raises(ValueError, match="2 labels and values of shape"):
        bar_figure(["a", "b"], [1.0])


def test_lines_with_seeds_get_a_band_and_few_points_a_tick_each():
    x = [16, 64, 256]
    figure = line_figure(x, {"one": [1, 2, 3], "three": np.ones((3, 3))}, logx=True)
    axes = figure.axes[0]
    assert len(axes.collections) == 1
    assert axes.get_xticks().tolist() == x
    for word in (">16<", ">256<", "one", "three"):
        assert word in _words(figure)


def test_lines_of_another_length_are_refused():
    with pytest.raises(ValueError, match=r"lines\['a'\] must hold 2 values"):
        line_figure([1, 2], {"a": [1, 2, 3]})
    with pytest.raises(ValueError, match="at least one series"):
        line_figure([1, 2], {})


def test_a_signed_matrix_gets_a_scale_symmetric_about_zero():
    image = heat_figure([[-2.0, 1.0]]).axes[0].images[0]
    assert image.get_clim() == (-2.0, 2.0)
    assert image.cmap(0.5)[3] < 0.01  # nothing is where the value is 0
    assert heat_figure([[0.5, 1.0]]).axes[0].images[0].get_clim() == (0.0, 1.0)


def test_numbers_are_written_into_cells():
    assert ">0.50<" in _words(heat_figure([[0.5, 1.0]], numbers=True))
    with pytest.raises(ValueError, match="two dimensions"):
        heat_figure([1.0, 2.0])
