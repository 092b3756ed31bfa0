"""`minigrad watch`: a run in the terminal while it trains, read from its folder.

What is not here: what writes the files (`minigrad.training`), the page (`compare.py`).
"""

from __future__ import annotations

import itertools
import json
import math
import shutil
import sys
import time
from collections.abc import Sequence
from typing import Any

from minigrad import training
from minigrad.cli.values import UsageError
from minigrad.training.logs import rows_of
from minigrad.training.run import is_gone

_BARS = "▁▂▃▄▅▆▇█"
_TEXTS = ("state", "stopped", "host")
_COUNTS = ("pid", "epoch", "epochs", "batch", "batches")
_METRICS = ("loss", "test_loss", "accuracy", "test_accuracy")


def watch(given: dict[str, Any]) -> None:
    """Show the run given until it ends; raise UsageError for what is no run.

    On a terminal the lines are drawn anew in place, elsewhere a line is printed for each epoch.
    """
    try:
        run = training.Run.open(given["run"])
        config = run.read_config()
    except training.RunError as error:
        raise UsageError(str(error)) from None
    screen = _Screen() if sys.stdout.isatty() else _Log()
    try:
        while True:
            status, rows = _read(run, config)
            over = status["state"] != "running"
            screen.show(run, status, rows)
            if over:
                break
            time.sleep(given.get("interval", 1.0))
    finally:
        screen.close()
    print(_end(run, status, rows, "options" in config))


