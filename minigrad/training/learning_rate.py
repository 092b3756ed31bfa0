"""LearningRate: drives a learning-rate schedule from the loop."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any, ClassVar

from minigrad.training.callback import Callback
from minigrad.training.early_stopping import monitored

if TYPE_CHECKING:
    from minigrad.training.loop import Loop


class LearningRate(Callback):
    """Call ``schedule.step()`` after every epoch, or with ``every="step"`` after every step.

    A schedule whose ``step`` asks for an argument (such as ReduceLROnPlateau) is given the column
    `monitor` of the epoch's row: by default the test loss, without a test set the training loss.
    """

    order: ClassVar[int] = 10

    def __init__(self, schedule: Any, every: str = "epoch", monitor: str | None = None) -> None:
        if every not in ("epoch", "step"):
            raise ValueError(f'every={every!r}; legal are "epoch" and "step"')
        parameters = inspect.signature(schedule.step).parameters.values()
        self._metric = any(p.default is p.empty and p.kind is not p.VAR_KEYWORD for p in parameters)
        if self._metric and every == "step":
            raise ValueError(
                f'{type(schedule).__name__} needs the metric of an epoch; use every="epoch"'
            )
        self.schedule = schedule
        self.every = every
        self.monitor = monitor

    def on_step_end(self, loop: Loop) -> None:
        """Step, if it is for every step."""
        if self.every == "step":
            self.schedule.step()

    def on_epoch_end(self, loop: Loop) -> None:
        """Step, if it is for every epoch."""
        if self._metric:
            self.schedule.step(loop.history.rows[-1][monitored(loop, self.monitor)])
        elif self.every == "epoch":
            self.schedule.step()

    def state_dict(self) -> dict[str, Any]:
        """Return the schedule's."""
        return {"schedule": self.schedule.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Put the schedule back."""
        self.schedule.load_state_dict(state["schedule"])
