"""A landscape as levels or as a surface, with the paths. The landscape is in `landscape.py`.

Matplotlib is imported when something is drawn.
"""

from __future__ import annotations

from typing import Any

from minigrad import backend
from minigrad.backend import Array
from minigrad.viz import figure as plot
from minigrad.viz.landscape import Landscape

_LEVELS = 16


def draw(landscape: Landscape, kind: str, title: str) -> Any:
    """Return the figure; see `Landscape.figure`."""
    if kind not in ("contour", "surface"):
        raise ValueError(f"kind={kind!r}; legal is 'contour' or 'surface'")
    if not bool(backend.cpu.isfinite(landscape.losses).any()):
        raise ValueError("the loss is finite nowhere on the plane; try a smaller span")
    paper = plot.figure("landscapes", 7.2, 5.6)
    axes = _contour(paper, landscape) if kind == "contour" else _surface(paper, landscape)
    across, up = _labels(landscape)
    small = 9 if kind == "surface" else None
    axes.set_xlabel(across, color=plot.GREY, fontsize=small)
    axes.set_ylabel(up, color=plot.GREY, fontsize=small)
    if title:
        axes.set_title(title, fontsize=11, loc="left")
    if [label for label in landscape.paths if label]:
        paper.legend(loc="outside upper center", ncols=4, frameon=False)
    paper.supxlabel(caption(landscape), fontsize=8.5, color=plot.GREY)
    return paper


def caption(landscape: Landscape) -> str:
    """Return what a reader must know of the plane."""
    known = "\nmode and buffers of the model not known"
    if landscape.training is not None:
        known = f" model in {'training' if landscape.training else 'evaluation'} mode"
    count = f"{len(landscape.x)} × {len(landscape.y)} points,{known}"
    if landscape.kind == "trajectory":
        return f"The plane of the paths' two principal directions, through the model;\n{count}."
    if landscape.kind == "given":
        return f"The plane of two given directions, through the model; {count}."
    normal = {
        "filter": "random directions, every filter as long as the model's own",
        "layer": "random directions, every weight as long as the model's own",
        "none": "random directions of length 1",
    }[landscape.normalize]
    return f"Two {normal}; {count}."


def _labels(landscape: Landscape) -> tuple[str, str]:
    """Return the names of the axes, with what they explain."""
    unit = "" if landscape.kind == "given" else " (distance in parameters)"
    if landscape.kind == "random" and landscape.normalize != "none":
        unit = " (in lengths of the model's filters)"
        if landscape.normalize == "layer":
            unit = " (in lengths of the model's weights)"
    labels = [f"direction {i}{unit}" for i in (1, 2)]
    if landscape.explained is not None:
        name = "principal direction" if landscape.kind == "trajectory" else "direction"
        shares = enumerate(landscape.explained, 1)
        labels = [f"{name} {i}: {share:.1%} of variance" for i, share in shares]
    return labels[0], labels[1]


def _levels(losses: Array) -> tuple[list[float], bool]:
    """Return levels and whether they are logarithmic: where no loss is < 0 and they range wide.

    Logarithmic ones span eight decades at most; what is lower is drawn as the lowest.
    """
    finite = losses[backend.cpu.isfinite(losses)]
    low, high = float(finite.min()), float(finite.max())
    logarithmic = low >= 0 and high > 10 * low
    if logarithmic:
        low = max(float(finite[finite > 0].min()), high * 1e-8)
        logarithmic = high > 10 * low
    if not high > low:
        low, high = low - 0.5, high + 0.5
    if logarithmic:
        levels = [low * (high / low) ** (i / _LEVELS) for i in range(_LEVELS + 1)]
    else:
        levels = [low + (high - low) * i / _LEVELS for i in range(_LEVELS + 1)]
    margin = 1e-9 * (levels[1] - levels[0])  # the least and the greatest loss lie within
    return [levels[0] - margin, *levels[1:-1], levels[-1] + margin * _LEVELS], logarithmic


