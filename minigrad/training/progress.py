"""Progress: how training goes, on a terminal."""

from __future__ import annotations

import sys
import time
from typing import IO, TYPE_CHECKING, Any, ClassVar

from minigrad.training.callback import Callback

if TYPE_CHECKING:
    from minigrad.training.loop import Loop

_BAR = 8  # characters that the bar has at least: where they are not left, the line says less
_LINES = (  # from the most that a line says to the least
    "epoch {epoch} {percentage:3.0f}%|{bar}| {rate_fmt} {elapsed}<{remaining}, {long}",
    "epoch {epoch} {percentage:3.0f}%|{bar}| {rate_fmt} {elapsed}<{remaining}, {short}",
    "epoch {epoch} {percentage:3.0f}%|{bar}| {elapsed}<{remaining}, {short}",
    "epoch {epoch} {percentage:3.0f}%|{bar}| {short}",
    "{epoch} {percentage:3.0f}%|{bar}| {short}",
    "{epoch} {percentage:3.0f}%|{bar}| {last}",
    "{epoch} |{bar}| {last}",
    "{epoch} |{bar}|",
)


class Progress(Callback):
    """A bar for the whole run: epoch, loss, accuracy, samples a second, time left.

    Drawn by tqdm on `file` (default: standard error), or where tqdm is not installed, a plain line
    an epoch. The narrower the terminal, the less is said: first the words, then the speed, the
    times, and the figures of the training data are left out. Within an epoch the figures of the
    test data are those of the epoch before. Silent if `file` is not a terminal. `interval`: seconds
    between two drawings.
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
            bar_format=_LINES[-1].replace("{epoch}", f"0/{loop.epochs}"),
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
        if loop.history.rows:
            numbers = {**numbers, **_of_test(loop.history.rows[-1])}
        figures = {
            "epoch": f"{epoch}/{loop.epochs}",
            "long": ", ".join(_numbers(numbers)),
            "short": ", ".join(_short(numbers)),
            "last": _short(numbers)[-1],
        }
        self._bar.bar_format = self._fitting(figures)
        self._bar.update(self._done(loop) - self._bar.n)

    def _fitting(self, figures: dict[str, str]) -> str:
        """Return the format of the line that says the most beside a bar of legible length."""
        now = self._bar.format_dict
        width, now["ncols"] = now["ncols"], None
        line = ""
        for line in _LINES:
            for name, text in figures.items():
                line = line.replace(f"{{{name}}}", text)
            rest = self._bar.format_meter(**now | {"bar_format": line.replace("{bar}", "")})
            if not width or len(rest) + _BAR <= width:
                break
        return line

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
        if name.endswith(("loss", "accuracy")):
            shown.append(f"{name.replace('_', ' ')} {_figure(name, value)}")
    return shown


def _short(row: dict[str, Any]) -> list[str]:
    """Return the same in fewer words: of each data set the loss and, if there is one, accuracy."""
    shown = []
    for name, first, second in (
        ("loss", "loss", "accuracy"),
        ("test", "test_loss", "test_accuracy"),
    ):
        found = [_figure(column, row[column]) for column in (first, second) if column in row]
        if found:
            shown.append(" ".join([name, *found]))
    return shown


def _figure(name: str, value: float) -> str:
    if name.endswith("accuracy"):
        return f"{value:.2%}"
    return f"{value:.4f}" if abs(value) < 1000 else f"{value:.4g}"


def _of_test(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name.startswith("test_")}
