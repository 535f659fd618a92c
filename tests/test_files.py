"""Where the cache is, and files that appear whole or not at all."""

from __future__ import annotations

import os
import stat
import sys

import pytest

from llmlab.files import cache_folder, write_atomically


def test_the_cache_is_where_the_reader_says(monkeypatch, tmp_path):
    monkeypatch.setenv("LLMLAB_CACHE", str(tmp_path))
    assert cache_folder() == tmp_path
    monkeypatch.setenv("LLMLAB_CACHE", "~/mine")
    assert cache_folder() == tmp_path.home() / "mine"


def test_otherwise_it_is_named_after_the_book_in_the_users_cache(monkeypatch, tmp_path):
    monkeypatch.delenv("LLMLAB_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    folder = cache_folder()
    assert "llmlab" in folder.parts
    if sys.platform.startswith("linux"):
        assert folder == tmp_path / "llmlab"


def test_a_file_is_written_and_written_over(tmp_path):
    path = tmp_path / "file.json"
    for content in (b"first", b"second"):
        write_atomically(path, content)
        assert path.read_bytes() == content
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    assert os.listdir(tmp_path) == ["file.json"]


def test_a_full_disk_keeps_the_old_file_and_leaves_nothing_else(tmp_path, monkeypatch):
    path = tmp_path / "file.json"
    path.write_bytes(b"old")

    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write_atomically(path, b"new")
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["file.json"]
