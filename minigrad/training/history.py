"""History: what a training run measured."""

from __future__ import annotations

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
    - ``stopped``: why training ended early, or None;
    - ``notes``: what callbacks had to say;
    - ``run``: the run folder, or None.

    ``history["test_loss"]`` is a column, with None where a row has no such number.
    """

    def __init__(self) -> None:
        self.rows: list[dict[str, Any]] = []
        self.notes: list[str] = []
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

    def state_dict(self) -> dict[str, Any]:
        """Return the rows, the notes and the reason for stopping."""
        return {"rows": self.rows, "notes": self.notes, "stopped": self.stopped}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take over what `state_dict` returned."""
        self.rows = state["rows"]
        self.notes = state["notes"]
        self.stopped = state["stopped"]


_SHOWN = ("loss", "accuracy", "test_loss", "test_accuracy")
