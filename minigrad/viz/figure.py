"""The paper that plots are drawn on: a figure of matplotlib and the dress of its axes.

matplotlib is imported here, at the first call; no global state of it is touched.
"""

from __future__ import annotations

from typing import Any

from minigrad.viz.render import RenderError


def figure(what: str, width: float, height: float) -> Any:
    """Return an empty figure for PNG files, of a size in inches; `what` is what wants to be drawn.

    Raises RenderError without matplotlib.
    """
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError:
        raise RenderError(
            f"{what} need matplotlib: pip install matplotlib, or minigrad[train]"
        ) from None
    paper = Figure(figsize=(width, height), dpi=144, layout="constrained")
    FigureCanvasAgg(paper)
    return paper


def dress(axes: Any, label: str) -> None:
    """Give axes the look of all plots here, and the horizontal one its label."""
    axes.set_xlabel(label, color="#444444")
    axes.tick_params(colors="#444444", length=3)
    axes.grid(color="#e6e6e6", lw=0.8)
    axes.set_axisbelow(True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("bottom", "left"):
        axes.spines[side].set_color("#999999")
