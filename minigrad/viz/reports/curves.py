"""The curves of a report: every metric over the epochs, of several runs over each other."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from minigrad.viz.curves import panels
from minigrad.viz.reports.folder import RunFolder
from minigrad.viz.reports.layers import series
from minigrad.viz.reports.lines import Line, chart, hue, key

_NAMES = {
    "lr": "learning rate",
    "gradient norm": "gradient norm, of single steps",
    "update / weights": "update / weights, of single steps",
    "nfev": "losses an epoch",
    "njev": "gradients an epoch",
    "nhev": "products with the Hessian an epoch",
    "inner": "inner iterations an epoch",
}
_FIRST = ("loss", "accuracy", "lr")
_TRAIN = (
    "the mean over an epoch while its weights change, with dropout if there is any; test is "
    "measured at its end, without."
)


def curves(runs: Sequence[RunFolder]) -> str:
    """Return a chart for each metric: one run in the hues of its parts, several in their own."""
    charts: dict[str, list[Line]] = {}
    for i, run in enumerate(runs):
        for metric, parts in _metrics(run).items():
            for j, (part, (x, y)) in enumerate(parts.items()):
                line = Line(part, x, y, hue(j))
                if len(runs) > 1:
                    dashed = part == "train" and len(parts) > 1
                    line = Line(f"{run.path}, {part}".strip(", "), x, y, hue(i), dashed, i)
                charts.setdefault(metric, []).append(line)
    charts = {metric: lines for metric, lines in charts.items() if _is_curve(metric, lines)}
    if not charts:
        return "<p>No epoch is measured yet.</p>"
    keys = [Line(str(run.path), (), (), hue(i), mark=i) for i, run in enumerate(runs)]
    note = f" Dashed is train: {_TRAIN}"
    if len(runs) == 1:
        keys = [line for line in charts.get("loss", []) if line.label]
        note = f" Train: {_TRAIN}" if len(keys) > 1 else ""
    names = [*(name for name in _FIRST if name in charts), *(n for n in charts if n not in _FIRST)]
    figures = "".join(
        f"<figure><figcaption>{escape(_name(metric))}</figcaption>"
        f"{chart(charts[metric], _alt(metric, charts[metric]))}</figure>"
        for metric in names
    )
    legend = "".join(map(key, keys))
    kind = "even charts" if len(names) in (2, 4) else "charts"
    return f'<p class="keys">{legend}{note}</p><div class="{kind}">{figures}</div>'


def _metrics(run: RunFolder) -> dict[str, dict[str, tuple[list[float], list[float]]]]:
    """Return epochs and values by metric and part, those of single steps among them."""
    found = panels(run.rows)
    for metric, points in series(run).items():
        found.pop(metric.replace(" ", "_"), None)  # of a second-order method, the same
        found[metric] = {"": points}
    return found


def _is_curve(metric: str, lines: list[Line]) -> bool:
    """Say whether there is more to see than one constant, which the table of numbers has."""
    return metric in _FIRST or any(len(set(line.y)) > 1 for line in lines)


def _name(metric: str) -> str:
    return _NAMES.get(metric, metric.replace("_", " "))


def _alt(metric: str, lines: list[Line]) -> str:
    ends = [f"{line.label} from {line.y[0]:.4g} to {line.y[-1]:.4g}".strip() for line in lines]
    return f"{_name(metric)} by epoch: {'; '.join(ends)}"
