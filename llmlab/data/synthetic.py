"""Synthetic text: a tiny grammar that speaks in short scenes, so that no chapter needs a network.

The text has what a small language model can learn step by step: letters, words with very unequal
frequencies, agreement between subject and verb, and a layout with speakers.
"""

from __future__ import annotations

import random

from llmlab.checks import check_sizes

__all__ = ["synthetic_text"]

SPEAKERS = ("ROSALIND", "MIRANDA", "HORATIO", "BENEDICK", "PORTIA", "FESTE")
# (singular, plural); earlier words are drawn more often.
NOUNS = (
    ("king", "kings"), ("night", "nights"), ("friend", "friends"), ("heart", "hearts"),
    ("ship", "ships"), ("crown", "crowns"), ("storm", "storms"), ("letter", "letters"),
    ("garden", "gardens"), ("fool", "fools"), ("sword", "swords"), ("daughter", "daughters"),
    ("river", "rivers"), ("candle", "candles"), ("promise", "promises"), ("tower", "towers"),
)  # fmt: skip
VERBS = (
    ("keeps", "keep"), ("knows", "know"), ("loves", "love"), ("finds", "find"),
    ("fears", "fear"), ("leaves", "leave"), ("calls", "call"), ("remembers", "remember"),
    ("follows", "follow"), ("betrays", "betray"), ("guards", "guard"), ("breaks", "break"),
)  # fmt: skip
ADJECTIVES = ("good", "old", "sweet", "dark", "noble", "gentle", "bitter", "golden", "silent")
PLACES = ("by the sea", "at the gate", "in the forest", "before the dawn", "under the moon")
OPENINGS = ("", "", "", "My lord, ", "O, ", "Peace! ", "I tell thee, ", "And yet ")
ENDINGS = (".", ".", ".", "!", "?", ";")


def synthetic_text(characters: int, seed: int = 0) -> str:
    """Exactly ``characters`` characters of dialogue, the same for the same seed.

    Raises:
        ValueError: fewer than one character.
    """
    check_sizes(characters=characters)
    rng = random.Random(seed)
    pieces: list[str] = []
    length = 0
    while length < characters:
        pieces.append(_speech(rng))
        length += len(pieces[-1])
    return "".join(pieces)[:characters]


def _speech(rng: random.Random) -> str:
    lines = [_sentence(rng) for _ in range(rng.randint(1, 4))]
    return f"{rng.choice(SPEAKERS)}:\n" + "\n".join(lines) + "\n\n"


def _sentence(rng: random.Random) -> str:
    subject, plural = _noun_phrase(rng)
    verb = _zipf(rng, VERBS)[plural]
    thing, _ = _noun_phrase(rng)
    place = f" {rng.choice(PLACES)}" if rng.random() < 0.4 else ""
    sentence = f"{rng.choice(OPENINGS)}{subject} {verb} {thing}{place}{rng.choice(ENDINGS)}"
    return sentence[0].upper() + sentence[1:]


def _noun_phrase(rng: random.Random) -> tuple[str, bool]:
    """A noun with its article, and whether it is plural."""
    plural = rng.random() < 0.35
    noun = _zipf(rng, NOUNS)[plural]
    article = rng.choice(("the", "our", "these")) if plural else rng.choice(("the", "my", "this"))
    adjective = f"{_zipf(rng, ADJECTIVES)} " if rng.random() < 0.5 else ""
    return f"{article} {adjective}{noun}", plural


def _zipf(rng: random.Random, words: tuple) -> str:
    """Draw with probability proportional to 1 / rank, as words are in real languages."""
    return rng.choices(words, weights=[1 / rank for rank in range(1, len(words) + 1)])[0]
