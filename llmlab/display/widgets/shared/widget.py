"""What every widget of the book has: a title, and words that stand for it where no script runs."""

from __future__ import annotations

import anywidget
import traitlets


class Widget(anywidget.AnyWidget):
    """An anywidget with a title and a description.

    ``description`` says in one sentence what a reader would see. The page shows it until the widget
    is mounted, and instead of it where scripts are off.
    """

    title = traitlets.Unicode("").tag(sync=True)
    description = traitlets.Unicode("").tag(sync=True)
