from __future__ import annotations

import json
from itertools import pairwise

import pytest
import tokenizers

from llmlab.data import PretrainedTokenizer, TokenizerError, load_tokenizer, synthetic_corpus
from llmlab.data.bpe import BASE_BYTES

STRANGE = (
    "It's  12½ o'CLOCK'S—naïve café; x_y\t\t= 1234567 {};\r\n\n  漢字 मस्ते 😀👩‍👧 \u00a0\u2003end  "
)


@pytest.fixture
def gpt2():
    return PretrainedTokenizer.gpt2()


@pytest.fixture
def cl100k():
    return PretrainedTokenizer.cl100k()


def test_known_ids_of_gpt2(gpt2):
    assert gpt2.vocab_size == 50257
    assert gpt2.encode("hello world") == [31373, 995]
    assert gpt2.encode(" hello world") == [23748, 995]
    assert gpt2.encode("Hello, I'm a language model,") == [
        15496,
        11,
        314,
        1101,
        257,
        3303,
        2746,
        11,
    ]
    assert gpt2.special == {"<|endoftext|>": 50256}
    assert gpt2.decode([50256]) == "<|endoftext|>"
    assert 50256 not in gpt2.encode("<|endoftext|>")


def test_known_ids_of_cl100k(cl100k):
    assert cl100k.vocab_size == 100277
    assert cl100k.encode("hello world") == [15339, 1917]
    assert cl100k.encode("tiktoken is great!") == [83, 1609, 5963, 374, 2294, 0]
    assert cl100k.decode([100257]) == "<|endoftext|>"


def test_base_bytes_are_gpt2_ids(gpt2):
    assert gpt2.vocabulary[:256] == [bytes([byte]) for byte in BASE_BYTES]


def merges_of(tokenizer: PretrainedTokenizer) -> list[tuple[bytes, bytes]]:
    """The pair each token was made of: what its bytes become with all lower ranks only."""
    ranks = tokenizer._ranks
    merges = []
    for token, rank in sorted(ranks.items(), key=lambda item: item[1]):
        parts = [token[i : i + 1] for i in range(len(token))]
        while len(parts) > 2:
            best, where = min(
                (ranks.get(a + b, rank), i) for i, (a, b) in enumerate(pairwise(parts))
            )
            assert best < rank
            parts[where : where + 2] = [parts[where] + parts[where + 1]]
        if len(parts) == 2:
            merges.append(tuple(parts))
    return merges


def test_gpt2_agrees_with_hugging_face(gpt2):
    """The same merges, carried out by another implementation, with its own cutting into words."""
    written = {byte: chr(byte) for byte in BASE_BYTES[:188]}
    written |= {byte: chr(256 + i) for i, byte in enumerate(BASE_BYTES[188:])}

    def spell(token: bytes) -> str:
        return "".join(written[byte] for byte in token)

    model = {
        "type": "BPE",
        "vocab": {spell(token): rank for token, rank in gpt2._ranks.items()},
        "merges": [[spell(a), spell(b)] for a, b in merges_of(gpt2)],
    }
    tokenizer = tokenizers.Tokenizer(tokenizers.models.BPE())
    description = json.loads(tokenizer.to_str())
    description["model"] |= model
    tokenizer = tokenizers.Tokenizer.from_str(json.dumps(description))
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    for text in (STRANGE, synthetic_corpus(20_000).text):
        assert gpt2.encode(text) == tokenizer.encode(text).ids


@pytest.mark.parametrize("name", ["gpt2", "cl100k"])
def test_round_trips_and_files(name, request, tmp_path):
    tokenizer = request.getfixturevalue(name)
    for text in ("", STRANGE, "a" * 3_000, "<|endoftext|>"):
        assert tokenizer.decode(tokenizer.encode(text)) == text
    tokenizer.save(tmp_path / "tokenizer.json")
    assert load_tokenizer(tmp_path / "tokenizer.json").encode(STRANGE) == tokenizer.encode(STRANGE)


def test_unknown_name():
    with pytest.raises(TokenizerError, match="name must be one of gpt2, cl100k: got 'gpt5'"):
        PretrainedTokenizer("gpt5")
