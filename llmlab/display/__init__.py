"""Figures, widgets and cards: tensors and run records in, something worth looking at out.

Nothing here trains. Names are imported when first used, because a bare GPU machine has neither
Matplotlib nor anywidget.
"""

from __future__ import annotations

from importlib import import_module

_HOMES = {
    "style": ("PALETTE", "figure_svg", "legend_above", "new_figure", "show"),
    "figures": ("attention_figure", "bar_figure", "heat_figure", "line_figure", "loss_figure"),
    "attention_map": ("AttentionMap",),
    "query_key_plane": ("QueryKeyPlane",),
    "position_clocks": ("PositionClocks",),
    "bpe_explorer": ("BPEExplorer",),
    "masking_game": ("MaskingGame",),
    "loss_curves": ("LiveLoss", "LossCurves"),
    "heads": ("head_view", "model_view"),
    "microscope": ("Microscope",),
    "quiz": ("Choice", "Question", "Quiz"),
    "claims": ("chapter_cost", "settle"),
}
_HOME = {name: home for home, names in _HOMES.items() for name in names}

__all__ = sorted(_HOME)


def __getattr__(name: str):
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return sorted(set(globals()) | set(_HOME))
