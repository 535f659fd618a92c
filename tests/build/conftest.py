"""What tests of the build share."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.build.chapters import Repository


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Repository:
    return Repository(tmp_path / "repository", monkeypatch)
