import copy
import shutil

import numpy
import pytest
import torch
from torch import nn

from llmlab.data import IGNORE, Batch, MaskedWindows
from llmlab.models import BERT, BERTConfig
from llmlab.training import (
    CheckpointError,
    Run,
    TrainingDiverged,
    causal_loss,
    load_weights,
    masked_loss,
    resume,
    set_seed,
    train,
)
from llmlab.training.nested import count_tokens, move
from llmlab.training.step import Stepper


def weights(model):
    return torch.cat([p.detach().flatten() for p in model.parameters()])


def test_training_lowers_the_loss(bigram, batches, make_config):
    run = train(bigram, batches, causal_loss, make_config(60, learning_rate=0.03), progress=False)
    losses = run.column("loss")[1]
    assert losses[-5:].mean() < 0.5 * losses[:5].mean()
    assert run.final("accuracy") > 0.9


def test_each_step_has_a_line(bigram, batches, make_config):
    run = train(bigram, batches, causal_loss, make_config(3, warmup=1), progress=False)
    assert [line["step"] for line in run.lines] == [1, 2, 3]
    assert [line["tokens"] for line in run.lines] == [32, 64, 96]
    assert [line["learning_rate"] for line in run.lines] == pytest.approx([5e-4, 1e-3, 5e-4])
    seconds = [line["seconds"] for line in run.lines]
    assert seconds == sorted(seconds)
    assert set(run.lines[0]) == {
        *("step", "loss", "learning_rate", "gradient_norm", "accuracy", "tokens", "seconds")
    }


def test_the_run_says_what_it_was(bigram, batches, make_config):
    run = train(bigram, batches, causal_loss, make_config(2, seed=3), progress=False, name="toy")
    assert (run.name, run.seed, run.step, run.interrupted) == ("toy", 3, 2, False)
    assert run.parameters == 11 * 16 + 16 * 11 + 11
    assert run.device.startswith("cpu")
    assert run.model == {"model": None, "class": "Bigram"}


def test_the_same_seed_gives_the_same_run_and_another_does_not(make_bigram, batches, make_config):
    def losses(seed):
        model = make_bigram(dropout=0.5)
        run = train(model, batches, causal_loss, make_config(seed=seed), progress=False)
        return run.column("loss")[1].tolist()

    assert losses(0) == losses(0)
    assert losses(0) != losses(1)


def test_evaluation_comes_first_regularly_and_last(bigram, batches, make_config):
    modes = []

    def evaluate(model):
        modes.append((model.training, torch.is_grad_enabled()))
        return {"validation_loss": float(len(modes))}

    config = make_config(5, evaluate_every=2)
    run = train(bigram, batches, causal_loss, config, evaluate=evaluate, progress=False)
    assert run.column("validation_loss")[0].tolist() == [0, 2, 4, 5]
    assert run.final("validation_loss") == 4.0
    assert modes == [(False, False)] * 4
    assert run.lines[0] == {"step": 0, "tokens": 0, "seconds": 0.0, "validation_loss": 1.0}


def test_evaluation_and_callbacks_change_nothing(make_bigram, batches, make_config):
    def draw(*_):
        torch.rand(7)
        return {"validation_noise": float(torch.rand(()))}

    plain, watched = make_bigram(dropout=0.5), make_bigram(dropout=0.5)
    config = make_config(evaluate_every=2)
    train(plain, batches, causal_loss, config, progress=False)
    options = {"evaluate": draw, "callbacks": [draw, lambda model, line: model.eval()]}
    train(watched, batches, causal_loss, config, progress=False, **options)
    assert torch.equal(weights(plain), weights(watched))


def test_callbacks_get_the_model_and_each_line(bigram, batches, make_config):
    seen = []
    callbacks = [lambda model, line: seen.append((model is bigram, line["step"]))]
    train(bigram, batches, causal_loss, make_config(3), callbacks=callbacks, progress=False)
    assert seen == [(True, 1), (True, 2), (True, 3)]


def test_callbacks_get_the_evaluation_of_the_untrained_model(bigram, batches, make_config):
    seen = []
    options = {"evaluate": lambda model: {"held_out": 4.0}, "progress": False}
    train(
        bigram,
        batches,
        causal_loss,
        make_config(1),
        callbacks=[lambda _, x: seen.append(x)],
        **options,
    )
    assert seen[0] == {"step": 0, "tokens": 0, "seconds": 0.0, "held_out": 4.0}
    assert [line["step"] for line in seen] == [0, 1]


def test_the_model_ends_in_evaluation_mode_without_gradients(bigram, batches, make_config):
    train(bigram, batches, causal_loss, make_config(2), progress=False)
    assert not bigram.training
    assert all(parameter.grad is None for parameter in bigram.parameters())


