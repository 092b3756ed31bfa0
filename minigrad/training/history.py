"""History: what a training run measured."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any


class History:
    """One row of numbers an epoch, and why training ended.

    - ``rows``: dicts with epoch and step (both counted from 1), loss and accuracy (means over the
      epoch's batches, as trained: with dropout), test_loss and test_accuracy, penalty, lr, seconds
      (of training, so far) and samples_per_second; what does not apply is left out;
      For second-order methods also nfev, njev, nhev (evaluations of loss, gradient, products with
      second derivatives) and inner iterations, sums over the epoch's steps, and of the last step
      gradient_norm and step_length;
    - ``start``: the loss of the first batch, before the first step, or None;
    - ``stopped``: why training ended early, or None;
    - ``diverged``: whether the weights at the end are those of a loss that is no number, or over
      ten times what it was at the start;
    - ``notes``: what callbacks had to say;
    - ``run``: the run folder, or None.

    ``history["test_loss"]`` is a column, with None where a row has no such number.
    """

    def __init__(self) -> None:
        self.rows: list[dict[str, Any]] = []
        self.notes: list[str] = []
        self.start: float | None = None
        self.diverged = False
        self.stopped: str | None = None
        self.run: Path | None = None

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, name: str) -> list[Any]:
        names = {key for row in self.rows for key in row}
        if name not in names:
            raise KeyError(f"no column {name!r}; there are {', '.join(sorted(names)) or 'no rows'}")
        return [row.get(name) for row in self.rows]

    def __repr__(self) -> str:
        last = self.rows[-1] if self.rows else {}
        shown = [f"{name} {last[name]:.4g}" for name in _SHOWN if name in last]
        end = f"; stopped: {self.stopped}" if self.stopped else ""
        return f"<History of {len(self)} epochs: {', '.join(shown)}{end}>"

    def is_far(self, loss: float) -> bool:
        """Say whether a loss is no finite number, or far above that of the start."""
        if not math.isfinite(loss):
            return True
        return bool(self.start) and loss > _FAR * abs(self.start or 0.0)

    def state_dict(self) -> dict[str, Any]:
        """Return all but the folder."""
        return {
            "rows": self.rows,
            "notes": self.notes,
            "start": self.start,
            "diverged": self.diverged,
            "stopped": self.stopped,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take over what `state_dict` returned."""
        self.rows = state["rows"]
        self.notes = state["notes"]
        self.start = state.get("start")
        self.diverged = state.get("diverged", False)
        self.stopped = state["stopped"]


_FAR = 10.0  # times the loss of the start: no success in sight, and no accident of one batch
_SHOWN = ("loss", "accuracy", "test_loss", "test_accuracy")
