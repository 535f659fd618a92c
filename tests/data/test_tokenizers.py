from __future__ import annotations

import json
import os
import random

import pytest

from llmlab.data import (
    BPETokenizer,
    ByteTokenizer,
    CharTokenizer,
    TokenizerError,
    load_tokenizer,
    synthetic_corpus,
)

TEXT = synthetic_corpus(20_000).text


def random_text(rng: random.Random) -> str:
    """Strings a tokenizer may stumble over: any plane of Unicode, controls, runs of spaces."""
    pools = [
        lambda: chr(rng.randrange(0x20, 0x7F)),
        lambda: chr(rng.randrange(0x00, 0x20)),
        lambda: chr(rng.randrange(0x80, 0xD800)),
        lambda: chr(rng.randrange(0xE000, 0x110000)),
        lambda: rng.choice(" \t\n\r\u00a0\u2003\u3000\x1c\x85"),
        lambda: rng.choice(
            ["'s", "'LL", "½", "²", "Ⅷ", "_", "e\u0301", "👩‍👩‍👧", "漢字", "नमस्ते", "\ufeff"]
        ),
    ]
    return "".join(rng.choice(pools)() for _ in range(rng.randrange(60)))


BYTE_LEVEL = [ByteTokenizer(), BPETokenizer.train(TEXT, 256), BPETokenizer.train(TEXT, 400)]


@pytest.mark.parametrize("tokenizer", BYTE_LEVEL, ids=repr)
def test_byte_level_tokenizers_round_trip_every_string(tokenizer):
    rng = random.Random(0)
    for text in ["", " ", "\0", "😀", TEXT, *(random_text(rng) for _ in range(400))]:
        ids = tokenizer.encode(text)
        assert tokenizer.decode(ids) == text
        assert all(0 <= i < tokenizer.vocab_size for i in ids)
        assert len(tokenizer.tokens(text)) == len(ids)


def test_characters_round_trip():
    tokenizer = CharTokenizer.train("hello\n😀")
    assert tokenizer.characters == ("\n", "e", "h", "l", "o", "😀")
    assert tokenizer.vocab_size == 6
    assert tokenizer.encode("hole😀") == [2, 4, 3, 1, 5]
    assert tokenizer.decode([2, 4, 3, 1, 5]) == "hole😀"
    assert tokenizer.tokens("he") == ["h", "e"]
    assert tokenizer.encode("") == []
    assert tokenizer.decode([]) == ""


def test_unknown_character_is_named_with_its_position():
    with pytest.raises(TokenizerError) as raised:
        CharTokenizer.train("hello").encode("hell9o")
    assert str(raised.value) == (
        "text holds '9' at position 4, which is none of the 4 characters this tokenizer was "
        "trained on."
    )


def test_bytes_are_their_own_ids():
    assert ByteTokenizer().encode("aé") == [97, 0xC3, 0xA9]
    assert ByteTokenizer().tokens("aé") == ["a", "\\xc3", "\\xa9"]
    assert ByteTokenizer().decode([97, 0xC3]) == "a\ufffd"


@pytest.mark.parametrize("tokenizer", BYTE_LEVEL, ids=repr)
def test_lone_surrogates_are_refused(tokenizer):
    with pytest.raises(TokenizerError, match=r"position 2 holds the lone surrogate '\\ud83d'"):
        tokenizer.encode("ab\ud83d")


@pytest.mark.parametrize("tokenizer", [*BYTE_LEVEL, CharTokenizer("abc")], ids=repr)
def test_ids_out_of_range_are_refused(tokenizer):
    for wrong in (tokenizer.vocab_size, -1):
        with pytest.raises(TokenizerError, match=rf"ids must lie in 0..\d+: got {wrong}\."):
            tokenizer.decode([0, wrong])


@pytest.mark.parametrize("tokenizer", [*BYTE_LEVEL, CharTokenizer.train(TEXT)], ids=repr)
def test_files_restore_the_tokenizer(tokenizer, tmp_path):
    path = tmp_path / "tokenizer.json"
    tokenizer.save(path)
    restored = load_tokenizer(path)
    assert type(restored) is type(tokenizer)
    assert restored.to_dict() == tokenizer.to_dict()
    assert restored.encode(TEXT) == tokenizer.encode(TEXT)
    assert os.listdir(tmp_path) == ["tokenizer.json"]


def test_a_failed_save_keeps_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "tokenizer.json"
    CharTokenizer("ab").save(path)

    def full_disk(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full_disk)
    with pytest.raises(TokenizerError, match=r"could not write .* No space left"):
        CharTokenizer("xyz").save(path)
    assert load_tokenizer(path).vocab_size == 2
    assert os.listdir(tmp_path) == ["tokenizer.json"]


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        "{}",
        '{"kind": "char", "cha',
        '{"kind": "word"}',
        '{"kind": "char"}',
        '{"kind": "char", "characters": []}',
        '{"kind": "char", "characters": ["ab"]}',
        '{"kind": "char", "characters": ["a", "a"]}',
        '{"kind": "char", "characters": [1, 2]}',
        '{"kind": "bpe", "pattern": "gpt2", "bytes": [], "merges": []}',
        '{"kind": "pretrained", "name": "gpt5"}',
        "\ufffd\0",
    ],
)
def test_damaged_files(tmp_path, content):
    path = tmp_path / "tokenizer.json"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(TokenizerError, match=r"path must be an undamaged tokenizer file of kind"):
        load_tokenizer(path)


def test_bpe_file_with_impossible_merges(tmp_path):
    data = BPETokenizer([]).to_dict()
    path = tmp_path / "tokenizer.json"
    for merges in ([[256, 0]], [[0, 1], [0, 257]], [[-1, 0]], [[1]], ["ab"], 7):
        path.write_text(json.dumps({**data, "merges": merges}))
        with pytest.raises(TokenizerError, match="undamaged"):
            load_tokenizer(path)


def test_missing_file(tmp_path):
    with pytest.raises(TokenizerError, match=r"could not read .*none\.json': No such file"):
        load_tokenizer(tmp_path / "none.json")


def test_nothing_to_train_on():
    for train in (CharTokenizer.train, lambda text: BPETokenizer.train(text, 300)):
        with pytest.raises(TokenizerError, match="text must hold at least one character"):
            train("")
    with pytest.raises(TokenizerError, match=r"vocab_size must be 256 .* got 255\."):
        BPETokenizer.train("text", 255)
