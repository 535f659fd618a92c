"""A run is resumed by its own checkpoint, its own model and its own batches alone."""

import json
import shutil

import pytest
import torch

from llmlab.data import RandomWindows
from llmlab.training import CheckpointError, RecordError, causal_loss, resume, train

QUIET = {"progress": False}


@pytest.fixture
def run(make_bigram, batches, make_config, tmp_path):
    """The folder of a run that was stopped after step 4 of 6."""
    return stopped(tmp_path / "run", make_bigram(), batches, make_config(6))


def stopped(folder, model, batches, config):
    def stop(model, line):
        if line["step"] == 4:
            raise KeyboardInterrupt

    train(model, batches, causal_loss, config, folder=folder, callbacks=[stop], **QUIET)
    return folder


def rewrite_header(folder, change):
    header, *lines = (folder / "run.jsonl").read_text().splitlines(keepends=True)
    content = json.loads(header)
    change(content)
    (folder / "run.jsonl").write_text(json.dumps(content) + "\n" + "".join(lines))


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda h: h["train"].update(learning_rate=0.5), "train.learning_rate is 0.001 in the"),
        (lambda h: h["train"].update(optimizer="lion"), "train.optimizer is 'adamw' in the ch"),
        (lambda h: h["train"].update(steps=9), "train.steps is 6 in the checkpoint, 9 in the rec"),
        (lambda h: h["train"].update(seed=9), "seed is 0 in the checkpoint, 9 in the record"),
        (lambda h: h["model"].update({"class": "GPT"}), "model.class is 'Bigram' in the checkpoin"),
        (lambda h: h.update(name="another"), "name is '' in the checkpoint, 'another' in the re"),
        (lambda h: h.update(parameters=7), "parameters is 363 in the checkpoint, 7 in the record"),
    ],
)
def test_another_header_of_the_record_is_refused(run, make_bigram, batches, change, sentence):
    rewrite_header(run, change)
    with pytest.raises(CheckpointError, match=f"step-000004 is not of the run .*: {sentence}"):
        resume(run, batches, causal_loss, model=make_bigram(), **QUIET)


def test_a_checkpoint_of_another_run_is_refused(run, make_bigram, batches, make_config, tmp_path):
    config = make_config(6, optimizer="muon", learning_rate=0.01)
    other = stopped(tmp_path / "other", make_bigram(), batches, config)
    shutil.rmtree(run / "step-000004")
    shutil.copytree(other / "step-000004", run / "step-000004")
    with pytest.raises(CheckpointError, match=r"train\.learning_rate is 0\.01 in the checkpoint"):
        resume(run, batches, causal_loss, model=make_bigram(), **QUIET)


@pytest.mark.parametrize(
    "options", [{"context": 9}, {"batch_size": 2}, {"seed": 1}], ids=lambda o: next(iter(o))
)
def test_other_batches_are_refused(run, make_bigram, options):
    settings = {"context": 8, "batch_size": 4, "seed": 0} | options
    others = RandomWindows(torch.arange(500) % 11, **settings)
    with pytest.raises(ValueError, match=r"batches must be those of the run in .*: batch 0 is an"):
        resume(run, others, causal_loss, model=make_bigram(), **QUIET)


def test_another_model_is_refused(run, batches):
    with pytest.raises(ValueError, match="model must be that of the run: its class is 'Embedding'"):
        resume(run, batches, causal_loss, model=torch.nn.Embedding(11, 11), **QUIET)


def test_a_refused_run_can_still_be_resumed(run, make_bigram, batches):
    record = (run / "run.jsonl").read_bytes()
    rewrite_header(run, lambda header: header.update(name="another"))
    with pytest.raises(CheckpointError):
        resume(run, batches, causal_loss, model=make_bigram(), **QUIET)
    (run / "run.jsonl").write_bytes(record)
    assert resume(run, batches, causal_loss, model=make_bigram(), **QUIET)[1].step == 6


@pytest.mark.parametrize(
    ("kept", "words"),
    [
        ([], "steps 1 to 4"),
        ([1, 2], "steps 3 to 4"),
        ([1, 3, 4], "step 2"),
        ([2, 4], "steps 1, 3"),
    ],
)
def test_steps_that_the_record_lacks_are_named(run, make_bigram, batches, capsys, kept, words):
    header, *lines = (run / "run.jsonl").read_text().splitlines(keepends=True)
    left = [line for line in lines if json.loads(line).get("step") in kept]
    (run / "run.jsonl").write_text("".join([header, *left]))
    _, resumed = resume(run, batches, causal_loss, model=make_bigram(), **QUIET)
    assert f"run.jsonl has no line of {words}: the training goes on" in capsys.readouterr().err
    assert resumed.column("loss")[0].tolist() == [*kept, 5, 6]


def test_of_a_whole_record_nothing_is_said(run, make_bigram, batches, capsys):
    resume(run, batches, causal_loss, model=make_bigram(), **QUIET)
    assert capsys.readouterr().err == ""


def test_lines_without_a_step_are_no_record(run, make_bigram, batches):
    with open(run / "run.jsonl", "a") as file:
        file.write('{"loss": 1.0}\n')
    with pytest.raises(RecordError, match="a line does not say its step"):
        resume(run, batches, causal_loss, model=make_bigram(), **QUIET)
