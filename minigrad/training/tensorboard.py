"""TensorBoard: the numbers of a run as the event files that TensorBoard reads.

They are written by the package tensorboard itself; it needs neither TensorFlow nor PyTorch.
"""

from __future__ import annotations

import math
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from minigrad.training.callback import Callback
from minigrad.training.layer_log import LayerLog

if TYPE_CHECKING:
    from minigrad.training.loop import Loop


class TensorBoard(Callback):
    """Write event files for ``tensorboard --logdir FOLDER``: an event an epoch, at its step.

    The tags are ``loss/train``, ``loss/test``, ``accuracy/train``, … and of the other numbers of
    the row their names. In a run folder there come, from `LayerLog`, ``gradient_norm``,
    ``update_ratio``, for each layer ``flow/<what>/<layer>``, and the histograms
    ``weights/<parameter>`` and ``activations/<module>``.

    `path` is a folder; None is the run folder itself, so that ``tensorboard --logdir runs`` names
    each run as its folder. A resumed run adds a file, from which TensorBoard learns that the steps
    after the checkpoint are taken anew.

    Raises ImportError without the package tensorboard and, when training begins, ValueError without
    a folder.
    """

    order: ClassVar[int] = 85

    def __init__(self, path: str | Path | None = None) -> None:
        _library()
        self.path = None if path is None else Path(path)
        self._writer: Any = None

    def on_train_begin(self, loop: Loop) -> None:
        """Open a new event file."""
        if self.path is None and loop.run is None:
            raise ValueError("TensorBoard() without a path needs fit(..., run=FOLDER)")
        event, _, files = _library()
        folder = self.path if self.path is not None else loop.run.path  # type: ignore[union-attr]
        folder.mkdir(parents=True, exist_ok=True)
        self._writer = files.EventFileWriter(str(folder))
        if loop.resumed:
            start = event.SessionLog(status=event.SessionLog.START)
            self._writer.add_event(
                event.Event(wall_time=time.time(), step=loop.step + 1, session_log=start)
            )

    def on_epoch_end(self, loop: Loop) -> None:
        """Write the epoch's event."""
        event, summary, _ = _library()
        row = loop.history.rows[-1]
        values = [
            summary.Summary.Value(tag=_tag(name), simple_value=value)
            for name, value in row.items()
            if name not in ("epoch", "step") and isinstance(value, (int, float))
        ]
        measured = next((c.latest for c in loop.callbacks if isinstance(c, LayerLog)), None)
        if measured is not None and measured["step"] == row["step"]:
            values += _of_layers(summary, measured)
        self._writer.add_event(
            event.Event(
                wall_time=time.time(), step=row["step"], summary=summary.Summary(value=values)
            )
        )
        self._writer.flush()

    def close(self) -> None:
        """Close the file."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None


def _library() -> tuple[Any, Any, Any]:
    """Return the modules of events, summaries and files; raise ImportError if they are missing."""
    try:
        from tensorboard.compat.proto import event_pb2, summary_pb2
        from tensorboard.summary.writer import event_file_writer
    except ImportError:
        raise ImportError(
            "event files need the tensorboard library: pip install tensorboard, or "
            "minigrad[tensorboard]"
        ) from None
    return event_pb2, summary_pb2, event_file_writer


def _tag(name: str) -> str:
    """Return the tag under which parts that belong together share a chart."""
    part, _, metric = name.partition("_")
    if part in ("test", "validation") and metric:
        return f"{metric}/{part}"
    return f"{name}/train" if name in ("loss", "accuracy") else name


def _of_layers(summary: Any, measured: dict[str, Any]) -> list[Any]:
    """Return the values of a line of LayerLog."""
    Value = summary.Summary.Value
    scalars = {name: measured[name] for name in ("gradient_norm", "update_ratio")}
    for row in measured["layers"]:
        name = row["layer"] or "model"
        scalars |= {f"flow/{kind}/{name}": row[kind] for kind in row if kind != "layer"}
    values = [Value(tag=tag, simple_value=x) for tag, x in scalars.items() if x is not None]
    for kind in ("weights", "activations"):
        for name, histogram in measured[kind].items():
            values.append(
                Value(tag=f"{kind}/{name or 'model'}", histo=_histogram(summary, *histogram))
            )
    return values


def _histogram(summary: Any, low: float, high: float, counts: list[int]) -> Any:
    """Return a histogram; its sums are those of values in the middles of the bins."""
    width = (high - low) / len(counts)
    middles = [low + (i + 0.5) * width for i in range(len(counts))]
    return summary.HistogramProto(
        min=low,
        max=high,
        num=sum(counts),
        sum=math.fsum(n * x for n, x in zip(counts, middles, strict=True)),
        sum_squares=math.fsum(n * x * x for n, x in zip(counts, middles, strict=True)),
        bucket_limit=[low + (i + 1) * width for i in range(len(counts))],
        bucket=counts,
    )
