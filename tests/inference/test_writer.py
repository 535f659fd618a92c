from __future__ import annotations

import pytest

from llmlab.inference.writer import TextWriter


class Bytes:
    """The decoding half of a byte tokenizer."""

    def decode(self, ids: list[int]) -> str:
        return bytes(ids).decode("utf-8", errors="replace")


def pieces(text: str | bytes, stop: str | tuple[str, ...] = ()) -> list[str]:
    writer = TextWriter(Bytes(), stop)
    written = [writer.write(byte) for byte in (text.encode() if isinstance(text, str) else text)]
    return [*written, writer.finish()]


def test_plain_text_is_released_at_once():
    assert pieces("abc") == ["a", "b", "c", ""]


def test_a_character_waits_for_its_last_byte():
    assert pieces("é!") == ["", "é", "!", ""]
    assert "".join(pieces("héllo 🙂 κόσμε")) == "héllo 🙂 κόσμε"


def test_bytes_that_are_no_character_still_come_out():
    assert "".join(pieces(b"a\xff\xffb\xe2")) == "a\ufffd\ufffdb\ufffd"


def test_stop_string_ends_the_text_and_is_left_out():
    assert pieces("one. two", stop=".") == ["o", "n", "e", *[""] * 6]


def test_text_that_may_begin_a_stop_string_is_held_back():
    assert pieces("a--b---c", stop="---") == ["a", "", "", "--b", "", "", "", "", ""]


def test_held_text_is_released_at_the_end():
    assert pieces("a--", stop="---") == ["a", "", "", "--"]


def test_the_first_of_several_stop_strings_wins():
    assert "".join(pieces("abcdef", stop=("ef", "cd"))) == "ab"
    assert "".join(pieces("aab", stop=("aab", "ab"))) == ""


def test_a_stop_string_inside_one_token():
    class Words:
        def decode(self, ids: list[int]) -> str:
            return "".join("one\n\ntwo" for _ in ids)

    writer = TextWriter(Words(), "\n\n")
    assert writer.write(0) == "one"
    assert writer.stopped
    assert writer.write(0) + writer.finish() == ""


@pytest.mark.parametrize("stop", ["", ("a", ""), (1,)])
def test_stop_must_be_text(stop):
    with pytest.raises(ValueError, match=r"^stop must be strings of one character or more"):
        TextWriter(Bytes(), stop)
