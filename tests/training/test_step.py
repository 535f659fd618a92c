"""The public stepper: a loop of one's own around it, with batches that the model makes."""

import pytest
import torch

from llmlab.training import (
    CheckpointError,
    Stepper,
    causal_loss,
    load_model,
    resume,
    save_checkpoint,
    set_seed,
    train,
)


def own_loop(model, batches, config) -> list[float]:
    """What ``train`` does, without records and reports."""
    set_seed(config.seed)
    stepper = Stepper(model, causal_loss, config)
    losses = []
    for step in range(config.steps):
        first = step * config.accumulate
        micro_batches = [batches[first + n] for n in range(config.accumulate)]
        losses.append(float(stepper.compute(step, micro_batches).loss))
        stepper.apply()
    stepper.clear()
    return losses


@pytest.mark.parametrize("options", [{}, {"accumulate": 2, "optimizer": "lion", "clip": 0.1}])
def test_a_loop_of_ones_own_takes_the_same_steps(make_bigram, batches, make_config, options):
    config = make_config(6, **options)
    ours, theirs = make_bigram(dropout=0.3), make_bigram(dropout=0.3)
    losses = own_loop(ours, batches, config)
    run = train(theirs, batches, causal_loss, config, progress=False)
    assert losses == run.column("loss")[1].tolist()
    for mine, other in zip(ours.parameters(), theirs.parameters(), strict=True):
        assert torch.equal(mine, other)


@torch.no_grad()
def written(model, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """A batch (B, T) that the model itself has drawn, as in reinforcement learning."""
    generator = torch.Generator().manual_seed(seed)
    tokens = torch.zeros(4, 1, dtype=torch.long)
    for _ in range(8):
        chances = model(tokens)[:, -1].softmax(-1)
        tokens = torch.cat([tokens, torch.multinomial(chances, 1, generator=generator)], 1)
    return tokens[:, :-1], tokens[:, 1:]


def loss_of_threes(model, batch):
    """Policy gradient, worked out: the log-probability of what was drawn, for its share of 3s."""
    tokens, drawn = batch
    logs = model(tokens).log_softmax(-1).gather(-1, drawn[..., None])[..., 0]
    reward = (drawn == 3).float()
    return -(logs * (reward - reward.mean())).sum(), {"reward": reward.mean()}


def test_batches_may_come_from_the_model_itself(make_bigram, make_config):
    model = make_bigram()
    stepper = Stepper(
        model, loss_of_threes, make_config(60, learning_rate=0.05, schedule="constant")
    )
    rewards = []
    for step in range(60):
        rewards.append(float(stepper.compute(step, [written(model, step)]).metrics["reward"]))
        stepper.apply()
    assert sum(rewards[-10:]) > 10 * 0.5 > sum(rewards[:10])


def test_what_such_a_loop_saves_is_a_model_and_cannot_be_resumed(tmp_path, batches):
    from llmlab.models import GPT, GPTConfig

    model = GPT(GPTConfig(11, 8, layers=1, heads=2, width=8))
    save_checkpoint(tmp_path, model, step=60)
    assert torch.equal(load_model(tmp_path).norm.weight, model.norm.weight)
    with pytest.raises(CheckpointError, match="whose batches depend on the step alone"):
        resume(tmp_path, batches, causal_loss)
