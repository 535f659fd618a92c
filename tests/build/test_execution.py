"""Notebooks are executed once, again when they must be, and their failures are named."""

from __future__ import annotations

import sys

import nbformat
import pytest
from llmlab_site import execution
from llmlab_site.execution import NotebookFailed, executed_notebook, execution_key

from tests.build.chapters import Repository

# the kernel's client leaves sockets to the garbage collector
pytestmark = pytest.mark.filterwarnings("ignore")

NOW = "import time; print(time.time_ns())"


def test_executes_once_and_again_only_when_it_must(
    repository: Repository, capsys: pytest.CaptureFixture[str]
) -> None:
    code = f"import llmlab; {NOW}"
    first = repository.execute(repository.chapter(code))
    assert "executed 1, reused 0" in capsys.readouterr().out
    assert repository.execute(repository.chapter(code, prose="# Another sentence")) == first
    assert "executed 0, reused 1" in capsys.readouterr().out
    repository.write("llmlab/__init__.py", "changed = True\n")
    second = repository.execute(repository.chapter(code))
    assert second != first
    repository.write("llmlab/__init__.py", "")
    assert repository.execute(repository.chapter(code)) == first  # both are kept
    assert repository.execute(repository.chapter(code), fresh=True) not in (first, second)


def test_a_clone_reuses_what_was_executed_elsewhere(
    repository: Repository, tmp_path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = repository.execute(repository.chapter(f"import llmlab; {NOW}"))
    clone = Repository(tmp_path / "clone", monkeypatch)
    monkeypatch.setenv("LLMLAB_CACHE", str(repository.cache))
    assert clone.execute(clone.chapter(f"import llmlab; {NOW}")) == first


def test_the_executed_form_is_today_s_prose_with_the_outputs_kept(repository: Repository) -> None:
    repository.execute(repository.chapter("print(6)"))
    path = repository.chapter("print(6)", prose="# Today")
    repository.execute(path)
    laid_out = nbformat.read(repository.root / "_build/executed/notebooks/01_a.ipynb", 4)
    assert laid_out.cells[0].source == "# Today"
    assert laid_out.cells[1].outputs[0].text == "6\n"
    assert laid_out.cells[1].execution_count == 1
    assert laid_out == executed_notebook(path, repository.root)


def test_two_chapters_run_beside_each_other_where_there_are_two_cores(
    repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    say = "import os; print(os.environ.get('OMP_NUM_THREADS'), os.environ.get('LLMLAB_BESIDE'))"
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr(execution, "_cores", lambda: 2)
    met = "\n".join(
        [
            "import pathlib, time",
            "pathlib.Path(f'came-{me}').touch()",
            "end = time.monotonic() + 60",
            "while not pathlib.Path(f'came-{other}').exists() and time.monotonic() < end:",
            "    time.sleep(0.01)",
            "print(time.monotonic() < end)",
        ]
    )
    pair = [
        repository.chapter(f"me, other = {me}, {3 - me}", met, name=f"0{me}_a") for me in (1, 2)
    ]
    assert repository.execute(*pair) == ["True\n", "True\n"]
    three = [repository.chapter(f"name = {i}", say, name=f"0{i}_b") for i in (1, 2, 3)]
    assert repository.execute(*three) == ["1 1\n"] * 3
    assert repository.execute(repository.chapter("name = 4", say)) == ["None None\n"]
    monkeypatch.setattr(execution, "_cores", lambda: 1)
    again = [repository.chapter(f"name = {i}", say, name=f"0{i}_c") for i in (5, 6)]
    assert repository.execute(*again) == ["None None\n"] * 2


def test_what_is_stale_is_named_and_what_holds_has_a_key(repository: Repository) -> None:
    path = repository.chapter("import llmlab")
    with pytest.raises(NotebookFailed, match=r"^notebooks/01_a.ipynb is not executed as it stands"):
        execution_key(path, repository.root)
    repository.execute(path)
    key = execution_key(path, repository.root)
    assert len(key) == 64
    repository.write("llmlab/__init__.py", "changed = True\n")
    with pytest.raises(NotebookFailed):
        execution_key(path, repository.root)
    repository.execute(path)
    assert execution_key(path, repository.root) != key


def test_failure_names_notebook_cell_and_cause(repository: Repository) -> None:
    path = repository.chapter("print(1)", "shapes = None\nshapes.wrong")
    with pytest.raises(NotebookFailed) as caught:
        repository.execute(path)
    message = str(caught.value)
    assert message.startswith("notebooks/01_a.ipynb, cell 3 of 3 ('shapes = None')")
    assert "raised AttributeError: 'NoneType' object has no attribute 'wrong'" in message
    assert "shapes.wrong" in message.split("\n\n", 1)[1]
    assert not list(repository.cache.rglob("*.jsonl"))


def test_a_failure_ends_the_chapter_beside_and_keeps_the_one_before(
    repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(execution, "_cores", lambda: 2)
    good = repository.chapter("print('good')", name="01_good")
    endless = repository.chapter("import time; time.sleep(500)", name="02_endless")
    wrong = repository.chapter("1 / 0", name="03_wrong")
    with pytest.raises(NotebookFailed, match="03_wrong"):
        repository.execute(good, endless, wrong)
    assert execution_key(good, repository.root)


@pytest.mark.skipif(sys.platform == "win32", reason="has no SIGINT to send")
@pytest.mark.parametrize("chapters", [1, 2])
def test_ctrl_c_interrupts(
    repository: Repository, monkeypatch: pytest.MonkeyPatch, chapters: int
) -> None:
    monkeypatch.setattr(execution, "_cores", lambda: 2)
    wait = "import os, signal, time\nprint(os.getpid(), file=open('pid', 'w'))\ntime.sleep(60)"
    parent = wait.replace("time.sleep", "os.kill(os.getppid(), signal.SIGINT)\ntime.sleep")
    paths = [repository.chapter(wait, name="01_a")] * (chapters == 2)
    with pytest.raises(KeyboardInterrupt):
        repository.execute(*paths, repository.chapter(parent, name="02_b"))
    assert not list(repository.cache.rglob("*.jsonl*"))


def test_a_dead_kernel_is_named(repository: Repository) -> None:
    path = repository.chapter("import os\nos._exit(1)")
    with pytest.raises(NotebookFailed, match="kernel died"):
        repository.execute(path)
