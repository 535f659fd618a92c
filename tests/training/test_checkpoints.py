import copy
import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel

from llmlab.models import GPT, GPTConfig
from llmlab.training import (
    CheckpointError,
    causal_loss,
    checkpoints,
    latest_checkpoint,
    load_model,
    load_weights,
    resume,
    save_checkpoint,
    set_seed,
    train,
)
from llmlab.training.wrappers import unwrapped


@pytest.fixture
def gpt():
    set_seed(0)
    return GPT(GPTConfig(vocab_size=11, context=8, layers=1, heads=2, width=16)).eval()


@pytest.fixture
def saved(gpt, tmp_path):
    return save_checkpoint(tmp_path / "run", gpt, step=3)


def same(model, other):
    pairs = zip(model.state_dict().values(), other.state_dict().values(), strict=True)
    return all(torch.equal(a, b) for a, b in pairs)


def test_a_model_comes_back_with_its_configuration(gpt, saved):
    model = load_model(saved.parent)
    assert model.config == gpt.config
    assert same(model, gpt)
    assert not model.training
    assert same(load_model(str(saved)), gpt)


def test_everyone_may_read_a_checkpoint_and_nothing_else_is_left(saved):
    assert saved.name == "step-000003"
    assert [path.name for path in saved.parent.iterdir()] == [saved.name]
    assert saved.stat().st_mode & 0o777 == 0o755
    for path in saved.iterdir():
        assert path.stat().st_mode & 0o777 == 0o644
    assert {path.suffix for path in saved.iterdir()} == {".json", ".safetensors"}


def test_a_newer_checkpoint_replaces_the_older(gpt, saved):
    folder = saved.parent
    for step in (10, 10, 10):  # the same step again is a new checkpoint
        with torch.no_grad():
            gpt.norm.weight.add_(1.0)
        newest = save_checkpoint(folder, gpt, step=step)
        assert latest_checkpoint(folder) == newest
        assert same(load_model(folder), gpt)
        assert [path.name for path in folder.iterdir()] == [newest.name]


def test_tied_weights_are_stored_once(tmp_path):
    model = nn.ModuleDict({"a": nn.Linear(3, 3, bias=False), "b": nn.Linear(3, 3, bias=False)})
    model["b"].weight = model["a"].weight
    path = save_checkpoint(tmp_path, model)
    assert (path / "model.safetensors").stat().st_size < 2 * 36 + 120
    expected = model["a"].weight.detach().clone()
    nn.init.zeros_(model["a"].weight)
    load_weights(model, tmp_path)
    assert torch.equal(model["b"].weight, expected)


def test_a_class_of_ones_own_is_loaded_by_building_it(bigram, make_bigram, tmp_path):
    save_checkpoint(tmp_path, bigram)
    with pytest.raises(CheckpointError, match=r"without a configuration \(Bigram\)"):
        load_model(tmp_path)
    assert same(load_weights(make_bigram(seed=1), tmp_path), bigram)


def test_nothing_there_is_said(tmp_path):
    with pytest.raises(CheckpointError, match="has no checkpoint; give the folder"):
        load_model(tmp_path)
    with pytest.raises(CheckpointError, match="is not a folder"):
        load_model(tmp_path / "nowhere")


def test_a_truncated_file_is_named(saved):
    path = saved / "model.safetensors"
    os.truncate(path, 500)
    with pytest.raises(CheckpointError, match=r"model\.safetensors is truncated: it has 500 of"):
        load_model(saved)


def test_a_single_changed_bit_is_noticed(saved):
    path = saved / "model.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match=r"model\.safetensors is damaged: its SHA-256"):
        load_model(saved)


def rewrite(checkpoint: Path, name: str, content: bytes) -> None:
    """Change a file, and its hash with it, as only a program of ours would."""
    (checkpoint / name).write_bytes(content)
    manifest = json.loads((checkpoint / "manifest.json").read_text())
    digest = hashlib.sha256(content).hexdigest()
    manifest["files"][name] = {"bytes": len(content), "sha256": digest}
    (checkpoint / "manifest.json").write_text(json.dumps(manifest))


