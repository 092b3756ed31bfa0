"""The paper that plots are drawn on: a figure of matplotlib and the style of its axes.

matplotlib is imported here, at the first call; no global state of it is touched.
"""

from __future__ import annotations

from typing import Any

from minigrad.viz.render import RenderError

GREY = "#444444"  # of all text that is no title
LEVEL = "#7f95a8"  # of the lines between levels

# Okabe and Ito's colors but for their yellow, which white paper swallows, the dark before the
# light; with them eleven markers and four dashes in turn, so that a copy in grey can be read too.
_HUES = ("#0072b2", "#d55e00", "#000000", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
_MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">", "*", "h")
_DASHES = ("-", (0, (5, 1.5)), (0, (1.2, 1.2)), (0, (5, 1.5, 1.2, 1.5)))


def style(i: int) -> dict[str, Any]:
    """Return color, marker and dash of the i-th line or class, as keywords of Matplotlib."""
    dash = _DASHES[i % len(_DASHES)]
    return {"color": _HUES[i % len(_HUES)], "marker": _MARKERS[i % len(_MARKERS)], "ls": dash}


def marked(points: int, markers: int = 12) -> int:
    """Return which of a line's points have a marker, as Matplotlib's markevery: about so many."""
    return max(1, points // markers)


def plain(text: str) -> str:
    """Return a user's text so that Matplotlib shows it as it is: no formulas, nothing left out."""
    text = text.replace("$", r"\$")
    return f" {text}" if text.startswith("_") else text


def outlined(width: float = 3.0) -> list[Any]:
    """Return the effect of a white edge, for lines and texts that stand on a picture."""
    from matplotlib import patheffects

    return [patheffects.Stroke(linewidth=width, foreground="white"), patheffects.Normal()]


def pale() -> Any:
    """Return a map of colors from a blue grey, for the lowest, to white, to draw paths upon."""
    from matplotlib.colors import LinearSegmentedColormap

    return LinearSegmentedColormap.from_list("pale", ["#9db7cc", "#c9d8e3", "#e9eff4", "#ffffff"])


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


def style_axes(axes: Any, label: str) -> None:
    """Give axes the look of all plots here, and the horizontal one its label."""
    axes.set_xlabel(label, color=GREY)
    axes.tick_params(colors=GREY, length=3)
    axes.grid(color="#e6e6e6", lw=0.8)
    axes.set_axisbelow(True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("bottom", "left"):
        axes.spines[side].set_color("#999999")
