"""The masking game: the reader guesses hidden letters against a model."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import traitlets

from llmlab.display.arrays import visible
from llmlab.display.sources import module, styles
from llmlab.display.widgets.shared.widget import Widget

__all__ = ["MaskingGame"]

BLANK = "_"
SHOWN = 4  # guesses of the model for each blank


class MaskingGame(Widget):
    """Lines of text with hidden letters; the reader types a guess, then sees the model's.

    ``blanks`` gives, for each of ``lines``, the places of its hidden letters. ``guess(window,
    place)`` is the model: it gets ``context`` characters around one blank, with "_" for every
    letter that is hidden there, and the place of the blank among them, and returns pairs of a
    character and its probability. It is asked once for every blank, when the widget is made. Both
    sides count as right if their first guess is the letter, capital or small. Raises ValueError
    where a line, a blank or a guess is not accepted.
    """

    _esm = module("widgets/masking_game/masking_game.js")
    _css = styles("widgets/shared/theme.css", "widgets/masking_game/masking_game.css")

    lines = traitlets.List(traitlets.Unicode()).tag(sync=True)
    # For each line a list of blanks: {"place", "from", "to" (what the model saw), "guesses"}.
    blanks = traitlets.List(traitlets.List(traitlets.Dict())).tag(sync=True)
    name = traitlets.Unicode().tag(sync=True)  # of the model

    def __init__(
        self,
        lines: Sequence[str],
        blanks: Sequence[Sequence[int]],
        guess: Callable[[str, int], Sequence[tuple[str, float]]],
        *,
        context: int,
        name: str = "The model",
        title: str = "",
    ):
        if not lines or len(lines) != len(blanks):
            raise ValueError(
                f"blanks must have one list for each of at least one line: got {len(blanks)} lists"
                f" for {len(lines)} lines."
            )
        pairs = zip(lines, blanks, strict=True)
        rounds = [_round(line, places, guess, context) for line, places in pairs]
        super().__init__(lines=list(lines), blanks=rounds, name=name, title=title)
        self.description = f"A guessing game: {self.sentence()}"

    def score(self) -> tuple[int, int]:
        """How many blanks the model's first guess fills, and how many there are."""
        right = [
            blank["guesses"][0][0].lower() == line[blank["place"]].lower()
            for line, blanks in zip(self.lines, self.blanks, strict=True)
            for blank in blanks
        ]
        return sum(right), len(right)

    def sentence(self) -> str:
        """What the widget holds, in words."""
        right, blanks = self.score()
        return (
            f"{blanks} letters are hidden in {len(self.lines)} lines;"
            f" {self.name} fills {right} of them at its first guess."
        )


def _round(line: str, places: Sequence[int], guess: Callable, context: int) -> list[dict]:
    about = f"of the line {line[:30]!r}"
    if BLANK in line or len(line) < context:
        raise ValueError(
            f"lines must have at least context={context} characters and no {BLANK!r}: got {line!r}."
        )
    places = sorted(places)
    if not places or len(places) > len(set(places)):
        raise ValueError(f"blanks {about} must be different places, at least one: got {places}.")
    for place in places:
        if not (0 <= place < len(line) and line[place].isalpha()):
            raise ValueError(f"blanks {about} must be places of letters: got {place}.")
    hidden = "".join(BLANK if at in places else letter for at, letter in enumerate(line))
    found = []
    for place in places:
        start = min(max(place - context // 2, 0), len(line) - context)
        window = hidden[start : start + context]
        guesses = _checked(guess(window, place - start), about)
        found.append({"place": place, "from": start, "to": start + context, "guesses": guesses})
    return found


def _checked(guesses: Sequence[tuple[str, float]], about: str) -> list[list]:
    """The likeliest guesses, as [character as it can be seen, probability]."""
    ranked = sorted(guesses, key=lambda guess: -guess[1])[:SHOWN]
    if not ranked or any(len(letter) != 1 or not 0 <= p <= 1 for letter, p in ranked):
        raise ValueError(
            f"guess {about} must return pairs of one character and a probability: got {ranked}."
        )
    return [[visible(letter), round(float(p), 4)] for letter, p in ranked]
