"""The numbers of a run as files: JSON lines and CSV."""

from __future__ import annotations

import csv
import io
import json
import math
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, ClassVar

from minigrad.legal import integer
from minigrad.training.callback import Callback
from minigrad.training.store import write_atomically

if TYPE_CHECKING:
    from minigrad.training.loop import Loop


class JSONLLog(Callback):
    """One JSON object a line: a row an epoch and, with `every_steps`, one every so many steps.

    Rows of steps have ``step``, ``loss`` (of that batch) and ``lr``, and no ``epoch``. Numbers that
    are not finite are written as null. `path` None is ``metrics.jsonl`` of the run folder. A file
    that is there is replaced; a resumed run first removes the lines after its checkpoint, so that
    no line is lost or doubled.
    """

    order: ClassVar[int] = 80

    def __init__(self, path: str | Path | None = None, every_steps: int | None = None) -> None:
        self.path = None if path is None else Path(path)
        self.every_steps = None if every_steps is None else integer("every_steps", every_steps)
        self._file: IO[str] | None = None

    def on_train_begin(self, loop: Loop) -> None:
        """Open the file: new, or cut back to where the checkpoint was."""
        if self.path is None and loop.run is None:
            raise ValueError("JSONLLog() without a path needs fit(..., run=FOLDER)")
        path = self.path if self.path is not None else loop.run.metrics  # type: ignore[union-attr]
        rows = list(loop.history.rows)
        if loop.resumed and path.exists():
            rows += [r for r in rows_of(path) if "epoch" not in r and r["step"] <= loop.step]
        rows.sort(key=lambda row: (row["step"], "epoch" in row))
        write_atomically(path, "".join(map(_line, rows)).encode())
        self._file = path.open("a", encoding="utf-8", buffering=1)  # a line is written at once

    def on_step_end(self, loop: Loop) -> None:
        """Write a step's line, if it is due."""
        if self.every_steps and loop.step % self.every_steps == 0:
            loss = float(loop.loss)  # type: ignore[arg-type]
            self._write({"step": loop.step, "loss": loss, "lr": lr_of(loop)})

    def on_epoch_end(self, loop: Loop) -> None:
        """Write the epoch's line."""
        self._write(loop.history.rows[-1])

    def _write(self, row: dict[str, Any]) -> None:
        assert self._file is not None
        self._file.write(_line(row))

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()
            self._file = None


class CSVLog(Callback):
    """A table with a column for each number of the history and a row an epoch.

    The file is written whole at each epoch, atomically; one that is there is replaced.
    """

    order: ClassVar[int] = 80

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)

    def on_epoch_end(self, loop: Loop) -> None:
        """Write the table."""
        names = dict.fromkeys(name for row in loop.history.rows for name in row)
        text = io.StringIO(newline="")
        writer = csv.DictWriter(text, list(names), lineterminator="\n")
        writer.writeheader()
        writer.writerows(loop.history.rows)
        write_atomically(self.path, text.getvalue().encode())


def lr_of(loop: Loop) -> float:
    """Return the learning rate of the first group."""
    return float(loop.optimizer.param_groups[0]["lr"])


def finite(value: Any) -> Any:
    """Return a value as JSON can hold it: None where a number in it is not finite."""
    if isinstance(value, dict):
        return {name: finite(item) for name, item in value.items()}
    if isinstance(value, list):
        return [finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def rows_of(path: Path) -> list[dict[str, Any]]:
    """Return the rows of a file of JSON lines, without those that a kill has torn."""
    rows = []
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(row, dict):
            rows.append(row)
    return rows


def _line(row: dict[str, Any]) -> str:
    return json.dumps(finite(row), allow_nan=False) + "\n"