def test_accumulation_equals_the_big_batch(make_bigram, batches, make_config):
    fours = [[batches[4 * s + i] for i in range(4)] for s in range(5)]
    big = [Batch(*(torch.cat(parts) for parts in zip(*four, strict=True))) for four in fours]
    together, in_parts = make_bigram(), make_bigram()
    whole = train(together, big, causal_loss, make_config(5), progress=False)
    parts = train(in_parts, batches, causal_loss, make_config(5, accumulate=4), progress=False)
    assert torch.allclose(weights(together), weights(in_parts), atol=1e-6)
    for name in ("loss", "gradient_norm", "accuracy", "tokens"):
        assert parts.column(name)[1] == pytest.approx(whole.column(name)[1], abs=1e-6)


def test_accumulation_weighs_micro_batches_by_their_targets(make_bigram, make_config):
    # one target in the first half, four in the second: a mean of means would count the one 4 times
    inputs = torch.tensor([[1, 2, 3, 4], [5, 6, 7, 8]])
    targets = torch.tensor([[2, IGNORE, IGNORE, IGNORE], [6, 7, 8, 9]])
    big = Batch(inputs, targets)
    halves = [Batch(inputs[i : i + 1], targets[i : i + 1]) for i in range(2)]
    nothing = Batch(inputs[:1], torch.full((1, 4), IGNORE))
    config = make_config(1, warmup=0)
    results = []
    for batches in ([big], halves, [nothing, *halves]):
        stepper = Stepper(make_bigram(), masked_loss, config)
        result = stepper.compute(0, batches)
        gradients = torch.cat([p.grad.flatten() for p in stepper.parameters])
        results.append((result.loss, result.gradient_norm, result.metrics["accuracy"], gradients))
    for other in results[1:]:
        for expected, found in zip(results[0], other, strict=True):
            assert torch.allclose(expected, found, atol=1e-6)


def test_clipping_by_hand():
    # loss = 3a + 4b has the gradient (3, 4), of norm 5; clipped to 1 it is (0.6, 0.8)
    model = nn.Linear(2, 1, bias=False)

    def loss_fn(model, batch):
        return model(batch).sum(), {}

    from llmlab.training import TrainConfig

    inputs = torch.tensor([[3.0, 4.0]])
    for clip, expected in ((1.0, [0.6, 0.8]), (10.0, [3.0, 4.0]), (0.0, [3.0, 4.0])):
        stepper = Stepper(model, loss_fn, TrainConfig(steps=1, clip=clip, device="cpu"))
        result = stepper.compute(0, [inputs])
        assert result.gradient_norm.item() == pytest.approx(5.0)
        assert model.weight.grad[0].tolist() == pytest.approx(expected, abs=1e-5)
        stepper.clear()


def test_the_masked_objective_needs_only_another_loss_function(make_config):
    tokens = torch.arange(300) % 7
    batches = MaskedWindows(tokens, context=8, batch_size=4, vocab_size=7, mask_id=7)
    model = BERT(BERTConfig(vocab_size=8, context=8, layers=1, heads=2, width=16))
    run = train(model, batches, masked_loss, make_config(3), progress=False)
    assert run.step == 3
    assert run.model["model"] == "bert"


def test_an_exploding_run_stops_with_advice_and_keeps_the_checkpoint(
    bigram, batches, make_config, tmp_path
):
    def explode(model, batch):
        loss, metrics = causal_loss(model, batch)
        explode.calls += 1
        return loss * (float("nan") if explode.calls == 5 else 1.0), metrics

    explode.calls = 0
    config = make_config(8, checkpoint_every=2)
    with pytest.raises(TrainingDiverged, match="lower learning_rate") as raised:
        train(bigram, batches, explode, config, folder=tmp_path, progress=False)
    assert raised.value.step == 5
    assert "loss at step 5" in str(raised.value)
    assert "checkpoint of step 4 is kept" in str(raised.value)
    assert torch.isfinite(weights(bigram)).all()
    kept = load_weights(copy.deepcopy(bigram), tmp_path)
    assert torch.equal(weights(kept), weights(bigram))
    assert Run.load(tmp_path / "run.jsonl").step == 4


def test_an_infinite_gradient_stops_the_run_before_it_does_harm(bigram, batches, make_config):
    def loss_fn(model, batch):
        loss, _ = causal_loss(model, batch)
        return (loss - loss.detach()).abs().sqrt(), {}  # 0, with an infinite slope

    before = weights(bigram)
    with pytest.raises(TrainingDiverged, match="gradient norm at step 1"):
        train(bigram, batches, loss_fn, make_config(), progress=False)
    assert torch.equal(weights(bigram), before)


