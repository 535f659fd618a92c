"""The package's own text, shown where a chapter explains it."""

from __future__ import annotations

import inspect
from collections.abc import Callable

__all__ = ["show_source"]


def show_source(part: type | Callable) -> None:
    """Show the source of a class or function of the package, as it stands in its file.

    So a listing in a chapter cannot differ from what runs. Raises TypeError where Python knows no
    source for ``part``.
    """
    from IPython.display import display

    source = inspect.getsource(part).rstrip()
    display({"text/markdown": f"```python\n{source}\n```", "text/plain": source}, raw=True)
