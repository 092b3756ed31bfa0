"""Heat maps over time as small SVGs: the cells are one picture of few pixels inside.

What is not here: what is drawn so (`layers.py`), lines (`lines.py`).
"""

from __future__ import annotations

import base64
import math
from bisect import bisect_right
from collections.abc import Sequence
from html import escape
from typing import Any

from minigrad import backend
from minigrad.backend import Array
from minigrad.viz.png import png
from minigrad.viz.reports.lines import ticks

# Cividis of Nuñez, Anderton and Renslow 2018 (PLOS ONE 13), which the color-blind read alike.
_SCALE = ((0, 34, 78), (53, 69, 108), (102, 105, 112), (148, 142, 119), (200, 184, 102),
          (254, 232, 56))  # fmt: skip
_BAD = (214, 39, 110)  # what is not finite
_INK = (38, 132, 214)  # seen on light and on dark
_COLUMNS = 120


class Timeline:
    """The columns of a heat map: moments at equal distances, each with the latest measurement."""

    def __init__(self, epochs: Sequence[float]) -> None:
        self.end = max(1.0, epochs[-1])
        self.count = min(_COLUMNS, math.ceil(self.end) + 1)
        moments = [self.end * i / (self.count - 1) for i in range(self.count)]
        known = [moment for moment in moments if moment <= epochs[-1] + 1e-9] or moments[:1]
        self.rows = [max(bisect_right(epochs, moment + 1e-9) - 1, 0) for moment in known]

    def axis(self, left: float, width: float, y: float) -> str:
        """Return the ticks of the epochs, the middle of a column each, at height `y`."""
        cell = width / self.count
        return "".join(
            f'<text class="mid" x="{left + cell / 2 + t / self.end * (width - cell):.1f}" '
            f'y="{y:.0f}">{t:.0f}</text>'
            for t in ticks(0, self.end, whole=True)
        )


def scaled(values: Array, low: float, high: float) -> Array:
    """Return numbers, of which NaN is what is not finite, as colors of shape (…, 3), uint8."""
    xp = backend.cpu
    at = xp.clip((values - low) / (high - low or 1.0), 0, 1) * (len(_SCALE) - 1)
    stops = xp.arange(len(_SCALE))
    channels = [xp.interp(xp.nan_to_num(at), stops, [c[i] for c in _SCALE]) for i in range(3)]
    colors = xp.stack(channels, -1)
    colors[xp.isnan(values)] = _BAD
    return colors.astype("uint8")


def shaded(shares: Array) -> Array:
    """Return shares between 0 and 1 as ink of that strength, of shape (…, 4), uint8."""
    xp = backend.cpu
    ink = xp.empty((*shares.shape, 4))
    ink[..., :3] = _INK
    ink[..., 3] = 255 * xp.clip(shares, 0, 1)
    return ink.astype("uint8")


def image(pixels: Array, x: float, y: float, width: float, height: float) -> str:
    """Return pixels as an image element of an SVG, stretched to a rectangle."""
    data = base64.b64encode(png(pixels)).decode()
    return (
        f'<image x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" '
        f'preserveAspectRatio="none" href="data:image/png;base64,{data}"/>'
    )


def layer_map(names: Sequence[str], values: Array, timeline: Timeline, alt: str) -> str:
    """Return the heat map of positive numbers, a row a name, by their logarithms, with its scale.

    `values` has shape (names, measurements), with NaN for what is not finite.
    """
    xp = backend.cpu
    with xp.errstate(divide="ignore", invalid="ignore"):
        logs = xp.log10(values)
    low, high = _span(logs)
    low, high = (low, high) if high - low > 1 else ((low + high) / 2 - 0.5, (low + high) / 2 + 0.5)
    logs = xp.where(xp.isneginf(logs), low, logs)  # exactly 0
    logs = xp.where(xp.isinf(logs), xp.nan, logs)
    cell = min(22.0, 420 / len(names))
    left, width, height = 132.0, 300.0, cell * len(names)
    every = math.ceil(15 / cell)
    labels = "".join(
        f'<text class="end" x="{left - 8:g}" y="{(i + 0.5) * cell + 4:.1f}">'
        f"{label(name, 18)}</text>"
        for i, name in enumerate(names)
        if i % every == 0
    )
    pixels = scaled(logs[:, timeline.rows], low, high)
    shown = width * len(timeline.rows) / timeline.count
    body = image(pixels, left, 0, shown, height) + timeline.axis(left, width, height + 16)
    middle = left + width / 2
    body += f'<text class="mid" x="{middle:g}" y="{height + 34:g}">epoch</text>'
    body += _legend(low, high, left + width + 16, height)
    return (
        f'<svg class="map" viewBox="0 -6 {left + width + 80:g} {height + 46:g}" role="img" '
        f'aria-label="{escape(alt)}">{labels}{body}</svg>'
    )