def test_a_folder_that_holds_a_run_is_refused(bigram, batches, make_config, tmp_path):
    train(bigram, batches, causal_loss, make_config(2), folder=tmp_path, progress=False)
    with pytest.raises(CheckpointError, match="already holds a run; continue it with resume"):
        train(bigram, batches, causal_loss, make_config(2), folder=tmp_path, progress=False)


def test_a_folder_that_cannot_be_made_is_refused_before_training(
    bigram, batches, make_config, tmp_path
):
    (tmp_path / "file").write_text("not a folder")
    before = weights(bigram)
    with pytest.raises(CheckpointError, match="could not write a checkpoint to"):
        train(bigram, batches, causal_loss, make_config(), folder=tmp_path / "file" / "run")
    assert torch.equal(weights(bigram), before)


@pytest.mark.parametrize(
    ("batches", "error", "message"),
    [
        (iter([]), TypeError, "batches must be indexed by step"),
        ([1, 2, 3], ValueError, "at least steps × accumulate = 6 batches: got 3"),
    ],
)
def test_unusable_batches_are_refused(bigram, make_config, batches, error, message):
    with pytest.raises(error, match=message):
        train(bigram, batches, causal_loss, make_config(6), progress=False)


@pytest.mark.parametrize(
    ("result", "error", "message"),
    [
        (torch.zeros(()), TypeError, r"must return \(loss, metrics dictionary\): got Tensor"),
        ((torch.zeros(3), {}), ValueError, r"scalar tensor .* got a tensor of shape \(3,\)"),
        ((torch.zeros(()), {}), ValueError, "requires_grad=False"),
        ((1.5, {}), ValueError, "got float"),
    ],
)
def test_an_unusable_loss_is_refused(bigram, batches, make_config, result, error, message):
    with pytest.raises(error, match=message):
        train(bigram, batches, lambda model, batch: result, make_config(), progress=False)


@pytest.mark.parametrize(
    "name", ["step", "loss", "learning_rate", "gradient_norm", "tokens", "seconds", "event"]
)
def test_the_names_of_the_record_itself_are_refused(bigram, batches, make_config, name):
    def loss_fn(model, batch):
        return causal_loss(model, batch)[0], {name: 0.0}

    before = weights(bigram)
    with pytest.raises(ValueError, match=f"loss_fn must not return '{name}': the record has"):
        train(bigram, batches, loss_fn, make_config(), progress=False)
    options = {"evaluate": lambda model: {name: 0.0}, "progress": False}
    with pytest.raises(ValueError, match=f"evaluate must not return '{name}': the record has"):
        train(bigram, batches, causal_loss, make_config(), **options)
    assert torch.equal(weights(bigram), before)


def test_a_metric_is_not_written_over_by_an_evaluation(bigram, batches, make_config, tmp_path):
    options = {"evaluate": lambda model: {"accuracy": 1.0}, "folder": tmp_path, "progress": False}
    with pytest.raises(ValueError, match="evaluate must not return 'accuracy'"):
        train(bigram, batches, causal_loss, make_config(2), **options)
    run = Run.load(tmp_path / "run.jsonl")
    assert all(line["accuracy"] < 1 for line in run.lines if line["step"] > 0)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("good", "'quality': str"),
        (None, "'quality': NoneType"),
        ([1.0], "'quality': list"),
        (torch.zeros(3), r"'quality': Tensor of shape \(3,\)"),
        (numpy.zeros((2, 2)), r"'quality': ndarray of shape \(2, 2\)"),
    ],
)
def test_what_is_no_single_number_is_refused(bigram, batches, make_config, value, words):
    def loss_fn(model, batch):
        return causal_loss(model, batch)[0], {"quality": value}

    sentence = f"must return a dictionary from names to single numbers: got {words}"
    with pytest.raises(TypeError, match=f"^loss_fn {sentence}"):
        train(bigram, batches, loss_fn, make_config(), progress=False)
    options = {"evaluate": lambda model: {"quality": value}, "progress": False}
    with pytest.raises(TypeError, match=f"^evaluate {sentence}"):
        train(bigram, batches, causal_loss, make_config(), **options)


@pytest.mark.parametrize("result", [torch.zeros(()), 0.5, None])
def test_an_evaluation_that_is_no_dictionary_is_refused(bigram, batches, make_config, result):
    with pytest.raises(TypeError, match=r"^evaluate must return a dictionary from names to single"):
        train(bigram, batches, causal_loss, make_config(), evaluate=lambda model: result)