def test_a_file_that_is_not_safetensors_is_named(saved):
    rewrite(saved, "model.safetensors", b"not tensors at all")
    with pytest.raises(CheckpointError, match=r"model\.safetensors is damaged"):
        load_model(saved)


@pytest.mark.parametrize("name", ["model.safetensors", "config.json"])
def test_a_missing_file_is_named(saved, name):
    (saved / name).unlink()
    with pytest.raises(CheckpointError, match=rf"could not read .*{name}: No such file"):
        load_model(saved)


@pytest.fixture
def trained(bigram, batches, make_config, tmp_path) -> Path:
    """A checkpoint that can be resumed, with a tokenizer beside it."""
    (tmp_path / "tokenizer.json").write_text('{"kind": "char", "characters": ["a", "b"]}')
    train(bigram, batches, causal_loss, make_config(3), folder=tmp_path, progress=False)
    return latest_checkpoint(tmp_path)


FILES = ["model.safetensors", "config.json", "optimizer.safetensors", "training.json"]


def test_the_manifest_has_the_hash_of_every_file(trained):
    manifest = json.loads((trained / "manifest.json").read_text())
    assert sorted(manifest["files"]) == sorted(["../tokenizer.json", *FILES])
    assert {path.name for path in trained.iterdir()} == {"manifest.json", *FILES}


@pytest.mark.parametrize("name", ["../tokenizer.json", *FILES])
def test_a_change_of_one_byte_anywhere_is_refused(trained, make_bigram, batches, name):
    content = bytearray((trained / name).read_bytes())
    content[-4] ^= 1
    (trained / name).write_bytes(content)
    sentence = f"{Path(name).name} is (damaged: its SHA-256|not the tokenizer that the model)"
    with pytest.raises(CheckpointError, match=sentence):
        resume(trained.parent, batches, causal_loss, model=make_bigram(), progress=False)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"heads": 1}, "config.json is damaged: its SHA-256"),
        ({"position": "rotary"}, "config.json is (truncated|damaged)"),
    ],
)
def test_a_configuration_that_fits_the_weights_but_is_another_is_refused(saved, change, message):
    content = json.loads((saved / "config.json").read_text())
    (saved / "config.json").write_text(json.dumps(content | change, indent=1) + "\n")
    with pytest.raises(CheckpointError, match=message):
        load_model(saved)


def test_a_model_without_its_tokenizer_is_loaded(trained, make_bigram):
    (trained / "../tokenizer.json").unlink()
    load_weights(make_bigram(), trained)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"step": 2}, r"step-000003 is damaged: its manifest is of step 2"),
        ({"step": None}, r"manifest\.json is damaged: it is not a manifest"),
        ({"files": []}, r"manifest\.json is damaged"),
        ({"files": {"config.json": "abc"}}, r"manifest\.json is damaged"),
        ({"files": {}}, r"has no (model\.safetensors|config\.json)"),
        ({"body": "base"}, r"manifest\.json is damaged"),
    ],
)
def test_a_manifest_that_is_wrong_is_refused(saved, gpt, change, message):
    manifest = json.loads((saved / "manifest.json").read_text())
    (saved / "manifest.json").write_text(json.dumps(manifest | change))
    for read in (load_model, lambda folder: load_weights(gpt, folder)):
        with pytest.raises(CheckpointError, match=message):
            read(saved)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"step": 2}, r"step-000003 is damaged: its training\.json is of step 2"),
        ({"seconds": ...}, r"cannot be resumed: its training\.json has no seconds"),
    ],
)
def test_a_training_state_that_is_wrong_is_refused(trained, make_bigram, batches, change, message):
    state = json.loads((trained / "training.json").read_text()) | change
    state = {name: value for name, value in state.items() if value is not ...}
    rewrite(trained, "training.json", json.dumps(state).encode())
    with pytest.raises(CheckpointError, match=message):
        resume(trained.parent, batches, causal_loss, model=make_bigram(), progress=False)


