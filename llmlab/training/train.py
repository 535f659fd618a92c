"""``train`` begins a run, ``resume`` goes on with one."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from llmlab import __version__
from llmlab.device import choose_device
from llmlab.models import describe_model
from llmlab.training.begun import Begun
from llmlab.training.checkpoint_folders import find_checkpoint
from llmlab.training.checkpoints import Body, build_model, fill, read_body
from llmlab.training.config import TrainConfig
from llmlab.training.distributed import SingleProcess, choose_parallel
from llmlab.training.lock import one_training
from llmlab.training.loop import Callback, Evaluate, Loop
from llmlab.training.manifest import read_tensors
from llmlab.training.optimizers import trainable
from llmlab.training.records import Run
from llmlab.training.seeds import set_seed
from llmlab.training.step import Batches, LossFunction, Stepper
from llmlab.training.wrappers import unwrapped


def train(
    model: nn.Module,
    batches: Batches,
    loss_fn: LossFunction,
    config: TrainConfig,
    *,
    evaluate: Evaluate | None = None,
    folder: str | Path | None = None,
    callbacks: Sequence[Callback] = (),
    progress: bool = True,
    name: str = "",
    body: str = "",
    parallel: SingleProcess | None = None,
) -> Run:
    """Train ``model`` in place and return the record of the run.

    ``batches[i]`` is the i-th batch of the run and must depend on i alone (see
    ``llmlab.data.batches``); micro-batch j of step s is ``batches[s * accumulate + j]``.
    ``loss_fn(model, batch)`` returns a scalar loss and a dictionary of metrics.
    ``evaluate(model)`` returns further columns; it is called before the first step, every
    ``evaluate_every`` steps and after the last. ``folder`` receives the record and checkpoints.
    Each of ``callbacks`` gets the model and each new line of the record; on a GPU the lines arrive
    ten at a time. Afterwards the model is on the device it was trained on, in evaluation mode.

    Where most of a model is frozen, as with adapters, ``body`` names what was frozen: checkpoints
    then hold what is trained alone, with that name and the hash of the weights it belongs to.

    The global random generators (Python, NumPy, PyTorch) are seeded with ``config.seed`` at the
    start and anew in each step; seed them yourself before building the model.

    Started by ``torchrun``, the processes share each batch as ``parallel`` says, data parallel
    unless given (see :func:`choose_parallel`). The outcome is that of one process up to rounding,
    and without dropout, which falls elsewhere. Each of them calls ``train`` with the same
    arguments, evaluates and runs the callbacks; the first alone reports and writes. With pieces of
    a model in each process, ``evaluate`` and the callbacks get one that all of them must call
    alike; ``model`` itself is whole again at the end.

    Interrupting (Ctrl-C, a stopped cell) leaves the model as the last finished step left it, writes
    a checkpoint if there is a folder, and returns the run with ``interrupted=True``. SIGTERM, which
    schedulers send before they end a process, and SIGHUP, when a terminal is closed, do the same
    and then raise SystemExit with the status 143 or 129, unless the program handles them itself.

    Raises TrainingDiverged if the loss is not finite, CheckpointError if the folder already holds a
    run, if another process trains there, or if it cannot be written, or was moved or deleted
    meanwhile; ValueError or TypeError for unusable arguments.
    """
    parallel = choose_parallel() if parallel is None else parallel
    _check_batches(batches, config)
    parallel.check(model, batches[0])
    set_seed(config.seed)
    stepper = Stepper(model, loss_fn, config, parallel)
    run = Run(
        config,
        model=describe_model(unwrapped(model)),
        name=name,
        parameters=sum(p.numel() for p in trainable(model).values()),
        device=parallel.describe(_device_name(stepper.device)),
        version=__version__,
        torch=torch.__version__,
    )
    frozen = Body.of(model, body) if body else None
    loop = Loop(stepper, batches, run, folder, evaluate, callbacks, progress, frozen)
    with nullcontext() if folder is None else one_training(Path(folder), parallel, new=True):
        return loop.go()


def resume(
    folder: str | Path,
    batches: Batches,
    loss_fn: LossFunction,
    *,
    model: nn.Module | None = None,
    device: str | None = None,
    evaluate: Evaluate | None = None,
    callbacks: Sequence[Callback] = (),
    progress: bool = True,
    parallel: SingleProcess | None = None,
) -> tuple[nn.Module, Run]:
    """Continue the run in ``folder`` from its newest checkpoint, and return model and record.

    Given the batches and the loss of the original call, the outcome is bit for bit that of a run
    that was never stopped (same machine, CPU); a finished run is returned as it is. ``model`` is
    needed only for a class that ``llmlab.models.build`` does not know; ``device`` replaces the one
    the run began on. The number of processes and ``parallel`` need not be those of the beginning.

    Signals and interrupting do what they do in ``train``.

    Raises CheckpointError if there is no usable checkpoint, if it belongs to another run than the
    record, if another process trains in the folder, or if the checkpoint was written by a loop
    whose batches do not depend on the step alone, so that going on could not repeat it; ValueError
    if the model or the batches are not those of the run.
    """
    parallel = choose_parallel() if parallel is None else parallel
    place = find_checkpoint(folder).parent
    with one_training(place, parallel, new=False):
        begun = Begun.read(find_checkpoint(folder))
        run, state = begun.run, begun.state
        model = build_model(begun.checkpoint) if model is None else model
        begun.check_model(model)
        fill(model, begun.checkpoint)
        if device is None:
            _check_device(run.config.device, place)
        else:
            run.config = replace(run.config, device=device)
        _check_batches(batches, run.config)
        begun.check_batches(batches)
        parallel.check(model, batches[0])
        if parallel.is_main_process and (gap := begun.missing_lines()):
            print(gap, file=sys.stderr)
        set_seed(run.config.seed)
        stepper = Stepper(model, loss_fn, run.config, parallel)
        stepper.load_optimizer_state(read_tensors(begun.checkpoint, "optimizer.safetensors"))
        stepper.scaler.load_state_dict(state["scaler"])
        body = read_body(begun.checkpoint)
        loop = Loop(stepper, batches, run, place, evaluate, callbacks, progress, body)
        done = state["step"]
        return model, loop.go(done, state["tokens"], state["seconds"], saved=done)


def _check_batches(batches: Any, config: TrainConfig) -> None:
    if not hasattr(batches, "__getitem__") or getattr(batches, "ndim", 1) == 0:
        raise TypeError(
            "batches must be indexed by step, such as RandomWindows or a list: got "
            f"{type(batches).__name__}."
        )
    needed = config.steps * config.accumulate
    if hasattr(batches, "__len__") and len(batches) < needed:
        raise ValueError(
            f"batches must hold at least steps × accumulate = {needed} batches: got {len(batches)}."
        )


def _check_device(name: str, folder: Path) -> None:
    try:
        choose_device(name)
    except ValueError as error:
        raise ValueError(
            f"the run in {folder} is on device={name!r}, which this machine does not have: resume "
            "it with device='cpu' (llmlab resume RUN --device cpu)."
        ) from error


def _device_name(device: torch.device) -> str:
    if device.type == "cuda":
        return f"cuda ({torch.cuda.get_device_name(device)})"
    return f"cpu ({torch.get_num_threads()} threads)"