def test_numbers_of_every_kind_are_recorded(bigram, batches, make_config, tmp_path):
    numbers = {"a": 1, "b": numpy.float32(0.5), "c": torch.tensor([2.0]), "d": True}

    def loss_fn(model, batch):
        return causal_loss(model, batch)[0], {f"metric_{name}": x for name, x in numbers.items()}

    options = {"evaluate": lambda model: numbers, "folder": tmp_path, "progress": False}
    train(bigram, batches, loss_fn, make_config(2), **options)
    line = Run.load(tmp_path / "run.jsonl").lines[-1]
    for prefix in ("", "metric_"):
        assert [line[f"{prefix}{name}"] for name in numbers] == [1.0, 0.5, 2.0, 1.0]


def test_metrics_that_come_and_go_are_refused(bigram, batches, make_config):
    calls = []

    def loss_fn(model, batch):
        calls.append(1)
        return causal_loss(model, batch)[0], {} if len(calls) % 2 else {"extra": 1.0}

    with pytest.raises(ValueError, match="same metrics for every batch: got none, then extra"):
        train(bigram, batches, loss_fn, make_config(accumulate=2), progress=False)


def move_away(folder):
    folder.rename(folder.with_name("elsewhere"))


def move_and_replace(folder):
    shutil.copytree(folder, folder.with_name("copy"))
    move_away(folder)
    folder.with_name("copy").rename(folder)


@pytest.mark.parametrize("lose", [shutil.rmtree, move_away, move_and_replace])
@pytest.mark.parametrize("checkpoint_every", [0, 1, 2])
def test_a_folder_that_is_moved_or_deleted_is_noticed(
    bigram, batches, make_config, tmp_path, lose, checkpoint_every
):
    def callback(model, line):
        if line["step"] == 3:
            lose(tmp_path / "run")

    config = make_config(6, checkpoint_every=checkpoint_every)
    options = {"folder": tmp_path / "run", "callbacks": [callback], "progress": False}
    saved = {0: 0, 1: 2, 2: 2}[checkpoint_every]
    sentence = f"run was moved or deleted while it was trained in: the checkpoint of step {saved} "
    with pytest.raises(CheckpointError, match=sentence):
        train(bigram, batches, causal_loss, config, **options)
    if lose is move_away:
        assert not (tmp_path / "run").exists()
        moved = load_weights(copy.deepcopy(bigram), tmp_path / "elsewhere")
        assert not torch.equal(weights(moved), weights(bigram))


class WithBody(nn.Module):
    """A frozen body with dropout under a head that is trained."""

    def __init__(self, make_bigram) -> None:
        super().__init__()
        self.body = make_bigram(seed=1, dropout=0.5).requires_grad_(False)
        self.head = nn.Linear(11, 11)

    def forward(self, tokens):
        return self.head(self.body(tokens))


def test_a_body_that_rests_is_not_woken(make_bigram, batches, make_config, tmp_path):
    def made():
        set_seed(2)
        model = WithBody(make_bigram)
        model.body.eval()
        return model

    modes = []

    def loss_fn(model, batch):
        modes.append((model.training, model.head.training, model.body.dropout.training))
        return causal_loss(model, batch)

    def stop(model, line):
        model.eval()
        if line["step"] == 3:
            raise KeyboardInterrupt

    quiet = {"progress": False, "evaluate": lambda model: {"validation": 1.0}}
    config = make_config(6, evaluate_every=1)
    whole = made()
    train(whole, batches, loss_fn, config, **quiet)
    options = {"folder": tmp_path, "callbacks": [stop]}
    train(made(), batches, loss_fn, config, **options, **quiet)
    resumed, _ = resume(tmp_path, batches, loss_fn, model=made(), **quiet)
    assert modes == [(True, True, False)] * 12
    assert torch.equal(weights(resumed), weights(whole))


def test_a_model_that_was_loaded_for_use_is_woken_to_be_trained(bigram, batches, make_config):
    seen = []

    def loss_fn(model, batch):
        seen.append(all(module.training for module in model.modules()))
        return causal_loss(model, batch)

    train(bigram.eval(), batches, loss_fn, make_config(2), progress=False)
    assert seen == [True, True]


def test_batches_of_any_shape_move_and_are_counted():
    cpu = torch.device("cpu")
    tokens, image = torch.zeros(2, 3, dtype=torch.long), torch.zeros(5, 3, 8, 8)
    for batch in (tokens, Batch(tokens, tokens), [tokens], {"a": image, "b": tokens}):
        moved = move(batch, cpu)
        assert type(moved) is type(batch)
        assert count_tokens(moved) == 6
    assert count_tokens((image, None)) == 5
    assert count_tokens("words") == 0
