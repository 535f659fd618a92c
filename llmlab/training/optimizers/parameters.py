"""What an optimizer is given to move."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from torch import Tensor


def checked_parameters(params: Iterable[Any]) -> list[Any]:
    """The parameters, or groups of them, as a list.

    Raises:
        ValueError: if there are none.
        TypeError: if one is neither a tensor, nor a name with one, nor a dictionary.
    """
    found = list(params)
    if not found:
        raise ValueError("params must hold a parameter or more: got none.")
    for each in found:
        if not isinstance(each, (Tensor, dict)) and not _is_named(each):
            raise TypeError(
                f"params must be parameters, or groups of them: got {type(each).__name__}."
            )
    return found


def _is_named(each: Any) -> bool:
    return isinstance(each, tuple) and len(each) == 2 and isinstance(each[1], Tensor)
