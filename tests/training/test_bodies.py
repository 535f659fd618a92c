"""Checkpoints that hold only what was trained, beside the name and the hash of what was not."""

import json

import pytest
import torch
from torch import nn

from llmlab.training import (
    Body,
    CheckpointError,
    causal_loss,
    load_model,
    load_weights,
    resume,
    save_checkpoint,
    train,
)
from llmlab.training.checkpoint_folders import find_checkpoint
from llmlab.training.manifest import read_tensors


@pytest.fixture
def adapted(make_bigram):
    """A model with a frozen embedding."""

    def make(seed: int = 0) -> nn.Module:
        model = make_bigram(seed)
        model.embedding.weight.requires_grad_(False)
        return model

    return make


def saved(model, folder) -> None:
    save_checkpoint(folder, model, body=Body.of(model, "bigram-0"))


def test_only_what_is_trained_is_written(adapted, tmp_path):
    model = adapted()
    saved(model, tmp_path)
    stored = read_tensors(find_checkpoint(tmp_path), "model.safetensors")
    assert set(stored) == {"head.weight", "head.bias"}


def test_it_goes_back_onto_its_body(adapted, tmp_path):
    model, twin = adapted(), adapted()
    nn.init.normal_(model.head.weight)
    saved(model, tmp_path)
    load_weights(twin, tmp_path)
    assert torch.equal(twin.head.weight, model.head.weight)


def test_another_body_is_refused_and_left_alone(adapted, tmp_path):
    saved(adapted(), tmp_path)
    other = adapted(seed=1)
    before = other.head.weight.clone()
    with pytest.raises(CheckpointError, match="trained on the body 'bigram-0', and the model's"):
        load_weights(other, tmp_path)
    assert torch.equal(other.head.weight, before)


def test_a_body_that_moved_by_one_bit_is_another(adapted, tmp_path):
    model = adapted()
    saved(model, tmp_path)
    model.embedding.weight.data[0, 0] = torch.nextafter(
        model.embedding.weight.data[0, 0], torch.tensor(9.0)
    )
    with pytest.raises(CheckpointError, match="not that body's"):
        load_weights(model, tmp_path)


def test_it_is_no_whole_model(adapted, tmp_path):
    saved(adapted(), tmp_path)
    with pytest.raises(CheckpointError, match="holds only what was trained on the body 'bigram-0'"):
        load_model(tmp_path)


def test_without_anything_frozen_there_is_no_body(bigram):
    with pytest.raises(ValueError, match="body must name what is frozen of the model: got 'x'"):
        Body.of(bigram, "x")


def test_a_training_of_a_part_is_resumed_bit_for_bit(adapted, batches, make_config, tmp_path):
    def stop(model, line):
        if line["step"] == 3:
            raise KeyboardInterrupt

    config, quiet = make_config(6), {"progress": False}
    whole, begun = adapted(), adapted()
    train(whole, batches, causal_loss, config, **quiet)
    options = {"folder": tmp_path, "callbacks": [stop], "body": "bigram-0"}
    train(begun, batches, causal_loss, config, **options, **quiet)
    model, _ = resume(tmp_path, batches, causal_loss, model=adapted(), **quiet)
    assert torch.equal(model.head.weight, whole.head.weight)
    manifest = json.loads((find_checkpoint(tmp_path) / "manifest.json").read_text())
    assert manifest["body"]["name"] == "bigram-0"


@pytest.mark.parametrize("format", [1, 2, None])
def test_a_format_that_is_not_known_is_refused(bigram, tmp_path, format):
    save_checkpoint(tmp_path, bigram)
    path = find_checkpoint(tmp_path) / "manifest.json"
    manifest = json.loads(path.read_text()) | {"format": format, "version": "0.0.9"}
    path.write_text(json.dumps(manifest))
    sentence = f"has format {format!r}, and this version of llmlab reads 3: train again, or use"
    with pytest.raises(CheckpointError, match=sentence):
        load_weights(bigram, tmp_path)
