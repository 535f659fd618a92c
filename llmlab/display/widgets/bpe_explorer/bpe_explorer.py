"""Byte-pair merges step by step, on a text that the reader types."""

from __future__ import annotations

import math

import traitlets

from llmlab.data.bpe import BASE_BYTES, BPETokenizer
from llmlab.display.sources import module, styles
from llmlab.display.widgets.shared.widget import Widget

__all__ = ["BPEExplorer"]

LONGEST = 400  # characters of the reader's text


class BPEExplorer(Widget):
    """A text cut into pieces by the first merges of ``tokenizer``; step forward and back.

    ``text`` is what stands there first, ``step`` how many merges have been made (all of them
    unless given); both can be read back and set. The page cuts and merges by itself. Raises
    TypeError for another kind of tokenizer, ValueError for a text or step that is not accepted.
    """

    _esm = module("widgets/bpe_explorer/bpe_explorer.js")
    _css = styles("widgets/shared/theme.css", "widgets/bpe_explorer/bpe_explorer.css")

    base = traitlets.Bytes().tag(sync=True)  # the byte that each of the first 256 ids stands for
    merges = traitlets.List().tag(sync=True)  # [left id, right id], in the order learned
    text = traitlets.Unicode().tag(sync=True)
    step = traitlets.Int().tag(sync=True)
    longest = traitlets.Int(LONGEST).tag(sync=True)

    def __init__(
        self, tokenizer: BPETokenizer, text: str, *, step: int | None = None, title: str = ""
    ):
        if not isinstance(tokenizer, BPETokenizer):
            raise TypeError(f"tokenizer must be a BPETokenizer: got {type(tokenizer).__name__}.")
        if not 0 < len(text) <= LONGEST:
            raise ValueError(f"text must have 1 to {LONGEST} characters: got {len(text)}.")
        merges = tokenizer.to_dict()["merges"]
        step = len(merges) if step is None else step
        if not 0 <= step <= len(merges):
            raise ValueError(f"step must be between 0 and {len(merges)}: got {step}.")
        super().__init__(base=BASE_BYTES, merges=merges, text=text, step=step, title=title)
        self.description = f"Byte-pair merges on the text “{text}”: {self.sentence()}"

    def pieces(self) -> list[str]:
        """The pieces of the text after ``step`` merges."""
        return self._tokenizer().tokens(self.text)

    def sentence(self) -> str:
        """What the widget says aloud."""
        tokens, letters = len(self._tokenizer().encode(self.text)), len(self.text)
        bits = tokens * math.log2(len(BASE_BYTES) + self.step)
        return (
            f"After {self.step} of {len(self.merges)} merges: {letters} characters in {tokens}"
            f" tokens; at {math.log2(len(BASE_BYTES) + self.step):.2f} bits a token they take"
            f" {bits:.0f} bits, {bits / letters:.2f} a character."
        )

    def _tokenizer(self) -> BPETokenizer:
        return BPETokenizer([(left, right) for left, right in self.merges[: self.step]])
