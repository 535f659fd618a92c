"""What the learner gets back: a verdict that reads well printed, on a page and as JSON."""

from __future__ import annotations

import html
import re
from dataclasses import asdict, dataclass
from typing import Any

_MARKS = {"passed": "✓", "failed": "✗", "not attempted": "○", "grader error": "!", "stopped": "■"}


@dataclass(frozen=True)
class Verdict:
    """The outcome of a check.

    ``status`` is ``"passed"``, ``"failed"``, ``"not attempted"``, ``"stopped"`` or
    ``"grader error"``; only the first two are scored. ``test`` is the name of the test that
    failed, ``hint`` what the recognised mistake earns, ``line`` the learner's line at fault
    (counted from 1 in their cell or file), ``output`` what their code printed.
    """

    exercise: str
    status: str
    message: str
    test: str | None = None
    hint: str | None = None
    line: int | None = None
    output: str = ""

    @property
    def passed(self) -> bool:
        """Whether every test passed."""
        return self.status == "passed"

    def to_dict(self) -> dict[str, Any]:
        """The verdict as plain values, ready for JSON."""
        return {**asdict(self), "passed": self.passed}

    def __str__(self) -> str:
        lines = [f"{_MARKS[self.status]} {self.exercise}: {self.status}. {self.message}"]
        if self.hint:
            lines.append(f"  Hint: {self.hint}")
        if self.output:
            lines.append("  Your code printed:\n" + self.output.rstrip())
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        """A calm card that takes the page's own colours, so that it suits light and dark."""
        kind = self.status.replace(" ", "-")
        parts = [
            f'<p style="margin:0"><span aria-hidden="true">{_MARKS[self.status]}</span> '
            f"<strong>{self.status.capitalize()}</strong> "
            f'<code class="llmlab-verdict-id">{html.escape(self.exercise)}</code></p>',
            f'<p class="llmlab-verdict-message" style="margin:.4em 0 0">{_rich(self.message)}</p>',
        ]
        if self.hint:
            parts.append(
                '<p class="llmlab-verdict-hint" style="margin:.4em 0 0">'
                f"<strong>Hint.</strong> {_rich(self.hint)}</p>"
            )
        if self.output:
            parts.append(
                '<details class="llmlab-verdict-output" style="margin:.4em 0 0">'
                "<summary>What your code printed</summary>"
                f'<pre style="color:inherit;background:none">{html.escape(self.output)}</pre>'
                "</details>"
            )
        return (
            f'<div class="llmlab-verdict llmlab-verdict-{kind}" role="status" '
            'style="border:1px solid;border-left-width:.3em;border-color:currentColor;'
            'border-radius:.3em;padding:.6em .9em;margin:.5em 0;color:inherit">'
            + "".join(parts)
            + "</div>"
        )


def _rich(text: str) -> str:
    """Escape text for a page and set what stands in backticks as code."""
    return re.sub(
        r"`([^`]+)`",
        r'<code style="color:inherit;background:none">\1</code>',
        html.escape(text, quote=False),
    )
