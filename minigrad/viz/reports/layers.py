"""Gradient flow, weights and activations of a run, layer by layer over time."""

from __future__ import annotations

import math
from html import escape
from typing import Any

from minigrad import backend
from minigrad.backend import Array
from minigrad.viz.reports.folder import Row, RunFolder
from minigrad.viz.reports.heat import Timeline, density_map, layer_map, shortened
from minigrad.viz.reports.lines import Line, chart, key

_FAR = 1e3  # where GradientFlow too speaks of vanishing and exploding
_MOMENTS = 4


def flow(run: RunFolder) -> str:
    """Return the pictures of what the layers receive and how much they change; "" if not known."""
    rows = [row for row in run.layers if row.get("layers")]
    if not rows:
        return ""
    names = [layer["layer"] for layer in rows[-1]["layers"]]
    shown = [_titled(name, rows[-1]) for name in names]
    timeline = Timeline([row["epoch"] for row in rows])
    figures, said = [], ""
    arriving = ("signal", "Gradient that reaches a layer", "‖∂L/∂h‖, h its output")
    if backend.cpu.isnan(_matrix(rows, names, "signal")).all():  # of an older run
        arriving = ("gradient", "Gradient of a layer's parameters", "‖∂L/∂θ‖")
    updates = ("ratio", "Update of a layer, relative", "‖Δθ‖ / ‖θ‖ of a step")
    for kind, title, meaning in (arriving, updates):
        values = _matrix(rows, names, kind)
        alt = f"{title} by epoch, {len(names)} layers: {_ends(values)}"
        figures.append(
            f"<figure><figcaption>{title} <small>{meaning}</small></figcaption>"
            f"{layer_map(shown, values, timeline, alt)}</figure>"
        )
        if kind != "ratio":
            figures.append(_profile(rows, values, meaning.partition(",")[0]))
        if kind == "signal":
            said = _verdict(shown, values, rows)
    return f'{said}<div class="flow charts">{"".join(figures)}</div>'


def histograms(run: RunFolder, kind: str) -> str:
    """Return the distributions over time of ``"weights"`` or ``"activations"``."""
    rows = [row for row in run.layers if row.get(kind)]
    if not rows:
        return ""
    timeline = Timeline([row["epoch"] for row in rows])
    figures = []
    for name in rows[-1][kind]:
        found = [row[kind].get(name) for row in rows]
        low, high, _ = found[-1]
        alt = f"{kind} of {name} by epoch, at the end from {low:.3g} to {high:.3g}"
        titled = _titled(name, rows[-1])
        figures.append(
            f'<figure><figcaption title="{escape(titled[:500])}">'
            f"{shortened(titled, 32)}</figcaption>"
            f"{density_map(found, timeline, alt)}</figure>"
        )
    return f'<div class="small charts">{"".join(figures)}</div>'


def series(run: RunFolder) -> dict[str, tuple[list[float], list[float]]]:
    """Return the curves of whole steps: name → epochs, values."""
    names = {"gradient_norm": "gradient norm", "update_ratio": "update / weights"}
    found = {}
    for kind, name in names.items():
        points = [
            (r["epoch"], r[kind]) for r in run.layers if isinstance(r.get(kind), (int, float))
        ]
        if points:
            found[name] = ([x for x, _ in points], [y for _, y in points])
    return found


def _titled(name: str, row: Row) -> str:
    """Return a name with the kind of its module, where it is one's."""
    return f"{name} {row.get('modules', {}).get(name, '')}".strip() or "model"


def _matrix(rows: list[Row], names: list[str], kind: str) -> Array:
    """Return the numbers of shape (layers, measurements), NaN where there is none."""
    columns: list[list[float]] = []
    for row in rows:
        by_name: dict[str, Any] = {layer["layer"]: layer.get(kind) for layer in row["layers"]}
        values = [by_name.get(name) for name in names]
        columns.append([math.nan if value is None else value for value in values])
    return backend.cpu.array(columns, "float64").T


def _profile(rows: list[Row], values: Array, meaning: str) -> str:
    """Return the chart of each layer's gradient, from first to last, at a few moments."""
    chosen = sorted({round(i * (len(rows) - 1) / (_MOMENTS - 1)) for i in range(_MOMENTS)})
    lines = []
    for order, i in enumerate(chosen):
        points = [(n, y) for n, y in enumerate(values[:, i].tolist(), 1) if math.isfinite(y)]
        epoch = rows[i]["epoch"]
        moment = "first step" if i == 0 and epoch < 1 else f"epoch {epoch:.0f}"
        lines.append(Line(moment, [n for n, _ in points], [y for _, y in points], f"step{order}"))
    if not any(line.x for line in lines):
        return ""
    alt = "The gradient by layer, at " + ", ".join(line.label for line in lines)
    keys = "".join(key(line) for line in lines)
    return (
        "<figure class='tall'><figcaption>From the first layer to the last "
        f"<small>{meaning}</small></figcaption>"
        f"{chart(lines, alt, 'layer')}<p class='keys'>{keys}</p></figure>"
    )


def _ends(values: Array) -> str:
    first, last = values[0, -1], values[-1, -1]
    return f"in the end {first:.3g} in the first and {last:.3g} in the last"


def _verdict(names: list[str], values: Array, rows: list[Row]) -> str:
    """Return in words whether gradients vanish or explode on their way back."""
    parts = []
    for i in sorted({0, len(rows) - 1}):
        first, last = values[0, i].item(), values[-1, i].item()
        epoch = rows[i]["epoch"]
        moment = "in the first step" if i == 0 and epoch < 1 else f"after epoch {epoch:.0f}"
        ratio = first / last if last else math.nan
        if not math.isfinite(ratio):
            parts.append(f"one of the two is 0 or not finite {moment}")
            continue
        word = "vanishing" if ratio < 1 / _FAR else "exploding" if ratio > _FAR else ""
        if word == "vanishing" and parts and word not in parts[0]:  # no matter of the depth, then
            word = "units died or saturated since"
        mark = f" (<strong>{word}</strong>)" if word else ""
        parts.append(f"{ratio:.2g} {moment}{mark}")
    first, last = (escape(names[i][:40]) for i in (0, -1))
    return (
        f"<p>The gradient that reaches the first layer ({first}), measured by the one at the last "
        f"({last}): {'; '.join(parts)}.</p>"
    )
