"""What a GPU needs and a CPU can rehearse: fetching losses in groups, scaling fp16 gradients."""

import pytest
import torch

from llmlab.training import Run, TrainingDiverged, causal_loss, loop, resume, step, train
from llmlab.training.precision import Precision


@pytest.fixture
def in_groups(monkeypatch):
    monkeypatch.setattr(loop, "_steps_per_fetch", lambda device: 4)


@pytest.fixture
def fp16(monkeypatch):
    monkeypatch.setattr(step, "choose_precision", lambda name, device: Precision("fp16", device))


def run_of(model, batches, config, **options):
    return train(model, batches, causal_loss, config, progress=False, **options)


def without_seconds(run):
    return [{k: v for k, v in line.items() if k != "seconds"} for line in run.lines]


def test_lines_fetched_in_groups_are_the_same_lines(
    make_bigram, batches, make_config, monkeypatch, tmp_path
):
    config = make_config(11, evaluate_every=3, checkpoint_every=5)
    evaluate = {"evaluate": lambda model: {"validation_loss": float(model.head.weight.sum())}}
    expected = run_of(make_bigram(), batches, config, **evaluate)
    monkeypatch.setattr(loop, "_steps_per_fetch", lambda device: 4)
    arrived = []
    found = run_of(
        make_bigram(),
        batches,
        config,
        folder=tmp_path,
        callbacks=[lambda model, line: arrived.append(line["step"])],
        **evaluate,
    )
    assert without_seconds(found) == without_seconds(expected)
    assert Run.load(tmp_path / "run.jsonl").lines == found.lines
    assert arrived == list(range(12))  # the untrained model's line is the first
    seconds = found.column("seconds")[1].tolist()
    assert seconds == sorted(seconds)


def test_an_interrupt_loses_no_line_that_was_not_fetched(bigram, batches, make_config, in_groups):
    calls = []

    def loss_fn(model, batch):
        calls.append(1)
        if len(calls) == 7:
            raise KeyboardInterrupt
        return causal_loss(model, batch)

    run = train(bigram, batches, loss_fn, make_config(12), progress=False)
    assert [line["step"] for line in run.lines] == [1, 2, 3, 4, 5, 6]


def test_no_checkpoint_is_written_after_divergence(
    bigram, batches, make_config, in_groups, tmp_path
):
    calls = []

    def loss_fn(model, batch):
        calls.append(1)
        loss, metrics = causal_loss(model, batch)
        return loss * (float("nan") if len(calls) == 5 else 1.0), metrics

    config = make_config(12, checkpoint_every=3)
    with pytest.raises(TrainingDiverged, match="checkpoint of step 3 is kept") as raised:
        train(bigram, batches, loss_fn, config, folder=tmp_path, progress=False)
    assert raised.value.step == 5


def test_fp16_trains_close_to_fp32(make_bigram, batches, make_config, monkeypatch):
    config = make_config(30, learning_rate=0.02)
    exact = run_of(make_bigram(), batches, config).column("loss")[1]
    monkeypatch.setattr(step, "choose_precision", lambda name, device: Precision("fp16", device))
    half = run_of(make_bigram(), batches, config).column("loss")[1]
    assert half[-1] < 0.5 * half[0]
    assert half == pytest.approx(exact, abs=0.02)


def test_an_overflowing_gradient_skips_the_update_and_halves_the_scale(
    bigram, batches, make_config, fp16
):
    def loss_fn(model, batch):
        loss, metrics = causal_loss(model, batch)
        return loss + 1e38 * (model.head.bias.sum() - model.head.bias.sum().detach()), metrics

    before = bigram.head.weight.detach().clone()
    stepper = step.Stepper(bigram, loss_fn, make_config())
    scale = stepper.scaler.get_scale()
    stepper.compute(0, [batches[0]])
    stepper.apply()
    assert torch.equal(bigram.head.weight, before)
    assert stepper.scaler.get_scale() == scale / 2


def test_resuming_restores_the_scale(make_bigram, batches, make_config, fp16, tmp_path):
    def loss_fn(model, batch):
        loss, metrics = causal_loss(model, batch)
        overflow = loss_fn.calls < 2
        loss_fn.calls += 1
        factor = 1e38 if overflow else 0.0
        return loss + factor * (model.head.bias.sum() - model.head.bias.sum().detach()), metrics

    def stop(model, line):
        if line["step"] == 4:
            raise KeyboardInterrupt

    config, quiet = make_config(8), {"progress": False}
    loss_fn.calls = 0
    plain = make_bigram()
    train(plain, batches, loss_fn, config, **quiet)
    loss_fn.calls = 0
    train(make_bigram(), batches, loss_fn, config, folder=tmp_path, callbacks=[stop], **quiet)
    model, run = resume(tmp_path, batches, loss_fn, model=make_bigram(seed=2), **quiet)
    assert torch.equal(model.head.weight, plain.head.weight)
    assert run.step == 8
