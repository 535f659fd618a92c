"""The one training loop. It knows nothing of the task: models differ in ``loss_fn`` alone."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from llmlab.models.modes import evaluating
from llmlab.training.checkpoints import Body, save_checkpoint
from llmlab.training.interrupts import Terminated, interrupts_held
from llmlab.training.manifest import CheckpointError
from llmlab.training.nested import fingerprint
from llmlab.training.progress import Progress
from llmlab.training.records import RECORD_NAME, RecordWriter, Run, check_columns
from llmlab.training.seeds import seed_step
from llmlab.training.step import Stepper, StepResult

Evaluate = Callable[[nn.Module], "dict[str, float]"]
Callback = Callable[[nn.Module, "dict[str, Any]"], None]


class TrainingDiverged(RuntimeError):
    """The loss or the gradient stopped being a finite number."""

    def __init__(self, step: int, what: str, kept: str) -> None:
        self.step = step
        super().__init__(
            f"training diverged: the {what} at step {step} is not a finite number; try a lower "
            f"learning_rate, a longer warmup or a smaller clip.{kept}"
        )


class Loop:
    """The moving parts of one run: what is done, what is measured but not yet recorded.

    ``pending`` are results of steps that may still be on the device, ``waiting`` lines of the
    record that may get the columns of an evaluation. An interruption costs neither.
    """

    def __init__(
        self,
        stepper: Stepper,
        batches: Sequence[Any],
        run: Run,
        folder: str | Path | None,
        evaluate: Evaluate | None,
        callbacks: Sequence[Callback],
        progress: bool,
        body: Body | None = None,
    ) -> None:
        self.stepper, self.batches, self.run = stepper, batches, run
        self.config, self.model, self.parallel = stepper.config, stepper.model, stepper.parallel
        self.evaluate, self.callbacks = evaluate, callbacks
        self.folder = None if folder is None else Path(folder)
        self.body = body
        self.progress = Progress(self.config.steps, progress and self.parallel.is_main_process)
        self.record: RecordWriter | None = None
        self.steps_per_fetch = _steps_per_fetch(stepper.device)
        self.pending: list[StepResult] = []
        self.waiting: list[dict[str, Any]] = []
        self.done = self.tokens = 0
        self.saved: int | None = None
        self.seconds = self.clock = 0.0

    def go(
        self, done: int = 0, tokens: int = 0, seconds: float = 0.0, saved: int | None = None
    ) -> Run:
        """Train from step ``done`` to the end, or to an interruption.

        ``saved`` is the step of the checkpoint in the folder, None if there is none. Raises
        SystemExit after SIGTERM or SIGHUP, when all is saved.
        """
        self.done, self.tokens, self.seconds, self.saved = done, tokens, seconds, saved
        try:
            with self.parallel.hold_interrupts() as self.stop_if_interrupted:
                self._train()
                self.stepper.gather().to(self.stepper.device).eval()
        except Terminated as stop:
            raise SystemExit(stop.status) from None
        return self.run

    def _train(self) -> None:
        outcome = ""
        try:
            self._begin()
            while self.done < self.config.steps:
                self._step()
        except KeyboardInterrupt as stop:
            with interrupts_held(forget=True):
                self._stop_early()
            outcome = "interrupted after"
            if isinstance(stop, Terminated):
                outcome = "terminated after"
                raise
        finally:
            self.stepper.clear()
            self.model.eval()
            if self.record is not None:
                self.record.close()
            self.progress.close(self.run.lines[-1] if self.run.lines else None, outcome)

    def _begin(self) -> None:
        if self.folder is not None:
            self._save()  # now, so that a run killed in its first steps can be resumed too
            if self.parallel.is_main_process:
                self.record = RecordWriter(self.folder / RECORD_NAME, self.run)
        if not self.run.lines:
            line = {"step": 0, "tokens": 0, "seconds": 0.0}
            if evaluated := self._evaluate():
                self._publish([line | evaluated])
                self._call_back([line | evaluated])
        self.clock = time.perf_counter()

    def _step(self) -> None:
        first = self.done * self.config.accumulate
        micro_batches = [self.batches[first + i] for i in range(self.config.accumulate)]
        result = self.stepper.compute(self.done, micro_batches)
        if self.steps_per_fetch == 1:  # the numbers are at hand before they can do harm
            self._require_finite(result.step, float(result.loss), float(result.gradient_norm))
        with interrupts_held():  # the weights and the count of steps change together
            self.stepper.apply()
            self.pending.append(result)
            self.done += 1
        if self._fetch_is_due():
            with interrupts_held():
                self.waiting = lines = self._collect()
            self._evaluate_into(lines)
            self._call_back(lines)
            if self._is_due(self.config.checkpoint_every):
                self._save()
            self.stop_if_interrupted()
            self.clock = time.perf_counter()

    def _fetch_is_due(self) -> bool:
        return (
            self.done % self.steps_per_fetch == 0
            or self._is_due(self.config.evaluate_every)
            or self._is_due(self.config.checkpoint_every)
        )

    def _is_due(self, every: int) -> bool:
        return self.done == self.config.steps or (every > 0 and self.done % every == 0)

    def _collect(self) -> list[dict[str, Any]]:
        """Turn what is pending into lines of the record; one transfer from the device."""
        pending, self.pending = self.pending, []
        rows = [{"loss": r.loss, "gradient_norm": r.gradient_norm, **r.metrics} for r in pending]
        numbers = iter(_fetch([value for row in rows for value in row.values()]))
        share = (time.perf_counter() - self.clock) / max(1, len(pending))
        lines = []
        for result, row in zip(pending, rows, strict=True):
            values = {name: next(numbers) for name in row}
            self._require_finite(result.step, values["loss"], values["gradient_norm"])
            self.tokens += result.tokens
            self.seconds += share
            lines.append(
                {
                    "step": result.step + 1,
                    "loss": values.pop("loss"),
                    "learning_rate": result.learning_rate,
                    **values,
                    "tokens": self.tokens,
                    "seconds": round(self.seconds, 6),
                }
            )
        return lines

    def _require_finite(self, step: int, loss: float, norm: float) -> None:
        # a gradient scaler meets an infinite norm by skipping the update and halving the scale
        norm_matters = not self.stepper.scaler.is_enabled()
        if not math.isfinite(loss):
            what = "loss"
        elif norm_matters and not math.isfinite(norm):
            what = "gradient norm"
        else:
            return
        kept = "" if self.saved is None else f" The checkpoint of step {self.saved} is kept."
        raise TrainingDiverged(step + 1, what, kept)

    def _evaluate_into(self, lines: list[dict[str, Any]]) -> None:
        """Add the evaluated columns to the last line if it is time to; record all lines."""
        try:
            if self._is_due(self.config.evaluate_every):
                lines[-1].update(self._evaluate(taken=lines[-1]))
        finally:  # an evaluation that fails must not cost the lines of the steps
            self._publish(lines)

    def _evaluate(self, taken: Collection[str] = ()) -> dict[str, float]:
        if self.evaluate is None:
            return {}
        seed_step(self.config.seed, self.done, self.stepper.device)
        with evaluating(self.model), torch.no_grad(), self.stepper.precision.autocast():
            columns = self.evaluate(self.model)
        if not isinstance(columns, dict):
            raise TypeError(
                "evaluate must return a dictionary from names to single numbers: got "
                f"{type(columns).__name__}."
            )
        check_columns("evaluate", columns, taken)
        return {name: float(value) for name, value in columns.items()}

    def _publish(self, lines: list[dict[str, Any]]) -> None:
        self._require_folder()
        with interrupts_held():
            self.run.lines.extend(lines)
            if self.record is not None:
                self.record.write(lines)
            self.waiting = []
        for line in lines:
            self.progress.update(line)

    def _call_back(self, lines: list[dict[str, Any]]) -> None:
        for line in lines:
            for callback in self.callbacks:
                callback(self.model, dict(line))

    def _save(self) -> None:
        if self.folder is None or self.saved == self.done:
            return
        # every process takes part
        whole, remembered = self.stepper.gather(), self.stepper.optimizer_state()
        if self.parallel.is_main_process:
            self._write(whole, remembered)
        self.saved = self.done

    def _write(self, whole: nn.Module, remembered: dict[str, Tensor]) -> None:
        if self.record is not None:
            self._require_folder()
            self.record.sync()
        state = {
            "step": self.done,
            "tokens": self.tokens,
            "seconds": self.seconds,
            "scaler": self.stepper.scaler.state_dict(),
            "run": self.run.header(),
            "batches": fingerprint(self.batches[0]),
        }
        save_checkpoint(
            self.folder,
            whole,
            step=self.done,
            optimizer=remembered,
            training=state,
            body=self.body,
        )

    def _require_folder(self) -> None:
        if self.record is not None and not self.record.is_in_place():
            raise CheckpointError(
                f"{self.folder} was moved or deleted while it was trained in: the checkpoint of "
                f"step {self.saved} went with it, and what was trained since, up to step "
                f"{self.done}, is lost."
            )

    def _stop_early(self) -> None:
        if lines := self.waiting + self._collect():
            self._publish(lines)
        self._save()
        self.run.interrupted = True
        if self.record is not None:
            self.record.write_interrupted()


def _steps_per_fetch(device: torch.device) -> int:
    # on a GPU, reading one number waits for all the work before it
    return 1 if device.type == "cpu" else 10


def _fetch(values: list[Any]) -> list[float]:
    """Return numbers and scalar tensors as floats, with one transfer for all the tensors."""
    tensors = [value for value in values if isinstance(value, Tensor)]
    if not tensors:
        return [float(value) for value in values]
    fetched = iter(torch.stack([t.detach().float().reshape(()) for t in tensors]).tolist())
    return [next(fetched) if isinstance(value, Tensor) else float(value) for value in values]
