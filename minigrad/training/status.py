"""Status: where a run stands, as a small file for whoever watches it from outside."""

from __future__ import annotations

import json
import os
import platform
import sys
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any, ClassVar

from minigrad.training.callback import Callback
from minigrad.training.logs import finite
from minigrad.training.store import write_atomically

if TYPE_CHECKING:
    from minigrad.training.loop import Loop


class Status(Callback):
    """Write ``status.json`` of the run folder: once a second, at each epoch's end, and at the end.

    It has ``state`` ("running", "finished", "interrupted" or "failed"), ``epoch`` (completed),
    ``epochs``, ``batch``, ``batches``, ``step``, ``seconds`` (of training so far), ``loss`` (the
    mean of the epoch so far, or of the last), ``stopped``, ``notes``, ``time``, ``pid`` and
    ``host``. A run that is killed leaves "running", with the number of a process that is gone.
    `interval`: seconds between two writings.

    Raises ValueError, when training begins, without a run folder.
    """

    order: ClassVar[int] = 92  # before the report, which says how the run ended

    def __init__(self, interval: float = 1.0) -> None:
        self.interval = interval
        self._loop: Loop | None = None
        self._due = 0.0
        self._state = "running"

    def on_train_begin(self, loop: Loop) -> None:
        """Say that the run is running."""
        if loop.run is None:
            raise ValueError("Status() needs fit(..., run=FOLDER)")
        self._loop = loop
        self._state = "running"
        self._write()

    def on_step_end(self, loop: Loop) -> None:
        """Say where it stands, if it is time."""
        if time.monotonic() >= self._due:
            self._write()

    def on_epoch_end(self, loop: Loop) -> None:
        """Say where it stands, if it is time."""
        self.on_step_end(loop)

    def on_train_end(self, loop: Loop) -> None:
        """Remember that the end was reached."""
        self._state = "finished"

    def close(self) -> None:
        """Say how it ended."""
        if self._loop is None:
            return
        if self._state == "running":
            error = sys.exception()
            self._state = "interrupted" if isinstance(error, KeyboardInterrupt) else "failed"
        self._write()
        self._loop = None

    def _write(self) -> None:
        self._due = time.monotonic() + self.interval
        loop = self._loop
        assert loop is not None
        assert loop.run is not None
        rows = loop.history.rows
        means: dict[str, Any] = loop.meter.means() if loop.meter.samples else {}
        status = {
            "state": self._state,
            "epoch": loop.epoch,
            "epochs": loop.epochs,
            "batch": loop.batch,
            "batches": len(loop.loader),
            "step": loop.step,
            "seconds": loop.elapsed,
            "loss": means.get("loss", rows[-1]["loss"] if rows else None),
            "stopped": loop.history.stopped,
            "notes": loop.history.notes,
            "time": time.time(),
            "pid": os.getpid(),
            "host": platform.node(),
        }
        with suppress(OSError):  # such as Windows', while another reads it: the next one will do
            write_atomically(loop.run.status, json.dumps(finite(status)).encode(), durable=False)
