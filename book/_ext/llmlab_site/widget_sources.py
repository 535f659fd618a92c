"""The scripts and styles of widgets, which an execution refers to and does not hold.

A widget's state names its class, and the class has the sources. Filled in when the site is built,
they are today's: to change how a widget looks or answers, no chapter has to run again.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

SOURCES = ("_esm", "_css")


def without_sources(page: dict[str, Any]) -> dict[str, Any]:
    """Return a notebook's widget state without the sources that the classes of widgets have."""
    return _with_states(
        page, lambda state, own: {k: v for k, v in state.items() if v != own.get(k)}
    )


def with_sources(page: dict[str, Any]) -> dict[str, Any]:
    """Return a notebook's widget state with the sources that its widgets' classes have today."""
    return _with_states(page, lambda state, own: {**own, **state})


def _with_states(page: dict[str, Any], change: Any) -> dict[str, Any]:
    models = {
        name: {**model, "state": change(model["state"], _class_sources(model["state"]))}
        for name, model in page["state"].items()
    }
    return {**page, "state": models}


def _class_sources(state: dict[str, Any]) -> dict[str, str]:
    """The sources of the class that a state names; none if that is not a widget of ours."""
    module, _, name = state.get("_anywidget_id", "").rpartition(".")
    if not module.startswith("llmlab."):
        return {}
    widget = getattr(import_module(module), name)
    return {key: str(getattr(widget, key)) for key in SOURCES if hasattr(widget, key)}