def _read(run: training.Run, config: dict[str, Any]) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Return where the run stands, and its rows of epochs."""
    try:
        status = json.loads(run.status.read_text("utf-8"))
    except (OSError, ValueError, RecursionError):
        status = {}
    fit = config.get("fit")
    epochs = fit.get("epochs") if isinstance(fit, dict) else None
    status = _legal({"epochs": epochs} | (status if isinstance(status, dict) else {}))
    if "state" not in status:  # left by something else, or not yet written
        status["state"] = "finished" if run.model.exists() else "running"
    if status["state"] == "running" and is_gone(status):
        status["state"] = "killed"
    found = rows_of(run.metrics) if run.metrics.exists() else []
    rows = [{name: x for name, x in row.items() if _is_number(x)} for row in found]
    return status, [row for row in rows if "epoch" in row]


def _legal(status: dict[str, Any]) -> dict[str, Any]:
    """Return what is legal in a status, of texts what can be printed: the file may be damaged."""
    found: dict[str, Any] = {}
    for name, value in status.items():
        if name in _TEXTS and isinstance(value, str):
            found[name] = "".join(c if c.isprintable() else "?" for c in value)
        whole = name in _COUNTS and type(value) is int and 0 <= value < 2**31
        if whole or (name == "seconds" and _is_number(value) and value >= 0):
            found[name] = value
    return found


def _is_number(value: Any) -> bool:
    """Say whether `value` is a finite number of a size that can be computed with."""
    return type(value) in (int, float) and abs(value) < 1e300


class _Screen:
    """Draws the lines in place."""

    def __init__(self) -> None:
        self._lines = 0

    def show(self, run: training.Run, status: dict[str, Any], rows: list[dict[str, Any]]) -> None:
        """Draw where the run stands."""
        width, _ = shutil.get_terminal_size()
        lines = [line[: width - 1] for line in lines_of(run, status, rows, width)]
        up = f"\x1b[{self._lines}F" if self._lines else ""
        sys.stdout.write(up + "".join(f"\x1b[2K{line}\n" for line in lines) + "\x1b[J")
        sys.stdout.flush()
        self._lines = len(lines)

    def close(self) -> None:
        """Leave the last drawing where it is."""


class _Log:
    """Prints a line an epoch."""

    def __init__(self) -> None:
        self._shown = 0

    def show(self, run: training.Run, status: dict[str, Any], rows: list[dict[str, Any]]) -> None:
        """Print the epochs that are new."""
        for row in rows[self._shown :]:
            print(f"epoch {row['epoch']}: {', '.join(_numbers(row))}", flush=True)
        self._shown = len(rows)

    def close(self) -> None:
        """Nothing is left to do."""


def lines_of(
    run: training.Run, status: dict[str, Any], rows: list[dict[str, Any]], width: int
) -> list[str]:
    """Return the drawing of a run: its progress, and a curve for each metric."""
    done, epochs = progress(status), status.get("epochs")
    head = f"{run.path}  epoch {status.get('epoch', len(rows))}"
    head += f"/{epochs}" if epochs else ""
    bar = ""
    if done is not None:
        full = round(done * 24)
        bar = f"{'█' * full}{'░' * (24 - full)} {done:4.0%}"
    parts = [head, bar, _speed(rows), _left(status, done)]
    lines = ["  ".join(part for part in parts if part)]
    for name in _METRICS:
        values = [row[name] for row in rows if isinstance(row.get(name), (int, float))]
        if values:
            label = name.replace("_", " ")
            best = max(values) if "accuracy" in name else min(values)
            curve = sparkline(values, max(8, min(60, width - 44)))
            text = f"{_shown(name, values[-1]):>8}  best {_shown(name, best)}"
            lines.append(f"  {label:14}{curve}  {text}")
    return lines


def progress(status: dict[str, Any]) -> float | None:
    """Return how much of a run is done, between 0 and 1; None if that is not known."""
    epochs, epoch = status.get("epochs"), status.get("epoch")
    if not isinstance(epochs, int) or not isinstance(epoch, int) or epochs < 1:
        return None
    part: float = status.get("batch", 0) / max(status.get("batches", 1), 1)
    return min((epoch + part) / epochs, 1.0)


def _speed(rows: list[dict[str, Any]]) -> str:
    speed = rows[-1].get("samples_per_second") if rows else None
    return f"{speed:,.0f} samples/s" if isinstance(speed, (int, float)) else ""


def _left(status: dict[str, Any], done: float | None) -> str:
    """Return the time left, if it went on as so far."""
    seconds = status.get("seconds")
    if status["state"] != "running" or not done or not isinstance(seconds, (int, float)):
        return ""
    return f"{duration(seconds / done * (1 - done))} left"


def duration(seconds: float) -> str:
    """Return a time as people say it."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def sparkline(values: Sequence[float], width: int) -> str:
    """Return values as a curve of at most `width` characters, each the mean of its part."""
    count = min(len(values), width)
    ends = [round(i * len(values) / count) for i in range(count + 1)]
    means = [sum(values[a:b]) / (b - a) for a, b in itertools.pairwise(ends)]
    finite = [mean for mean in means if math.isfinite(mean)]
    if not finite:
        return "×" * count
    low, high = min(finite), max(finite)
    scale = (len(_BARS) - 1) / (high - low) if high > low else 0.0
    return "".join(
        _BARS[round((mean - low) * scale)] if math.isfinite(mean) else "×" for mean in means
    )


def _numbers(row: dict[str, Any]) -> list[str]:
    names = [name for name in _METRICS if isinstance(row.get(name), (int, float))]
    return [f"{name.replace('_', ' ')} {_shown(name, row[name])}" for name in names]


def _shown(name: str, value: float) -> str:
    return f"{value:.2%}" if "accuracy" in name else f"{value:.4f}"


def _end(
    run: training.Run, status: dict[str, Any], rows: list[dict[str, Any]], commanded: bool
) -> str:
    """Return the line of how the run ended, and what to do next."""
    state = status["state"]
    epochs = f"{len(rows)} epoch{'' if len(rows) == 1 else 's'}"
    if state == "finished":
        stopped = f" ({status['stopped']})" if status.get("stopped") else ""
        return f"finished after {epochs}{stopped}: {run.report}"
    again = f"minigrad train --resume {run.path}" if commanded else "fit(..., resume=True)"
    return f"{state} after {epochs}" + (f"; to go on: {again}" if run.checkpoint.exists() else "")