def _span(logs: Array) -> tuple[float, float]:
    """Return the ends of a scale for rows of logarithms: no few moments may take it all."""
    xp, ends = backend.cpu, []
    for row in logs:
        finite = row[xp.isfinite(row)]
        if finite.size:
            ends.append(xp.percentile(finite, 5, method="lower").item())
            ends.append(xp.percentile(finite, 98, method="higher").item())
    return (min(ends), max(ends)) if ends else (0.0, 1.0)


def _legend(low: float, high: float, x: float, height: float) -> str:
    """Return the scale of colors from 10^low below to 10^high above."""
    bar = min(max(height, 60.0), 160.0)
    steps = backend.cpu.linspace(high, low, 32)[:, None]
    parts = [image(scaled(steps, low, high), x, 0, 10, bar)]
    for tick in ticks(low, high, whole=high - low > 2):
        y = (high - tick) / (high - low) * bar
        parts.append(
            f'<text x="{x + 15:g}" y="{min(max(y + 4, 9), bar):.1f}">{10**tick:.2g}</text>'
        )
    return "".join(parts)


def label(text: str, length: int) -> str:
    """Return a name for an SVG, shortened, with the whole of it where one points."""
    whole = f"<title>{escape(text[:500])}</title>" if len(text) > length else ""
    return shortened(text, length) + whole


def shortened(text: str, length: int) -> str:
    """Return a name escaped, shortened in the middle."""
    if len(text) <= length:
        return escape(text)
    half = (length - 1) // 2
    return f"{escape(text[:half])}…{escape(text[-half:])}"


def density_map(histograms: Sequence[Any], timeline: Timeline, alt: str) -> str:
    """Return histograms over time: each column the distribution of a moment, darkest where most is.

    A histogram is (lowest, highest, counts) or None. The axis spans 99.8 % of each.
    """
    xp, bins = backend.cpu, 40
    ends, sums = [], []
    for histogram in histograms:
        low, high, counts = histogram or (0.0, 0.0, [0])
        edges = xp.linspace(low, high, len(counts) + 1)
        total = xp.concatenate([[0.0], xp.cumsum(counts)])
        sums.append((edges, total))
        if total[-1]:
            share = total / total[-1]
            inner = edges[share <= 0.001].max(), edges[share >= 0.999].min()
            ends.append((float(inner[0]), float(inner[1])))
    if not ends:
        return ""
    low, high = min(a for a, _ in ends), max(b for _, b in ends)
    margin = (high - low) * 0.02 or abs(low) * 0.1 or 1.0
    low, high = low - margin, high + margin
    targets = xp.linspace(low, high, bins + 1)
    columns = [xp.diff(xp.interp(targets, *sums[row])) for row in timeline.rows]
    shares = xp.stack(columns, 1)
    most = shares.max(0)
    shares = (shares / xp.where(most > 0, most, 1.0)) ** 0.5
    left, width, height = 48.0, 220.0, 110.0
    parts = [
        f'<svg class="density" viewBox="0 0 {left + width + 6:g} {height + 22:g}" role="img" '
        f'aria-label="{escape(alt)}">'
    ]
    for tick in ticks(low, high, whole=False):
        y = (high - tick) / (high - low) * height
        parts.append(f'<path class="grid" d="M{left:g} {y:.1f}h{width:g}"/>')
        parts.append(f'<text class="end" x="{left - 6:g}" y="{y + 4:.1f}">{tick:.3g}</text>')
    shown = width * len(timeline.rows) / timeline.count
    parts.append(image(shaded(shares[::-1]), left, 0, shown, height))
    parts.append(timeline.axis(left, width, height + 16))
    return "".join(parts) + "</svg>"
