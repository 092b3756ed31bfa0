"""Progress: how training goes, on a terminal."""

from __future__ import annotations

import sys
import time
from typing import IO, TYPE_CHECKING, Any, ClassVar

from minigrad.training.callback import Callback

if TYPE_CHECKING:
    from minigrad.training.loop import Loop

_FORMAT = "{desc} {percentage:3.0f}%|{bar}| {rate_fmt} {elapsed}<{remaining}{postfix}"


class Progress(Callback):
    """A bar for the whole run: epoch, loss, accuracy, samples a second, time left.

    Drawn by tqdm on `file` (default: standard error), or where tqdm is not installed, a plain line
    an epoch. Silent if `file` is not a terminal. `interval`: seconds between two drawings.
    """

    order: ClassVar[int] = 100

    def __init__(self, file: IO[str] | None = None, interval: float = 0.1) -> None:
        self.interval = interval
        self._file = file
        self._bar: Any = None
        self._on = False
        self._due = 0.0
        self._noted = 0

    def on_train_begin(self, loop: Loop) -> None:
        """Draw the bar."""
        self._file = self._file or sys.stderr
        self._on = self._file.isatty()
        self._noted = len(loop.history.notes) if loop.resumed else 0
        if not self._on:
            return
        per_epoch = len(loop.loader)
        try:
            from tqdm import tqdm
        except ImportError:
            return
        self._bar = tqdm(
            total=loop.epochs * self._samples(loop, per_epoch),
            initial=self._done(loop),
            unit=" samples",
            unit_scale=True,
            file=self._file,
            dynamic_ncols=True,
            mininterval=self.interval,
            bar_format=_FORMAT,
            leave=True,
        )

    @staticmethod
    def _samples(loop: Loop, batches: int) -> int:
        """Return how many samples the first batches of an epoch hold, as nearly as is known."""
        whole = len(getattr(loop.loader, "dataset", ())) or len(loop.loader)
        return min(batches * getattr(loop.loader, "batch_size", 1), whole)

    def _done(self, loop: Loop) -> int:
        return loop.epoch * self._samples(loop, len(loop.loader)) + loop.meter.samples

    def on_step_end(self, loop: Loop) -> None:
        """Draw the bar anew, if it is time."""
        if self._bar is not None and time.monotonic() >= self._due:
            self._due = time.monotonic() + self.interval
            self._draw(loop, loop.epoch + 1, loop.meter.means())

    def on_epoch_end(self, loop: Loop) -> None:
        """Show the epoch's numbers."""
        if not self._on:
            return
        row = loop.history.rows[-1]
        if self._bar is not None:
            self._draw(loop, row["epoch"], row)
        else:
            numbers = ", ".join(_numbers(row))
            speed = f"{row['samples_per_second']:,.0f} samples/s"
            left = row["seconds"] / loop.epoch * (loop.epochs - loop.epoch)
            self._say(f"epoch {row['epoch']}/{loop.epochs}: {numbers}, {speed}, {left:.0f} s left")
        self._notes(loop)

    def on_train_end(self, loop: Loop) -> None:
        """Say why training ended, if early."""
        if self._on:
            self._notes(loop)
            if loop.history.stopped:
                self._say(f"stopped after epoch {loop.epoch}: {loop.history.stopped}")

    def _draw(self, loop: Loop, epoch: int, numbers: dict[str, Any]) -> None:
        self._bar.set_description_str(f"epoch {epoch}/{loop.epochs}", refresh=False)
        self._bar.set_postfix_str(", ".join(_numbers(numbers)), refresh=False)
        self._bar.update(self._done(loop) - self._bar.n)

    def _notes(self, loop: Loop) -> None:
        for note in loop.history.notes[self._noted :]:
            self._say(note)
        self._noted = len(loop.history.notes)

    def _say(self, text: str) -> None:
        assert self._file is not None
        if self._bar is not None:
            self._bar.write(text, file=self._file)
        else:
            self._file.write(text + "\n")
            self._file.flush()

    def close(self) -> None:
        """Leave the last drawing where it is."""
        if self._bar is not None:
            self._bar.refresh()
            self._bar.close()
            self._bar = None


def _numbers(row: dict[str, Any]) -> list[str]:
    """Return the numbers of a row as they are shown."""
    shown = []
    for name, value in row.items():
        if name.endswith("loss"):
            shown.append(f"{name.replace('_', ' ')} {value:.4f}")
        elif name.endswith("accuracy"):
            shown.append(f"{name.replace('_', ' ')} {value:.2%}")
    return shown
