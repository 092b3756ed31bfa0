"""The training loop: `fit`, and the Loop that callbacks see.

What it measures is in `metrics.py`; what watches and steers it are the callbacks, a file each.
"""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from minigrad import backend, random
from minigrad.legal import integer
from minigrad.mode import enable_grad
from minigrad.nn import refresh_statistics
from minigrad.tensor import Tensor
from minigrad.training.arguments import check, check_finite, clipper, derived
from minigrad.training.callback import Callback
from minigrad.training.checkpoint import Checkpoint
from minigrad.training.history import History
from minigrad.training.layer_log import LayerLog
from minigrad.training.learning_rate import LearningRate
from minigrad.training.logs import JSONLLog
from minigrad.training.metrics import (
    Meter,
    batches,
    correct,
    default_batch_size,
    evaluate,
    weight,
)
from minigrad.training.progress import Progress
from minigrad.training.report import DrawGraph, Report
from minigrad.training.run import Run, configuration
from minigrad.training.status import Status
from minigrad.training.store import library


@backend.explaining
def fit(
    model: Any,
    loss_fn: Callable[[Any, Any], Any],
    optimizer: Any,
    train: Any,
    test: Any = None,
    *,
    epochs: int = 10,
    batch_size: int | None = None,
    penalties: Iterable[Callable[[], Any]] = (),
    callbacks: Sequence[Callback] = (),
    schedule: Any = None,
    clip: float | Callable[[list[Tensor]], Any] | None = None,
    seed: int | None = None,
    run: str | Path | None = None,
    resume: bool = False,
    config: Mapping[str, Any] | None = None,
    progress: bool = True,
) -> History:
    """Train a model and return what was measured.

    Each step minimizes ``loss_fn(model(x), y)`` plus the `penalties`, functions of no argument that
    return a scalar; the loss that is reported is without them.

    - `train`, `test`: a Dataset (shuffled anew each epoch) or a Loader; with `test`, each epoch
      ends with its loss and accuracy, in eval mode, without recording. Data in float64, such as
      NumPy's own, are given to a model in float32 as float32.
    - `batch_size`: 32 if not given; all rows with a method that needs one function to go down, as
      line searches and curvature do (``optimizer.full_batch``).
    - `schedule`: a learning-rate schedule, stepped once an epoch; for once a step, give
      ``LearningRate(schedule, every="step")`` among the callbacks instead.
    - `clip`: the greatest global norm of the gradient, or a function of the list of parameters.
    - `seed`: decides the shuffling and starts `mg.random` anew (for dropout); with None they follow
      from the state of `mg.random`. Same seed, same machine: same weights, to the last bit.
    - `run`: a folder for what the run leaves, see `Run`: report.html shows it. If it exists and is
      not empty, the next free name with a number is taken (``history.run``), and a line says so.
      Without safetensors there is no checkpoint, and a note says so.
    - `resume`: go on from the checkpoint of `run`, or of a Checkpoint callback, if there is one,
      else start. The model, optimizer and arguments must be made as before; the run then ends in
      the same weights, bit for bit, as one that was never interrupted.
    - `config`: what else config.json should record.
    - `progress`: show a bar, if on a terminal, and say on standard error if `run` was taken.

    Raises TypeError and ValueError for arguments that are not legal, DatasetError for data with NaN
    or infinities, RunError and CheckpointError for a folder or checkpoint that does not serve.
    """
    epochs = integer("epochs", epochs, least=0)
    check(model, loss_fn, optimizer, penalties, callbacks, schedule)
    loop = Loop(model, loss_fn, optimizer, epochs, list(penalties), clipper(clip))
    trained = {id(p) for p in loop.parameters}
    if hasattr(model, "parameters") and not any(id(p) in trained for p in model.parameters()):
        raise ValueError(
            "the optimizer has none of the model's parameters, so nothing would be trained; make "
            f"it with {type(optimizer).__name__}(model.parameters())"
        )
    if loop.clip is not None and optimizer.needs_closure:
        raise ValueError(
            f"clip= has no meaning for {type(optimizer).__name__}, which takes its gradients itself"
        )
    if seed is not None:
        random.manual_seed(derived(seed))
    if batch_size is None:
        batch_size = default_batch_size(optimizer, len(train))
    loop.loader = batches(train, batch_size, model, shuffle=True, seed=seed)
    loop.test = None if test is None else batches(test, 1000, model)
    for name, data in (("train", train), ("test", test)):
        check_finite(name, getattr(data, "dataset", data))
    loop.callbacks = list(callbacks)
    if schedule is not None:
        loop.callbacks.append(LearningRate(schedule))
    if progress and not any(isinstance(c, Progress) for c in callbacks):
        loop.callbacks.append(Progress())
    if run is not None:
        loop.run = Run.prepare(run, resume)
        if progress and loop.run.path != Path(run):
            sys.stderr.write(f"{run} is taken: the run is {loop.run.path}\n")
        loop.callbacks += _of_a_run(loop, callbacks, resume)
    loop.callbacks.sort(key=lambda callback: callback.order)
    if resume:
        loop.resume()
    if loop.run is not None and not loop.resumed:
        settings = {"epochs": epochs, "batch_size": batch_size, "seed": seed, "clip": clip}
        loop.run.write_config(configuration(loop, settings, train, test, config))
    elif loop.run is not None and loop.unfinished:
        loop.run.change_config({"epochs": epochs}, config)  # all else is as it was begun
    with enable_grad():  # whatever is set outside; nor can an interrupt leave a no_grad set
        return loop.train()


