"""From tokens to text, piece by piece: whole characters only, and nothing past a stop string."""

from __future__ import annotations

from collections.abc import Sequence


class TextWriter:
    """Turns tokens into text, releasing only whole characters that belong to no stop string.

    Args:
        tokenizer: anything with ``decode(ids) -> str``.
        stop: a string, or several, at which the text ends.

    Raises:
        ValueError: if a stop string is empty or no string.
    """

    def __init__(self, tokenizer, stop: str | Sequence[str]):
        self._tokenizer = tokenizer
        self._stop = (stop,) if isinstance(stop, str) else tuple(stop)
        if not all(isinstance(text, str) and text for text in self._stop):
            raise ValueError(f"stop must be strings of one character or more: got {stop!r}.")
        self._tokens: list[int] = []
        self._held = ""
        self.stopped = False

    def write(self, token: int) -> str:
        """Text that the token releases; "" if it is held back or the text has ended."""
        if self.stopped:
            return ""
        self._tokens.append(token)
        text = self._tokenizer.decode(self._tokens)
        # A byte tokenizer may be in the middle of a character: wait for the rest of its bytes.
        return "" if text.endswith("\N{REPLACEMENT CHARACTER}") else self._release(text)

    def finish(self) -> str:
        """Text held back so far, which now can no longer become anything else."""
        if self.stopped:
            return ""
        text = self._release(self._tokenizer.decode(self._tokens)) if self._tokens else ""
        return text + self._held

    def _release(self, text: str) -> str:
        self._tokens = []
        self._held += text
        found = [self._held.find(stop) for stop in self._stop if stop in self._held]
        if found:
            self.stopped = True
            released, self._held = self._held[: min(found)], ""
            return released
        keep = max((_overlap(self._held, stop) for stop in self._stop), default=0)
        released = self._held[: len(self._held) - keep]
        self._held = self._held[len(self._held) - keep :]
        return released


def _overlap(text: str, stop: str) -> int:
    """Length of the longest end of ``text`` that ``stop`` could begin with."""
    return next(n for n in range(min(len(stop) - 1, len(text)), -1, -1) if text.endswith(stop[:n]))
