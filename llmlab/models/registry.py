"""Models by their configs, and configs as plain dictionaries: what a checkpoint stores."""

from __future__ import annotations

from dataclasses import MISSING, asdict, fields
from typing import Any

from torch import nn

from llmlab.models.bert import BERT, BERTConfig
from llmlab.models.fast_gpt import FastGPT, FastGPTConfig
from llmlab.models.gpt import GPT, GPTConfig
from llmlab.models.gru import GRUConfig, GRULanguageModel

MODELS: dict[str, tuple[type, type[nn.Module]]] = {
    "gpt": (GPTConfig, GPT),
    "bert": (BERTConfig, BERT),
    "fast_gpt": (FastGPTConfig, FastGPT),
    "gru": (GRUConfig, GRULanguageModel),
}


def build(config) -> nn.Module:
    """The model, newly initialised, that a config describes.

    Raises:
        TypeError: if it is not a model's config.
    """
    return MODELS[_name_of(config)][1](config)


def describe_model(model: nn.Module) -> dict[str, Any]:
    """A model's config as a dictionary; ``"model": None`` for a class of one's own."""
    if not hasattr(model, "config"):
        return {"model": None, "class": type(model).__name__}
    return config_to_dict(model.config)


def config_to_dict(config) -> dict:
    """The config as a dictionary for JSON; its "model" says which kind it is."""
    return {"model": _name_of(config), **asdict(config)}


def config_from_dict(values: dict):
    """The config that ``config_to_dict`` wrote.

    Raises:
        ValueError: if the kind is unknown, or a field is unknown, missing or not accepted.
    """
    values = dict(values)
    name = values.pop("model", None)
    if name not in MODELS:
        raise ValueError(f'"model" in values must be one of {", ".join(MODELS)}: got {name!r}.')
    config_class = MODELS[name][0]
    known = {field.name: field for field in fields(config_class)}
    unknown = sorted(set(values) - set(known))
    if unknown:
        raise ValueError(
            f"a {name} config has the fields {', '.join(known)}: got {', '.join(unknown)}."
        )
    needed = [n for n, field in known.items() if field.default is MISSING and n not in values]
    if needed:
        raise ValueError(f"a {name} config must have {', '.join(needed)}: got {sorted(values)}.")
    return config_class(**values)


def _name_of(config) -> str:
    for name, (config_class, _) in MODELS.items():
        if type(config) is config_class:
            return name
    accepted = ", ".join(config_class.__name__ for config_class, _ in MODELS.values())
    raise TypeError(f"config must be one of {accepted}: got {type(config).__name__}.")
