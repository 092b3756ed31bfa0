"""Lines over an axis as a small SVG, whose colors follow the light or dark page it stands in.

What is not here: the page, its style sheet (``assets/report.css``), heat maps (`heat.py`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

WIDTH, HEIGHT = 420, 260
_LEFT, _RIGHT, _TOP, _BOTTOM = 58, 12, 12, 36
_HUES = 8
_EACH = 5  # marks on a line, about
# Marks tell runs apart where hues repeat, or are grey: their outlines, and whether they are filled.
_ROUND = "M-4 0a4 4 0 1 0 8 0a4 4 0 1 0 -8 0Z"
_SQUARE = "M-3.5 -3.5H3.5V3.5H-3.5Z"
_UP, _DOWN = "M0 -4.8L4.3 3.2H-4.3Z", "M0 4.8L4.3 -3.2H-4.3Z"
_DIAMOND = "M0 -5L4 0L0 5L-4 0Z"
_PLUS, _CROSS = "M-4.5 0H4.5M0 -4.5V4.5", "M-3.5 -3.5L3.5 3.5M-3.5 3.5L3.5 -3.5"
MARKS = (
    (_ROUND, True), (_SQUARE, False), (_UP, True), (_DIAMOND, False), (_PLUS, False),
    (_SQUARE, True), (_CROSS, False), (_ROUND, False), (_DIAMOND, True), (_UP, False),
    (_DOWN, True), (_DOWN, False),
)  # fmt: skip


@dataclass(frozen=True)
class Line:
    """A line: its label, its points, its hue (see `hue`), whether it is dashed, and its mark.

    The mark is the number of the run in a comparison, or None for a line without marks.
    """

    label: str
    x: Sequence[float]
    y: Sequence[float]
    hue: str
    dashed: bool = False
    mark: int | None = None


def hue(number: int) -> str:
    """Return the class of the style sheet for the first, second, … of things alike."""
    return f"hue{number % _HUES}"


def key(line: Line) -> str:
    """Return the entry of a legend."""
    kind = "line dashed" if line.dashed else "line"
    return (
        f'<span class="key"><svg viewBox="0 0 32 12" aria-hidden="true">'
        f'<path class="{kind} {line.hue}" d="M0 6H32"/>{_marks(line, ["16 6"])}</svg> '
        f"{escape(line.label)}</span>"
    )


def _marks(line: Line, points: Sequence[str]) -> str:
    """Return some marks of a line, each run's at points of its own, at least at the last one."""
    if line.mark is None:
        return ""
    path, filled = MARKS[line.mark % len(MARKS)]
    kind = f"mark filled {line.hue}" if filled else f"mark {line.hue}"
    every = max(1, len(points) // _EACH)
    chosen = points[line.mark % every :: every] or points[-1:]
    return "".join(
        f'<path class="{kind}" transform="translate({point})" d="{path}"/>' for point in chosen
    )


def chart(lines: Sequence[Line], alt: str, label: str = "epoch") -> str:
    """Return the SVG of lines; `alt` is its text for those who do not see it.

    The vertical axis is logarithmic if all values are above 0 and span more than a factor of 50.
    Raises ValueError if there is no point.
    """
    xs = [x for line in lines for x in line.x]
    ys = [y for line in lines for y in line.y]
    if not xs:
        raise ValueError("there is no point to draw")
    logarithmic = min(ys) > 0 and max(ys) > 50 * min(ys)
    heights = [math.log10(y) for y in ys] if logarithmic else ys
    x_low, x_high = _range(xs)
    y_low, y_high = _range(heights)

    def across(x: float) -> float:
        return _LEFT + (x - x_low) / (x_high - x_low) * (WIDTH - _LEFT - _RIGHT)

    def down(y: float) -> float:
        return HEIGHT - _BOTTOM - (y - y_low) / (y_high - y_low) * (HEIGHT - _TOP - _BOTTOM)

    parts = [f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(alt)}">']
    for tick in ticks(y_low, y_high, whole=logarithmic):
        y, text = down(tick), f"{10**tick:.3g}" if logarithmic else f"{tick:.4g}"
        parts.append(f'<path class="grid" d="M{_LEFT} {y:.1f}H{WIDTH - _RIGHT}"/>')
        parts.append(f'<text class="end" x="{_LEFT - 6}" y="{y + 4:.1f}">{text}</text>')
    for tick in ticks(x_low, x_high, whole=True):
        x = across(tick)
        parts.append(f'<text class="mid" x="{x:.1f}" y="{HEIGHT - 20}">{tick:.0f}</text>')
    middle = (_LEFT + WIDTH - _RIGHT) / 2
    parts.append(f'<text class="mid" x="{middle}" y="{HEIGHT - 4}">{escape(label)}</text>')
    for line in lines:
        points = [
            f"{across(x):.1f} {down(math.log10(y) if logarithmic else y):.1f}"
            for x, y in zip(line.x, line.y, strict=True)
        ]
        if not points:
            continue
        kind = f"line {line.hue} dashed" if line.dashed else f"line {line.hue}"
        title = f"<title>{escape(line.label)}</title>"
        parts.append(f'<path class="{kind}" d="M{"L".join(points)}">{title}</path>')
        parts.append(_marks(line, points))
        if len(points) == 1 and line.mark is None:
            left, top = points[0].split()
            parts.append(f'<circle class="dot {line.hue}" cx="{left}" cy="{top}" r="3"/>')
    return "".join(parts) + "</svg>"


def _range(values: Sequence[float]) -> tuple[float, float]:
    """Return the least and greatest value, apart even where all are one."""
    low, high = min(values), max(values)
    if high > low:
        return low, high
    margin = abs(low) / 2 or 1.0
    return low - margin, high + margin


def ticks(low: float, high: float, whole: bool) -> list[float]:
    """Return some four round numbers from `low` to `high`; with `whole`, integers."""
    step = 10 ** math.floor(math.log10((high - low) / 4))
    step *= next(factor for factor in (1, 2, 5, 10) if (high - low) / (step * factor) <= 5)
    if whole:
        step = max(1, round(step))
    return [step * i for i in range(math.ceil(low / step), math.floor(high / step) + 1)]
