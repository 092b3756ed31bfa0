"""StopOnCostChange: end training when the cost has stopped changing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from minigrad.legal import finite, integer
from minigrad.training.callback import Callback

if TYPE_CHECKING:
    from minigrad.training.loop import Loop


class StopOnCostChange(Callback):
    """Stop when the change in the training cost falls below a threshold.

    The change is |a − b|, where a is the mean of the last `window` costs and b that of the `window`
    before them: a single mini-batch's loss is too noisy to compare. Training stops when it is below
    `absolute`, or below `relative`·|b|, whichever is given (with both, either). `every` says what a
    cost is: the mean of an ``"epoch"``, or the loss of a ``"step"``.

    The convergence test of D. Shulman, "Optimization Methods in Deep Learning: A Comprehensive
    Overview". Raises ValueError for arguments that are not legal.
    """

    order: ClassVar[int] = 20

    def __init__(
        self,
        absolute: float | None = None,
        relative: float | None = None,
        window: int = 1,
        every: str = "epoch",
    ) -> None:
        if absolute is None and relative is None:
            raise ValueError("give a threshold: absolute=, relative= or both")
        if every not in ("epoch", "step"):
            raise ValueError(f'every={every!r}; legal are "epoch" and "step"')
        self.absolute = None if absolute is None else finite("absolute", absolute)
        self.relative = None if relative is None else finite("relative", relative)
        self.window = integer("window", window)
        self.every = every
        self._costs: list[float] = []

    def on_step_end(self, loop: Loop) -> None:
        """Look at the step's loss, if it is for steps."""
        if self.every == "step":
            self._look(loop, float(loop.loss))  # type: ignore[arg-type]

    def on_epoch_end(self, loop: Loop) -> None:
        """Look at the epoch's loss, if it is for epochs."""
        if self.every == "epoch":
            self._look(loop, loop.history.rows[-1]["loss"])

    def _look(self, loop: Loop, cost: float) -> None:
        self._costs = [*self._costs, cost][-2 * self.window :]
        if len(self._costs) < 2 * self.window:
            return
        before = sum(self._costs[: self.window]) / self.window
        change = abs(sum(self._costs[self.window :]) / self.window - before)
        if self.absolute is not None and change < self.absolute:
            loop.stop(f"the cost changed by {change:.3g}, less than {self.absolute:g}")
        elif self.relative is not None and change < self.relative * abs(before):
            loop.stop(
                f"the cost changed by {change:.3g}, less than {self.relative:g} of {before:.3g}"
            )

    def state_dict(self) -> dict[str, Any]:
        """Return the latest costs."""
        return {"costs": self._costs}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take over what `state_dict` returned."""
        self._costs = state["costs"]
