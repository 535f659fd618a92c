"""bertviz's head and model views as widgets that need no network.

bertviz writes a script that fetches d3 and jQuery from a CDN. It uses little of either, so the
widget gives its script d3's selection module (13 KB, vendored here with its licence) and a handful
of jQuery's methods, and hands it the weights as float32 bytes instead of printed numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import traitlets

from llmlab.display.arrays import attention_array, visible
from llmlab.display.sources import module, styles
from llmlab.display.widgets.shared.widget import Widget

__all__ = ["head_view", "model_view"]

MOST_LINES = 36_000  # one SVG line for each weight: more than this and a browser stumbles


def _module(view: str) -> str:
    """The ES module of ``view``: our mounting around bertviz's own, unchanged script."""
    spec = find_spec("bertviz")
    if spec is None or not spec.submodule_search_locations:
        raise ImportError("head_view and model_view need bertviz: pip install bertviz.")
    script = Path(spec.submodule_search_locations[0], f"{view}.js").read_text(encoding="utf-8")
    if "PYTHON_PARAMS" not in script:
        raise ImportError(f"this version of bertviz has no {view} that takes PYTHON_PARAMS.")
    d3 = styles("widgets/heads/vendor/d3-selection.min.js")
    return "\n".join(
        (
            module("widgets/shared/common.js"),
            "const selection = (() => { const exports = {}, module = {};",
            f"{d3}\nreturn exports; }})();",
            f"const VIEW = {view!r};",
            "// From here to the end of this function: bertviz, Jesse Vig, Apache-2.0.",
            "function bertviz(given, require, requirejs, console) {",
            script.replace("PYTHON_PARAMS", "given"),
            "}",
            module("widgets/heads/heads.js"),
        )
    )


class _Heads(Widget):
    _css = styles("widgets/shared/theme.css", "widgets/heads/heads.css")

    weights = traitlets.Bytes().tag(sync=True)
    shape = traitlets.List(traitlets.Int()).tag(sync=True)  # L, H, T
    tokens = traitlets.List(traitlets.Unicode()).tag(sync=True)
    layer = traitlets.Int(0).tag(sync=True)

    def __init__(self, view: str, maps: Any, tokens: Sequence[str], lines: Any, **traits):
        weights = attention_array(maps, tokens)
        L, H, T, _ = weights.shape
        if lines(L, H, T) > MOST_LINES:
            raise ValueError(
                f"tokens must be fewer for {view}: {T} tokens draw {lines(L, H, T)} lines,"
                f" and a browser manages {MOST_LINES}."
            )
        coarse = np.round(weights * 4096) / 4096
        super().__init__(
            weights=coarse.astype("<f4").tobytes(),
            shape=[L, H, T],
            tokens=[visible(token) for token in tokens],
            description=f"Lines from each of {T} tokens to the tokens it looks at,"
            f" in {L} layers of {H} heads.",
            **traits,
        )


class HeadView(_Heads):
    """bertviz's head view; make one with :func:`head_view`."""

    _esm = _module("head_view")

    def __init__(self, maps: Any, tokens: Sequence[str], *, layer: int = 0, title: str = ""):
        if not 0 <= layer < len(maps):
            raise ValueError(f"layer must be between 0 and {len(maps) - 1}: got {layer}.")
        super().__init__(
            "head_view", maps, tokens, lambda L, H, T: H * T * T, layer=layer, title=title
        )


class ModelView(_Heads):
    """bertviz's model view; make one with :func:`model_view`."""

    _esm = _module("model_view")

    def __init__(self, maps: Any, tokens: Sequence[str], *, title: str = ""):
        super().__init__("model_view", maps, tokens, lambda L, H, T: L * H * T * T, title=title)


def head_view(maps: Any, tokens: Sequence[str], *, layer: int = 0, title: str = "") -> HeadView:
    """Lines from each token to those it looks at, a colour for each head of one layer (bertviz).

    ``maps`` is a list over layers of (H, T, T) weights, ``tokens`` the T pieces of text.
    """
    return HeadView(maps, tokens, layer=layer, title=title)


def model_view(maps: Any, tokens: Sequence[str], *, title: str = "") -> ModelView:
    """Every head of every layer at once, small; a click opens one (bertviz).

    ``maps`` is a list over layers of (H, T, T) weights, ``tokens`` the T pieces of text.
    """
    return ModelView(maps, tokens, title=title)
