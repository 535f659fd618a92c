from __future__ import annotations

import json
import random
from itertools import pairwise

import pytest
import tokenizers

from llmlab.data import BPETokenizer, BPETrainer, load_corpus, merge_pair, synthetic_corpus
from llmlab.data.bpe import BASE_BYTES


def test_merge_pair_goes_from_left_to_right():
    assert merge_pair([1, 2, 1, 2, 1], (1, 2), 9) == [9, 9, 1]
    assert merge_pair([1, 1, 1], (1, 1), 9) == [9, 1]
    assert merge_pair([1, 1, 1, 1], (1, 1), 9) == [9, 9]
    assert merge_pair([], (1, 1), 9) == []
    assert merge_pair([3], (1, 1), 9) == [3]


def test_merges_worked_by_hand():
    # Words: "hug" x3, " hug" x2, " pug" x1. Pairs: ug 6, hu 5, " h" 2, " p" 1, pu 1.
    trainer = BPETrainer("hug")
    assert trainer.step().token == b"hu"  # hu and ug tie; h is the smaller id
    trainer = BPETrainer("hug\nhug\nhug hug hug pug")
    first = trainer.step()
    assert (first.pair, first.token, first.count) == ((b"u", b"g"), b"ug", 6)
    # Now: h+ug 5, " "+h 2, " "+p 1, p+ug 1.
    assert trainer.step()[1:] == (b"hug", 5)
    assert trainer.step()[1:] == (b" hug", 2)
    tokenizer = trainer.tokenizer()
    assert tokenizer.vocab_size == 259
    assert tokenizer.merges == [(b"u", b"g"), (b"h", b"ug"), (b" ", b"hug")]
    assert tokenizer.tokens("hug hug mugs") == ["hug", " hug", " ", "m", "ug", "s"]
    assert tokenizer.encode("hug hug") == [257, 258]


def test_training_ends_when_nothing_is_left_to_merge():
    tokenizer = BPETokenizer.train("ab", 1000)
    assert tokenizer.merges == [(b"a", b"b")]
    trainer = BPETrainer("a b")
    assert trainer.step().token == b" b"
    assert trainer.step() is None


def test_counts_stay_true_while_training():
    trainer = BPETrainer(synthetic_corpus(3_000).text + " aaaaaaa aaa banana bananana")
    while step := trainer.step():
        true: dict[tuple[int, int], int] = {}
        for word, count in zip(trainer.words, trainer.word_counts, strict=True):
            for pair in pairwise(word):
                true[pair] = true.get(pair, 0) + count
        assert {pair: n for pair, n in trainer.pair_counts.items() if n} == true
        assert step.count > 0
        if len(trainer.merges) == 150:
            break


def test_no_token_crosses_a_word():
    tokenizer = BPETokenizer.train("the cat, the dog. " * 200, 400)
    assert tokenizer.tokens("the cat, the dog.") == ["the", " cat", ",", " the", " dog", "."]


def train_elsewhere(text: str, vocab_size: int):
    """Hugging Face's tokenizer with the same settings."""
    levels = tokenizers.pre_tokenizers.ByteLevel
    tokenizer = tokenizers.Tokenizer(tokenizers.models.BPE())
    tokenizer.pre_tokenizer = levels(add_prefix_space=False)
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=vocab_size, initial_alphabet=levels.alphabet(), show_progress=False
    )
    tokenizer.train_from_iterator([text], trainer)
    return tokenizer


def byte_merges(tokenizer) -> list[tuple[bytes, bytes]]:
    """Its merges in bytes: it writes a byte that does not print as a character from U+0100 on."""
    written = {chr(byte): byte for byte in BASE_BYTES[:188]}
    written |= {chr(256 + i): byte for i, byte in enumerate(BASE_BYTES[188:])}
    merges = json.loads(tokenizer.to_str())["model"]["merges"]
    return [tuple(bytes(written[c] for c in part) for part in merge) for merge in merges]


def few_letters(seed: int) -> str:
    """Random words over three letters: runs of one letter, and ties at every step."""
    rng = random.Random(seed)
    words = ("".join(rng.choices("aab", k=rng.randrange(1, 12))) for _ in range(300))
    return " ".join(words) + "   \n\n" + "é漢" * 5


TEXTS = {
    "synthetic": lambda: synthetic_corpus(100_000).text,
    **{f"few letters {seed}": lambda seed=seed: few_letters(seed) for seed in range(5)},
    "shakespeare": lambda: load_corpus("shakespeare").text[:200_000],
    "basic-english": lambda: load_corpus("basic-english").text[:200_000],
    "wikipedia": lambda: load_corpus("wikipedia").text[:200_000],
    "code": lambda: load_corpus("code").text[:200_000],
}


@pytest.mark.parametrize("name", TEXTS)
def test_agrees_with_hugging_face_merge_by_merge(name):
    text = TEXTS[name]()
    ours, theirs = BPETokenizer.train(text, 1024), train_elsewhere(text, 1024)
    assert ours.merges == byte_merges(theirs)
    assert ours.vocab_size == theirs.get_vocab_size()
    strange = "It's 12½ o'clock—naïve café; x_y\t\t=  {};\n\n  漢字 😀 \u00a0\u2003end  "
    for sample in (text[:50_000], strange):
        assert ours.encode(sample) == theirs.encode(sample).ids