def _of_a_run(loop: Loop, given: Sequence[Callback], resume: bool) -> list[Callback]:
    """Return what leaves the files of a run folder, but for those that are given."""
    kinds = (JSONLLog, Checkpoint, LayerLog, DrawGraph, Status, Report)
    there = [c for c in given if getattr(c, "path", None) is None]
    wanted = [kind for kind in kinds if not any(isinstance(c, kind) for c in there)]
    if Checkpoint in wanted and not resume:
        try:
            library()
        except ImportError as error:  # NumPy alone is enough to train
            wanted.remove(Checkpoint)
            loop.note(f"no checkpoint, so that this run cannot be resumed: {error}")
    return [kind() for kind in wanted]


class Loop:
    """Where a training run stands. Callbacks read it, and may call `stop` and `note`.

    - ``model``, ``loss_fn``, ``optimizer``, ``parameters``, ``test``, ``history``, ``run`` (a Run);
    - ``epoch``: epochs completed, of ``epochs``; ``batch``: steps completed in this epoch, of
      ``len(loop.loader)``; ``step``: steps completed in all;
    - ``loss``: the last batch's, a Tensor without graph (reading it may wait for the device);
    - ``meter``: the sums of this epoch; ``seconds``: of training so far; ``resumed``.
    """

    def __init__(
        self,
        model: Any,
        loss_fn: Callable[[Any, Any], Any],
        optimizer: Any,
        epochs: int,
        penalties: list[Callable[[], Any]],
        clip: Callable[[list[Tensor]], Any] | None,
    ) -> None:
        self.model = model
        self.loss_fn = loss_fn
        self.optimizer = optimizer
        self.epochs = epochs
        self.penalties = penalties
        self.clip = clip
        self.loader: Any = None
        self.test: Any = None
        self.callbacks: list[Callback] = []
        self.history = History()
        self.run: Run | None = None
        self.epoch = self.batch = self.step = 0
        self.seconds = 0.0
        self.meter = Meter()
        self.first: Tensor | None = None  # the first batch's loss, until it is read
        self.loss: Tensor | None = None
        self.resumed = False
        self._since = 0.0

    @property
    def elapsed(self) -> float:
        """Seconds of training so far, with those of the present epoch."""
        return self.seconds + (time.perf_counter() - self._since if self._since else 0.0)

    @property
    def parameters(self) -> list[Tensor]:
        """The parameters that the optimizer changes."""
        return [p for group in self.optimizer.param_groups for p in group["params"]]

    def stop(self, reason: str) -> None:
        """End training after this step, with the evaluation of what there is of the epoch."""
        if self.history.stopped is None:
            self.history.stopped = reason

    def note(self, text: str) -> None:
        """Leave a remark for the user, in the history and on the display."""
        self.history.notes.append(text)

    # Running -------------------------------------------------------------------------------------

    def train(self) -> History:
        """Run the epochs that are left."""
        self.history.run = self.run.path if self.run is not None else None
        self.model.train()
        try:
            self._tell("on_train_begin")
            if self.resumed and not self.unfinished:
                end = "it had stopped" if self.history.stopped else f"asked for are {self.epochs}"
                self.note(f"nothing was left to train: the run has {self.epoch} epochs, and {end}")
            # A stop within an epoch, or a checkpoint after its last step, owes the epoch's end.
            while self.unfinished:
                self._epoch()
            self._tell("on_train_end")
        finally:
            with ExitStack() as stack:  # which calls them all, whatever one of them raises
                for callback in reversed(self.callbacks):
                    stack.callback(callback.close)
        return self.history

    @property
    def unfinished(self) -> bool:
        """Whether there is anything left to do."""
        return self.batch > 0 or (self.epoch < self.epochs and not self.history.stopped)

    def _tell(self, hook: str) -> None:
        for callback in self.callbacks:
            getattr(callback, hook)(self)

    def _epoch(self) -> None:
        self._tell("on_epoch_begin")
        self._since = time.perf_counter()
        fresh = self.meter.samples
        if not self.history.stopped:
            for x, y in self.loader.batches(self.epoch, self.batch):
                self._step(x, y)
                self.batch += 1
                self.step += 1
                self._tell("on_step_end")
                if self.history.stopped:
                    break
        if self.optimizer.needs_closure:  # few and large steps, with trials between
            refresh_statistics(self.model, (x for x, _ in self.loader.batches(self.epoch, 0)))
        self._finish_epoch(fresh)
        self._tell("on_epoch_end")

    def _finish_epoch(self, fresh: int) -> None:
        """Add the epoch's row to the history; `fresh` rows were seen before a resumption."""
        row: dict[str, Any] = {"epoch": self.epoch + 1, "step": self.step, **self.meter.means()}
        if self.penalties:
            row["penalty"] = float(self.meter.penalty) / max(self.meter.samples, 1)
        row |= self.meter.report
        elapsed = time.perf_counter() - self._since
        self.seconds += elapsed
        self._since = 0.0
        if self.test is not None:
            scores = evaluate(self.model, self.loss_fn, self.test)
            row |= {f"test_{name}": value for name, value in scores.items()}
        row["lr"] = float(self.optimizer.param_groups[0]["lr"])
        row["seconds"] = self.seconds
        row["samples_per_second"] = (self.meter.samples - fresh) / elapsed
        self.history.rows.append(row)
        self._read_start()
        self._judge(row["loss"])
        self.epoch += 1
        self.batch = 0
        self.meter = Meter()

    def _judge(self, loss: float) -> None:
        """Say if the loss of the epoch that has just ended is no number, or grows without bound."""
        history, epoch = self.history, self.epoch + 1
        before, history.diverged = history.diverged, history.is_far(loss)
        if history.diverged and self.loss is not None:  # if it is not over yet
            history.diverged = history.is_far(float(self.loss))
        advice = "a smaller learning rate or clipping the gradient may help"
        if not math.isfinite(loss):
            history.diverged = True
            self.stop(
                f"the training loss became {loss} in epoch {epoch}; {advice}, and in Python "
                "mg.detect_anomaly() says where it began"
            )
        elif history.diverged and not before:
            self.note(
                f"diverging: the training loss grew from {history.start:.3g} in the first step to "
                f"{loss:.3g} in epoch {epoch}; {advice}"
            )

    def _step(self, x: Tensor, y: Tensor) -> None:
        """Change the parameters once, and add the batch to the sums."""
        seen: list[Any] = []

        def objective() -> Any:
            output = self.model(x)
            loss = self.loss_fn(output, y)
            if not isinstance(loss, Tensor):
                raise TypeError(
                    f"the loss function returned {type(loss).__name__}; it must return a Tensor of "
                    "one element, without .item() or float(), so that it can be differentiated"
                )
            extra = sum(penalty() for penalty in self.penalties)
            if not seen:  # an optimizer may ask again, elsewhere; the first time is here
                seen.extend((output.detach(), loss.detach(), extra))
            total = loss + extra if self.penalties else loss
            return (total, output) if self.optimizer.needs_outputs else total

        if self.optimizer.needs_closure:
            self.optimizer.step(objective)
        else:
            self.optimizer.zero_grad()
            objective().backward()
            if self.clip is not None:
                self.clip(self.parameters)
            self.optimizer.step()
        output, self.loss, extra = seen
        if self.step == 0:
            self.first = self.loss
        n = len(x)
        self.meter.add(n, weight(self.loss_fn, n), self.loss, correct(output, y))
        if self.penalties:
            self.meter.penalty = self.meter.penalty + extra.data.astype("float64") * n
        self.meter.note(getattr(self.optimizer, "report", None))

    # State ---------------------------------------------------------------------------------------

    def resume(self) -> None:
        """Load the checkpoint of this run, if it has one."""
        checkpoints = [c for c in self.callbacks if isinstance(c, Checkpoint)]
        if not checkpoints:
            raise ValueError("resume=True needs run= or a Checkpoint callback to resume from")
        self.resumed = checkpoints[0].load(self)
        if not self.resumed and self.run is not None:
            self.run.check_resumable()

    def _read_start(self) -> None:
        """Put the first batch's loss into the history: not at once, as it waits for the device."""
        if self.first is not None:
            self.history.start, self.first = float(self.first), None

    def state_dict(self) -> dict[str, Any]:
        """Return the position, the history and the memory of the callbacks."""
        self._read_start()
        return {
            "epoch": self.epoch,
            "batch": self.batch,
            "step": self.step,
            "batches": len(self.loader),
            "seconds": self.seconds,
            "meter": self.meter.state_dict(),
            "history": self.history.state_dict(),
            "optimizer": type(self.optimizer).__name__,
            "callbacks": [[type(c).__name__, c.state_dict()] for c in self.callbacks],
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from `state_dict`; raises ValueError for another loader, method or callbacks."""
        method = type(self.optimizer).__name__
        if state.get("optimizer", method) != method:
            raise ValueError(
                f"the checkpoint is of {state['optimizer']}, and the optimizer given is {method}; "
                "resume with the same"
            )
        if state["batches"] != len(self.loader):
            raise ValueError(
                f"the checkpoint is of {state['batches']} batches an epoch, and there are "
                f"{len(self.loader)} now; resume with the same data and batch size"
            )
        begun = state["epoch"] + (state["batch"] > 0)
        if begun > self.epochs:
            raise ValueError(
                f"it has {begun} epochs, and {self.epochs} are asked for in all; legal are {begun} "
                "or more; try a new run"
            )
        waiting = list(self.callbacks)
        for name, memory in state["callbacks"]:
            mine = next((c for c in waiting if type(c).__name__ == name), None)
            if mine is not None:
                waiting.remove(mine)
                mine.load_state_dict(memory)
            elif memory:
                raise ValueError(
                    f"the checkpoint holds the state of a {name}, and there is none among the "
                    "callbacks; resume with the same callbacks and schedule"
                )
        self.epoch, self.batch, self.step = state["epoch"], state["batch"], state["step"]
        self.seconds = state["seconds"]
        self.meter.load_state_dict(state["meter"])
        self.history.load_state_dict(state["history"])
