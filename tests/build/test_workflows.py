"""The workflows parse, ask for no more rights than they need, and call what is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
WRITES = {"publish.pages": {"pages", "id-token"}, "publish.edition": {"contents"}}

every_workflow = pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)


def jobs(path: Path) -> dict[str, dict]:
    return yaml.safe_load(path.read_text("utf-8"))["jobs"]


def test_there_are_three() -> None:
    assert [path.stem for path in WORKFLOWS] == ["colab", "publish", "test"]


@every_workflow
def test_only_named_jobs_may_write(path: Path) -> None:
    assert yaml.safe_load(path.read_text("utf-8"))["permissions"] == {"contents": "read"}
    for name, job in jobs(path).items():
        writes = {what for what, right in job.get("permissions", {}).items() if right == "write"}
        assert writes == WRITES.get(f"{path.stem}.{name}", set())


@every_workflow
def test_actions_are_github_s_own_at_a_major_version(path: Path) -> None:
    for job in jobs(path).values():
        for step in job.get("steps", []):
            if "uses" in step:
                assert re.fullmatch(r"actions/[a-z-]+@v\d+", step["uses"])


@every_workflow
def test_jobs_wait_for_jobs_that_exist(path: Path) -> None:
    for job in jobs(path).values():
        assert job.get("needs", "") in {"", *jobs(path)}


@every_workflow
def test_scripts_that_are_called_exist(path: Path) -> None:
    text = path.read_text("utf-8")
    targets = set(re.findall(r"^(\w+):", (ROOT / "Makefile").read_text("utf-8"), re.M))
    assert set(re.findall(r"\bmake (\w+)$", text, re.M)) <= targets
    assert all((ROOT / name).is_file() for name in re.findall(r"\bbook/\w+\.py", text))


def test_nothing_is_published_untested() -> None:
    publish = jobs(ROOT / ".github" / "workflows" / "publish.yml")
    assert publish["test"]["uses"] == "./.github/workflows/test.yml"
    assert publish["build"]["needs"] == "test"
    assert publish["pages"]["needs"] == publish["edition"]["needs"] == "build"
