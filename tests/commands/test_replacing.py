"""Whose files these are, and what becomes of a run that another one replaces."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from llmlab import cli
from llmlab.commands import replacing
from llmlab.commands.replacing import check_free, claimed
from llmlab.commands.reporting import UsageError
from llmlab.training import CheckpointError
from llmlab.training.lock import LOCK_NAME, locked

TEXT = "All the world is a stage, and all the men and women merely players.\n" * 8
TINY = ["--tokenizer=char", "--layers=1", "--heads=2", "--width=16", "--context=16"]
TINY += ["--batch-size=4", "--steps=3"]


class Killed(BaseException):
    """The process is gone: nothing of it cleans up."""


def tree(folder: Path) -> dict[str, bytes | None]:
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None
        for path in folder.rglob("*")
    }


@pytest.fixture(scope="module")
def corpus(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("corpus") / "play.txt"
    path.write_text(TEXT)
    return path


@pytest.fixture(scope="module")
def trained(tmp_path_factory, corpus: Path) -> dict[str, bytes | None]:
    folder = tmp_path_factory.mktemp("trained") / "run"
    assert cli.main(["train", f"--corpus={corpus}", f"--out={folder}", *TINY]) == 0
    return tree(folder)


@pytest.fixture
def run(trained: dict[str, bytes | None], tmp_path) -> Path:
    folder = tmp_path / "run"
    plant(folder, {name: content for name, content in trained.items() if content is not None})
    return folder


def plant(folder: Path, files: dict[str, bytes]) -> None:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)


THEIRS = {
    "data.json": b'{"my": 1}',
    "tokenizer.json": b'{"version": "1.0", "model": {"type": "BPE"}}',
    "run.jsonl": b'{"lap": 1, "seconds": 61}\n',
    "step-7/thesis.tex": b"precious",
    "step-1000/config.json": b'{"model_type": "llama"}',
    "step-2/manifest.json": b'{"name": "My web application"}',
}


@pytest.mark.parametrize("force", [False, True])
@pytest.mark.parametrize("name", THEIRS)
def test_a_file_is_ours_only_if_its_content_says_so(
    name: str, force: bool, run: Path, corpus: Path, tmp_path, capsys
):
    for folder in (tmp_path / "theirs", run):
        plant(folder, {name: THEIRS[name]})
        before = tree(folder)
        more = ["--force"] if force else []
        assert cli.main(["train", f"--corpus={corpus}", f"--out={folder}", *TINY, *more]) == 2
        assert name.split("/")[0] in capsys.readouterr().err
        assert tree(folder) == before


def test_force_leaves_what_is_not_in_the_way(run: Path, corpus: Path):
    theirs = {
        "notes.txt": b"mine",
        ".writing-abcdefgh/chapter.tex": b"mine",
        ".run.jsonl-abcdefgh": b"mine",
        ".replaced-abcdefgh/letter.txt": b"mine",
        "step-000003 (copy)/config.json": b"mine",
    }
    plant(run, theirs)
    assert cli.main(["train", f"--corpus={corpus}", f"--out={run}", *TINY, "--force"]) == 0
    assert {name: content for name, content in tree(run).items() if name in theirs} == theirs


def test_a_note_inside_a_checkpoint_is_kept(run: Path, corpus: Path, capsys):
    plant(run, {"step-000003/note.txt": b"the best so far"})
    before = tree(run)
    assert cli.main(["train", f"--corpus={corpus}", f"--out={run}", *TINY, "--force"]) == 2
    assert "must hold no step-000003 but one that llmlab wrote" in capsys.readouterr().err
    assert tree(run) == before


def test_what_kills_left_of_ours_is_swept(run: Path, corpus: Path, trained):
    left = {
        ".run.jsonl-abcdefgh": b'{"form',
        ".data.json-abcdefgh": b"",
        ".tokenizer.json-abcdefgh": b'{"kind": "char"',
        ".writing-abcdefgh/model.safetensors": b"half",
    }
    plant(run, left)
    assert cli.main(["train", f"--corpus={corpus}", f"--out={run}", *TINY, "--force"]) == 0
    assert tree(run).keys() == trained.keys()


def renames(monkeypatch, at: int) -> None:
    """Let the process be killed when it renames for the time ``at``."""
    real, count = Path.rename, 0

    def rename(self: Path, target: Path) -> Path:
        nonlocal count
        count += 1
        if count == at:
            raise Killed
        return real(self, target)

    monkeypatch.setattr(Path, "rename", rename)


def replace(run: Path, new: dict[str, bytes]) -> None:
    with claimed(run, force=True):
        plant(run, new)
        raise Killed


@pytest.mark.parametrize("at", range(1, 7))
@pytest.mark.parametrize(
    "new", [{}, {"data.json": b'{"corpus": "new'}, {"run.jsonl": b'{"format": 1}\n'}]
)
def test_the_old_run_survives_a_kill_at_any_moment(
    new: dict[str, bytes], at: int, run: Path, monkeypatch
):
    """Also a kill while what the first one left is put back."""
    before = tree(run)
    with monkeypatch.context() as patch:
        patch.setattr(replacing, "put_back", lambda path: None)  # who is killed cleans up nothing
        patch.setattr(replacing, "_remove", lambda entries: None)
        renames(patch, at)
        with pytest.raises(Killed):
            replace(run, new)
    for moment in range(1, 7):
        with monkeypatch.context() as patch:
            renames(patch, moment)
            try:
                cli.main(["info", str(run)])
            except Killed:
                continue
    assert cli.main(["info", str(run)]) == 0
    assert tree(run) == before


def test_train_says_that_the_run_is_there_after_a_killed_force(run: Path, corpus: Path, capsys):
    (run / ".replaced-abcdefgh").mkdir()
    for entry in ("data.json", "tokenizer.json", "run.jsonl", "step-000003"):
        (run / entry).rename(run / ".replaced-abcdefgh" / entry)
    assert cli.main(["train", f"--corpus={corpus}", f"--out={run}", *TINY]) == 2
    assert "already holds a run" in capsys.readouterr().err
    assert cli.main(["generate", str(run), "--length=5"]) == 0


def test_the_old_run_goes_once_the_new_one_has_a_checkpoint(run: Path, trained):
    plant(run / ".replaced-abcdefgh", {n: c for n, c in trained.items() if c is not None})
    assert cli.main(["info", str(run)]) == 0
    assert tree(run) == trained


def test_what_another_process_is_replacing_is_left_to_it(run: Path, corpus: Path, monkeypatch):
    aside = run / ".replaced-abcdefgh"
    aside.mkdir()
    (run / "run.jsonl").rename(aside / "run.jsonl")

    def taken(path: Path):
        raise CheckpointError(f"another process is training in {path}")

    monkeypatch.setattr(replacing, "locked", taken)
    with pytest.raises(UsageError, match="already holds a run"):
        check_free(run, force=False)
    assert (aside / "run.jsonl").is_file()


def test_a_lock_that_stayed_behind_is_no_other_file(tmp_path, corpus: Path):
    with locked(tmp_path / "run"):
        pass
    (tmp_path / "run" / LOCK_NAME).touch()
    check_free(tmp_path / "run", force=False)


def test_every_temporary_file_of_a_run_is_known(run: Path):
    """What is renamed into place begins as the sweeping expects."""
    for name, beginning in replacing._BEGINNINGS.items():
        assert (run / name).read_bytes().startswith(beginning)
    assert json.loads((run / "data.json").read_bytes())["corpus"].endswith("play.txt")
