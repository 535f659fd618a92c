"""Shared by the data tests: artifacts are used where cached, and never fetched."""

from __future__ import annotations

import pytest

from llmlab.data import ARTIFACTS
from llmlab.files import cache_folder


@pytest.fixture
def cached(request):
    """Skip unless the artifact named by the ``artifact`` argument of the test is cached."""

    def require(*names: str) -> None:
        for name in names:
            if not (cache_folder() / ARTIFACTS[name].filename).exists():
                pytest.skip(f"{name} is not cached: llmlab.data.fetch({name!r}) fetches it")

    return require
