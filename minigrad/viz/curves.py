"""The curves of a training run: every metric over the epochs, as a picture."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from minigrad.viz.figure import GREY, figure, style_axes
from minigrad.viz.picture import destination
from minigrad.viz.render import FORMATS

_SPLITS = {"train": "#0072b2", "test": "#d55e00", "validation": "#009e73"}  # Okabe and Ito
_IGNORED = ("epoch", "step", "seconds", "samples_per_second", "penalty")


def curves(history: Any, path: str | Path, title: str = "") -> Path:
    """Draw the metrics of a run over its epochs and return the picture's path.

    `history` is what `training.fit` returns, a list of rows (mappings with an ``"epoch"``), or the
    path of a run folder or its ``metrics.jsonl``. Metrics that differ only in ``train_`` or
    ``test_`` share a panel.

    The picture is PNG, SVG or PDF, by the path's suffix.

    Raises ValueError if there is no number to draw, and for another suffix, ReportError for a file
    that is no ``metrics.jsonl``, FileNotFoundError if there is no folder for the picture,
    RenderError without matplotlib.
    """
    path, format = destination(path, FORMATS)
    found = panels(_rows(history))
    if not found:
        raise ValueError("there is no metric to draw: no row has an epoch and a number")
    paper = figure("curves", 1 + 4.4 * len(found), 3.6)
    from matplotlib.ticker import MaxNLocator

    for i, (metric, lines) in enumerate(found.items()):
        axes = paper.add_subplot(1, len(found), i + 1)
        for split, (epochs, values) in lines.items():
            marker = "o" if len(epochs) == 1 else None
            axes.plot(epochs, values, color=_SPLITS[split], label=split, lw=1.8, marker=marker)
        axes.set_title(metric.replace("_", " "), fontsize=11, loc="left")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        style_axes(axes, "epoch")
        if len(lines) > 1:
            axes.legend(frameon=False)
    if title:
        paper.suptitle(title, fontsize=11, color=GREY)
    paper.savefig(path, format=format)
    return path


def _rows(history: Any) -> Iterable[Mapping[str, Any]]:
    """Return the rows of a history, of a run folder, of a file of JSON lines, or the rows given."""
    if isinstance(history, (str, Path)):
        from minigrad.viz.reports.folder import lines_of  # which itself is of the curves

        file = Path(history)
        return lines_of(file / "metrics.jsonl" if file.is_dir() else file)
    rows = getattr(history, "rows", history)
    if not isinstance(rows, Iterable) or not all(isinstance(row, Mapping) for row in rows):
        raise TypeError(
            f"{history!r:.60} is no history; give what training.fit returns, the path of a run "
            "folder or of its metrics.jsonl, or a list of rows such as {'epoch': 1, 'loss': 0.5}"
        )
    return rows


def panels(
    rows: Iterable[Mapping[str, Any]],
) -> dict[str, dict[str, tuple[list[float], list[float]]]]:
    """Return, by metric and split, the epochs and the values."""
    found: dict[str, dict[str, tuple[list[float], list[float]]]] = {}
    for row in rows:
        for name, value in row.items():
            if name in _IGNORED or "epoch" not in row:
                continue
            if isinstance(value, bool) or not isinstance(value, (int, float)):
                continue
            prefix, _, rest = name.partition("_")
            split, metric = (prefix, rest) if prefix in _SPLITS else ("train", name)
            epochs, values = found.setdefault(metric, {}).setdefault(split, ([], []))
            epochs.append(row["epoch"])
            values.append(value)
    if len(set(found.get("lr", {}).get("train", ([], []))[1])) == 1:
        del found["lr"]  # a constant is no curve
    return found
