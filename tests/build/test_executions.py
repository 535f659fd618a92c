"""Executions are kept whole, found again, and go when there are too many; nothing else goes."""

from __future__ import annotations

import json
import os
import time

import nbformat
import pytest
from llmlab_site import executions
from llmlab_site.executions import find, keep, prune
from llmlab_site.widget_sources import with_sources, without_sources

from llmlab.display import Choice, Question, Quiz
from tests.build.chapters import Repository


def kept(repository: Repository, number: int, size: int = 0) -> executions.Execution:
    notebook = nbformat.read(repository.chapter(f"print({number})"), as_version=4)
    notebook.cells[1].outputs = [nbformat.v4.new_output("stream", text="x" * size)]
    return keep(notebook, {}, repository.root)


def test_the_least_recently_used_go_first(repository: Repository) -> None:
    paths = [kept(repository, number, 1000).path for number in range(4)]
    for age, path in zip((30, 10, 40, 20), paths, strict=True):
        os.utime(path, (time.time() - age,) * 2)
    prune(most=paths[0].stat().st_size * 5 // 2)
    assert [path.exists() for path in paths] == [False, True, False, True]
    assert not paths[0].parent.exists()


def test_use_makes_young(repository: Repository) -> None:
    execution = kept(repository, 1)
    os.utime(execution.path, (0, 0))
    notebook = nbformat.read(repository.chapter("print(1)"), as_version=4)
    assert find(notebook, repository.root) == execution
    assert time.time() - execution.path.stat().st_mtime < 60


def test_what_is_not_certainly_ours_stays(repository: Repository) -> None:
    path = kept(repository, 1).path
    others = {
        path.parent / "notes.txt": "mine",
        path.parent / f"{'0' * 64}.jsonl": '{"mark": "of another program"}\n',
        path.parent / f"{'1' * 64}.jsonl": "no JSON at all",
        path.parent / f"{'2' * 64}.jsonl": "[1, 2]\n",
        path.parents[1] / "another" / path.name: path.read_text(),
        path.parents[2] / "text-1.0-py3-none-any.whl": "a text",
    }
    for other, text in others.items():
        other.parent.mkdir(exist_ok=True)
        other.write_text(text)
    prune(most=0)
    assert not path.exists()
    assert all(other.read_text() == text for other, text in others.items())


def test_what_a_killed_build_left_goes_after_a_day(repository: Repository) -> None:
    path = kept(repository, 1).path
    left = [path.with_name(f".{path.name}-{age}") for age in ("young", "old")]
    for half in left:
        half.write_text(path.read_text()[:-20])
    os.utime(left[1], (time.time() - 2 * executions.DAY,) * 2)
    prune()
    assert [each.exists() for each in (path, *left)] == [True, True, False]


def test_an_interrupted_write_leaves_nothing(
    repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_):
        raise OSError("disk full")

    monkeypatch.setattr("llmlab.files.os.fsync", full)
    with pytest.raises(OSError, match="disk full"):
        kept(repository, 1)
    assert not [path for path in repository.cache.rglob("*") if path.is_file()]


@pytest.mark.parametrize("text", ["", "half", '{"mark": 1}\n', "null\n"])
def test_a_file_that_is_no_execution_is_none(repository: Repository, text: str) -> None:
    kept(repository, 1).path.write_text(text)
    notebook = nbformat.read(repository.chapter("print(1)"), as_version=4)
    assert find(notebook, repository.root) is None


def test_the_latest_that_holds_is_found(repository: Repository) -> None:
    notebook = nbformat.read(repository.chapter("print(1)"), as_version=4)
    first = keep(notebook, {"records/": None}, repository.root)
    second = keep(notebook, {"absent.json": None}, repository.root)
    assert find(notebook, repository.root) == second
    repository.write("absent.json", "{}")
    assert find(notebook, repository.root) == first
    repository.write("records/run.jsonl", "{}")
    assert find(notebook, repository.root) is None


def test_widgets_have_today_s_sources(monkeypatch: pytest.MonkeyPatch) -> None:
    quiz = Quiz([Question("?", [Choice("a", True, "so"), Choice("b", False, "no")])])
    state = {name: getattr(quiz, name) for name in ("_esm", "_css", "_anywidget_id", "title")}
    page = {"state": {"q": {"model_name": "AnyModel", "state": state}, "w": {"state": {}}}}
    stored = json.loads(json.dumps(without_sources(page)))
    assert set(stored["state"]["q"]["state"]) == {"_anywidget_id", "title"}
    assert with_sources(stored) == page
    monkeypatch.setattr(Quiz, "_css", "today's")
    assert with_sources(stored)["state"]["q"]["state"]["_css"] == "today's"


def test_sources_of_its_own_stay_with_a_widget() -> None:
    quiz = "llmlab.display.widgets.quiz.quiz.Quiz"
    page = {"state": {"q": {"state": {"_anywidget_id": quiz, "_esm": "its own"}}}}
    assert without_sources(page) == page
    assert with_sources(page)["state"]["q"]["state"]["_esm"] == "its own"
