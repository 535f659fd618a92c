from __future__ import annotations

import re
import xml.etree.ElementTree as tree

import numpy as np
import pytest
from matplotlib.figure import Figure

from llmlab.display.figures import style
from llmlab.display.figures.style import (
    GRID,
    INK,
    PALETTE,
    figure_svg,
    legend_above,
    new_figure,
    show,
)


def _luminance(colour: str) -> float:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _contrast(one: str, other: str) -> float:
    low, high = sorted((_luminance(one), _luminance(other)))
    return (high + 0.05) / (low + 0.05)


def _figure(values=(1, 3, 2)) -> Figure:
    figure, axes = new_figure()
    axes.plot(values, label="a < b & c")
    axes.set_xlabel("step")
    legend_above(axes)
    return figure


@pytest.mark.parametrize("background", ["#ffffff", "#121212"])
@pytest.mark.parametrize("name", PALETTE)
def test_every_colour_of_the_palette_stands_out_in_light_and_dark(name, background):
    assert _contrast(PALETTE[name], background) >= 3


def test_the_svg_takes_ink_grid_and_font_from_the_page():
    drawing = figure_svg(_figure(), "a line")
    assert INK not in drawing
    assert GRID not in drawing
    assert "currentColor" in drawing
    assert "var(--llmlab-grid, rgba(128,128,128,.3))" in drawing
    assert "font-family" not in drawing
    assert "#ffffff" not in drawing
    assert "<text" in drawing  # words stay words


def test_the_svg_is_valid_xml_with_a_name_and_no_fixed_size():
    drawing = figure_svg(_figure(), 'loss "falls" & <rises>')
    root = tree.fromstring(drawing)
    assert root.get("role") == "img"
    assert root.get("aria-label") == 'loss "falls" & <rises>'
    assert root.find("{http://www.w3.org/2000/svg}title").text == 'loss "falls" & <rises>'
    assert root.get("viewBox")
    assert root.get("width") is None
    assert "max-width" in root.get("style")


def test_no_style_rule_of_the_svg_reaches_the_rest_of_the_page():
    drawing = figure_svg(_figure(), "a line")
    for sheet in re.findall(r"<style.*?>(.*?)</style>", drawing, flags=re.S):
        rules = re.findall(
            r"([^{}@]+)\{[^{}]*\}", re.sub(r"@media\([^)]*\)|@media print", "", sheet)
        )
        assert rules
        assert all(rule.strip("{} ").startswith(".llmlab-") for rule in rules)


def test_the_same_figure_gives_the_same_svg_and_a_second_copy_other_ids():
    style._shown.clear()
    first, second = figure_svg(_figure(), "a line"), figure_svg(_figure(), "a line")
    style._shown.clear()
    assert figure_svg(_figure(), "a line") == first
    ids = [set(re.findall(r'\bid="([^"]+)"', drawing)) for drawing in (first, second)]
    assert ids[0]
    assert not ids[0] & ids[1]
    for drawing, known in zip((first, second), ids, strict=True):
        assert set(re.findall(r'(?:href="#|url\(#)([^")]+)', drawing)) == known


def test_digits_of_a_label_are_never_cut():
    figure, axes = new_figure()
    axes.text(0.5, 0.5, "0.693147 nats")
    assert ">0.693147 nats<" in figure_svg(figure, "ln 2")


def test_black_of_matplotlib_counts_as_ink():
    figure, axes = new_figure()
    axes.text(0.5, 0.5, "word", color="black")
    assert "#000000" not in figure_svg(figure, "a word")


def test_show_displays_the_svg_and_closes_a_pyplot_figure(monkeypatch):
    import IPython.display
    import matplotlib.pyplot as pyplot

    shown = []
    monkeypatch.setattr(IPython.display, "display", lambda data, raw: shown.append(data))
    figure = pyplot.figure()
    show(figure, "nothing yet")
    assert pyplot.get_fignums() == []
    assert shown[0]["text/html"].startswith("<svg")
    assert shown[0]["text/plain"] == "[figure: nothing yet]"


@pytest.mark.parametrize(("name", "fades"), [("Blues", True), ("RdBu", True), ("viridis", False)])
def test_white_of_a_heat_map_fades_into_the_page(name, fades):
    figure, axes = new_figure()
    image = axes.imshow([[0.0, 1.0], [0.5, 0.2]], cmap=name)
    before = image.cmap(np.linspace(0, 1, 256))
    figure_svg(figure, "a map")
    after = image.cmap(np.linspace(0, 1, 256))
    white = before[:, :3].min(axis=1) > 0.96
    assert fades == bool(white.any())
    assert (after[white, 3] < 0.05).all()
    on_white = 1 - after[:, 3:] + after[:, 3:] * after[:, :3]
    assert np.allclose(on_white, before[:, :3], atol=0.005)


def test_a_caption_stands_under_the_figure(monkeypatch):
    import IPython.display

    shown = []
    monkeypatch.setattr(IPython.display, "display", lambda data, raw: shown.append(data))
    show(_figure(), "a line", caption="Loss < 1 from step 40 on.")
    markup = shown[0]["text/html"]
    assert markup.startswith('<figure class="llmlab-captioned"><svg')
    assert markup.endswith("<figcaption>Loss &lt; 1 from step 40 on.</figcaption></figure>")
    assert shown[0]["text/plain"] == "[figure: a line] Loss < 1 from step 40 on."


@pytest.mark.parametrize("alt", ["", "   ", None])
def test_a_figure_without_words_is_refused(alt):
    with pytest.raises(ValueError, match="alt must say in words"):
        figure_svg(_figure(), alt)


def test_an_unknown_or_negative_size_is_refused():
    with pytest.raises(ValueError, match="narrow, column, wide or inches: got 'huge'"):
        new_figure("huge")
    with pytest.raises(ValueError, match="must be positive"):
        new_figure(4.0, height=0)
