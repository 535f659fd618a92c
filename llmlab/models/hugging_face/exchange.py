"""What every exchange needs: the package itself, refusals, and names that differ."""

from __future__ import annotations

import torch

Weights = dict[str, torch.Tensor]


def transformers():
    """The package ``transformers``.

    Raises:
        ImportError: if it is not installed.
    """
    try:
        import transformers as package
    except ImportError as error:
        raise ImportError(
            "to_hugging_face needs the package transformers 4.45 or newer."
        ) from error
    return package


def require(model: str, config, **accepted: list) -> None:
    """Raise ValueError if the config asks for anything but what is accepted of it."""
    for name, values in accepted.items():
        value = getattr(config, name)
        if value not in values:
            names = " or ".join(repr(v) for v in values)
            raise ValueError(f"{name} must be {names} for {model}: got {name}={value!r}.")


def rename(name: str, names: dict[str, str], block: dict[str, str], blocks: str) -> str:
    """``module.kind`` or ``….layer.module.kind`` with the module's and the blocks' new names."""
    module, kind = name.rsplit(".", 1)
    if module in names:
        return f"{names[module]}.{kind}"
    numbered = module.split(".")
    at = next(i for i, part in enumerate(numbered) if part.isdigit())
    return f"{blocks}.{numbered[at]}.{block['.'.join(numbered[at + 1 :])]}.{kind}"


def inverse(names: dict[str, str]) -> dict[str, str]:
    """The dictionary read backwards."""
    return {theirs: ours for ours, theirs in names.items()}