@pytest.mark.parametrize("content", ["", "{", "[1]", "\0"])
def test_a_damaged_configuration_is_named(saved, content):
    rewrite(saved, "config.json", content.encode())
    with pytest.raises(CheckpointError, match=r"config\.json is damaged: it is not"):
        load_model(saved)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"width": 32}, r"do not match .* asks for \(32,\), the file has \(16,\)"),
        ({"layers": 2}, r"at 'blocks\.1.*the file has no such weight"),
        ({"norm": "rms"}, "asks for no such weight"),
        ({"heads": 3}, r"config\.json does not describe a model: heads must divide width"),
        ({"model": "lstm"}, r"config\.json does not describe a model"),
        ({"colour": 1}, r"config\.json does not describe a model"),
    ],
)
def test_a_configuration_that_does_not_match_its_weights_is_refused(saved, change, message):
    content = json.loads((saved / "config.json").read_text())
    rewrite(saved, "config.json", json.dumps(content | change).encode())
    with pytest.raises(CheckpointError, match=message):
        load_model(saved)


@pytest.mark.parametrize("number", [1, 2, None, 99])
def test_a_checkpoint_of_another_format_is_refused(gpt, saved, number):
    manifest = json.loads((saved / "manifest.json").read_text())
    (saved / "manifest.json").write_text(json.dumps(manifest | {"format": number}))
    sentence = rf"step-000003 has format {number}, and this version of llmlab reads 3: train again"
    for read in (load_model, lambda folder: load_weights(gpt, folder)):
        with pytest.raises(CheckpointError, match=sentence):
            read(saved)


def test_weights_that_do_not_match_leave_the_model_alone(saved):
    other = GPT(GPTConfig(vocab_size=11, context=8, layers=2, heads=2, width=16))
    before = {name: tensor.clone() for name, tensor in other.state_dict().items()}
    with pytest.raises(CheckpointError, match="do not match"):
        load_weights(other, saved)
    assert all(torch.equal(before[name], tensor) for name, tensor in other.state_dict().items())


def test_a_model_without_training_state_cannot_be_resumed(saved, batches):
    with pytest.raises(CheckpointError, match="cannot be resumed: it holds a model"):
        resume(saved.parent, batches, causal_loss)