def _contour(paper: Any, landscape: Landscape) -> Any:
    """Draw the levels, their values, and the paths."""
    from matplotlib.colors import LogNorm, Normalize
    from matplotlib.ticker import LogLocator, MaxNLocator

    axes = paper.add_subplot(1, 1, 1)
    levels, logarithmic = _levels(landscape.losses)
    norm = (LogNorm if logarithmic else Normalize)(levels[0], levels[-1])
    heights = backend.cpu.maximum(backend.cpu.ma.masked_invalid(landscape.losses), levels[0])
    grid = landscape.x, landscape.y, heights
    filled = axes.contourf(*grid, levels=levels, cmap=plot.pale(), norm=norm)
    axes.contour(*grid, levels=levels, colors=plot.LEVEL, linewidths=0.6, linestyles="solid")
    ticks = LogLocator(subs=(1, 2, 5)) if logarithmic else MaxNLocator(8)
    bar = paper.colorbar(filled, ax=axes, ticks=ticks, format="%.3g", spacing="proportional")
    bar.set_label("loss", color=plot.GREY)
    bar.outline.set_visible(False)
    bar.ax.tick_params(colors=plot.GREY, length=3)
    bar.ax.minorticks_off()
    for i, (label, path) in enumerate(landscape.paths.items()):
        look = {**plot.style(i), "lw": 1.8, "ms": 5, "mfc": "white", "mew": 1.2}
        every = plot.marked(len(path.points))
        (line,) = axes.plot(
            *path.points.T, **look, markevery=every, label=plot.plain(label) or None
        )
        line.set_path_effects(plot.outlined())
        axes.plot(*path.points[0], "o", color="black", mfc="white", ms=9, mew=1.8, zorder=5)
        axes.plot(*path.points[-1], "*", color=look["color"], mec="white", ms=15, zorder=6)
    if not landscape.paths:
        axes.plot(0, 0, "*", color="black", mec="white", ms=15)
        note = f"the model, loss {landscape.loss:.3g}"
        axes.annotate(
            note, (0, 0), (8, 8), textcoords="offset points", path_effects=plot.outlined()
        )
    axes.set_xlim(landscape.x[0], landscape.x[-1])
    axes.set_ylim(landscape.y[0], landscape.y[-1])
    plot.style_axes(axes, "")
    axes.grid(visible=False)
    return axes


def _surface(paper: Any, landscape: Landscape) -> Any:
    """Draw the loss as height, its logarithm where it ranges widely, and the paths upon it."""
    levels, logarithmic = _levels(landscape.losses)
    xp = backend.cpu

    def height(losses: Array) -> Array:
        clipped = xp.clip(xp.nan_to_num(losses, nan=levels[-1]), None, levels[-1])
        return xp.log10(xp.maximum(clipped, levels[0])) if logarithmic else clipped

    axes = paper.add_subplot(1, 1, 1, projection="3d", computed_zorder=False)
    x, y = xp.meshgrid(landscape.x, landscape.y)
    axes.plot_surface(
        x, y, height(landscape.losses), cmap=plot.pale(), rcount=len(y), ccount=len(x),
        edgecolor=plot.LEVEL, lw=0.3, zorder=1,
    )  # fmt: skip
    for i, (label, path) in enumerate(landscape.paths.items()):
        heights = height(path.losses)
        look = {**plot.style(i), "lw": 2, "ms": 4, "mfc": "white", "zorder": 3 + i}
        every = plot.marked(len(path.points))
        axes.plot(*path.points.T, heights, **look, markevery=every, label=plot.plain(label) or None)
        end = (*path.points[-1], heights[-1])
        axes.plot(*([v] for v in end), "*", color=look["color"], mec="white", ms=14, zorder=20)
    axes.set_zlabel("log₁₀ of the loss" if logarithmic else "loss")
    axes.tick_params(labelsize=8, colors=plot.GREY)
    axes.set_box_aspect((1, 1, 0.7), zoom=0.88)
    axes.view_init(35, -60)
    return axes