def test_a_full_disk_leaves_the_older_checkpoint(gpt, saved):
    """The system itself refuses to write more than 5,000 bytes a file."""
    code = f"""
import resource
from llmlab.training import CheckpointError, load_model, save_checkpoint
model = load_model({str(saved)!r})
resource.setrlimit(resource.RLIMIT_FSIZE, (5000, 5000))
try:
    save_checkpoint({str(saved.parent)!r}, model, step=9)
except CheckpointError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.startswith(f"could not write a checkpoint to {saved.parent}: "), done
    assert [path.name for path in saved.parent.iterdir()] == ["step-000003"]
    assert same(load_model(saved.parent), gpt)


def test_an_error_at_any_write_leaves_the_older_checkpoint(gpt, saved, monkeypatch):
    """No space left, at the first fsync, the second, and so on until saving succeeds."""
    fsync, folder = os.fsync, saved.parent
    failures = 0
    while True:
        left = [failures]

        def failing(handle, left=left):
            if left[0] == 0:
                raise OSError(28, "No space left on device")
            left[0] -= 1
            fsync(handle)

        monkeypatch.setattr(os, "fsync", failing)
        try:
            save_checkpoint(folder, gpt, step=4)
        except CheckpointError as error:
            assert "No space left on device" in str(error)  # noqa: PT017  the loop goes on
            assert same(load_model(folder), gpt)
            assert not [path for path in folder.iterdir() if path.name.startswith(".")]
            failures += 1
        else:
            break
    assert failures >= 4


def test_a_folder_that_may_not_be_written_is_named(gpt, tmp_path, monkeypatch):
    def refuse(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("tempfile.mkdtemp", refuse)
    with pytest.raises(CheckpointError, match=r"could not write a checkpoint to .*: Permission"):
        save_checkpoint(tmp_path, gpt)


def test_a_full_disk_during_training_keeps_what_there_was(
    bigram, make_bigram, batches, make_config, tmp_path, monkeypatch
):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    def fill_up(model, line):
        if line["step"] == 3:
            monkeypatch.setattr("tempfile.mkdtemp", full)

    config = make_config(6, checkpoint_every=2)
    with pytest.raises(CheckpointError, match="No space left on device"):
        train(
            bigram,
            batches,
            causal_loss,
            config,
            folder=tmp_path,
            callbacks=[fill_up],
            progress=False,
        )
    monkeypatch.undo()
    model, run = resume(tmp_path, batches, causal_loss, model=make_bigram(), progress=False)
    plain = make_bigram()
    train(plain, batches, causal_loss, config, progress=False)
    assert same(model, plain)
    assert run.step == 6


def test_leftovers_of_a_killed_writer_are_cleared(gpt, saved):
    shutil.copytree(saved, saved.parent / ".writing-abcdefgh")
    newest = save_checkpoint(saved.parent, gpt, step=5)
    assert [path.name for path in saved.parent.iterdir()] == [newest.name]


@pytest.mark.parametrize("name", ["step-000001", "step-000009", ".writing-holidays"])
def test_folders_of_others_that_are_named_so_are_left_alone(gpt, saved, name):
    other = saved.parent / name
    other.mkdir()
    (other / "diary.txt").write_text("mine")
    save_checkpoint(saved.parent, gpt, step=5)
    assert (other / "diary.txt").read_text() == "mine"


def test_a_checkpoint_that_is_replaced_while_it_is_read_gives_the_newer_one(
    gpt, saved, monkeypatch
):
    """As when `llmlab generate` reads beside a training."""
    read = checkpoints.read_tensors

    def too_late(checkpoint, name):
        monkeypatch.setattr(checkpoints, "read_tensors", read)
        with torch.no_grad():
            gpt.norm.weight.add_(1.0)
        save_checkpoint(saved.parent, gpt, step=4)
        return read(checkpoint, name)

    monkeypatch.setattr(checkpoints, "read_tensors", too_late)
    assert same(load_model(saved.parent), gpt)


def wrapped_whole(model):
    return torch.compile(model, backend="eager")


def wrapped_in_part(model):
    model.head = torch.compile(model.head, backend="eager")
    return model


def wrapped_twice(model):
    return torch.compile(nn.DataParallel(model), backend="eager")


@pytest.mark.parametrize("wrap", [wrapped_whole, wrapped_in_part, wrapped_twice, AveragedModel])
def test_a_wrapped_model_is_saved_and_loaded_as_itself(make_bigram, tmp_path, wrap):
    model, twin = make_bigram(), wrap(make_bigram(seed=1))
    save_checkpoint(tmp_path / "wrapped", wrap(copy.deepcopy(model)))
    assert same(load_weights(make_bigram(seed=1), tmp_path / "wrapped"), model)
    save_checkpoint(tmp_path / "plain", model)
    assert same(unwrapped(load_weights(twin, tmp_path / "plain")), model)


def test_a_wrapped_model_keeps_its_configuration(gpt, tmp_path):
    save_checkpoint(tmp_path, AveragedModel(gpt))
    assert same(load_model(tmp_path), gpt)


@pytest.mark.filterwarnings("ignore:The .grad attribute")  # which torch.compile looks for itself
@pytest.mark.parametrize("wrap", [wrapped_whole, wrapped_in_part])
def test_a_compiled_model_is_trained_and_resumed_as_itself(
    make_bigram, batches, make_config, tmp_path, wrap
):
    def stop(model, line):
        if line["step"] == 3:
            raise KeyboardInterrupt

    config, quiet = make_config(6, groups={"head.bias": {"weight_decay": 0.0}}), {"progress": False}
    plain = make_bigram()
    train(plain, batches, causal_loss, config, **quiet)
    options = {"folder": tmp_path, "callbacks": [stop]}
    train(wrap(make_bigram()), batches, causal_loss, config, **options, **quiet)
    shutil.copytree(tmp_path, tmp_path / "copy")
    for folder, model in ((tmp_path, make_bigram()), (tmp_path / "copy", wrap(make_bigram()))):
        found, _ = resume(folder, batches, causal_loss, model=model, **quiet)
        assert same(unwrapped(found), plain)
