"""A race as a picture, paths beside curves, and as an animation. The race itself is in `race.py`.

Matplotlib is imported when something is drawn.
"""

from __future__ import annotations

import bisect
import math
import shutil
from pathlib import Path
from typing import Any

from minigrad import backend
from minigrad.creation import linspace
from minigrad.legal import integer
from minigrad.mode import no_grad
from minigrad.viz import figure as plot
from minigrad.viz.picture import destination
from minigrad.viz.race import Race, Run
from minigrad.viz.render import RenderError
from minigrad.viz.surfaces import Surface

_GRID = 201  # points along each side of the surface
_LEVELS = 18
_ABOVE = 4  # zorder of what stands above the paths


def draw(race: Race, size: tuple[float, float] = (10.4, 5.4)) -> tuple[Any, dict[str, Any]]:
    """Return the figure, and the lines of each run in it: on the surface, and over the costs."""
    paper = plot.figure("races", *size)
    left, right = paper.subplots(1, 2, width_ratios=[1.05, 1])
    _surface(left, race.surface)
    title = f"{race.surface.name}: f = {race.surface.formula}"
    left.set_title(plot.plain(title), fontsize=min(10, 600 / len(title)), loc="left")
    lines = {}
    for i, (label, run) in enumerate(race.runs.items()):
        look = {**plot.style(i), "lw": 1.6, "mfc": "white", "mew": 1.2}
        every = plot.marked(len(run.points))
        (path,) = left.plot(*_places(race, run), **look, ms=5.5, markevery=every)
        path.set_path_effects(plot.outlined())
        (curve,) = right.plot(run.costs, _above(race, run), **look, ms=4.5, markevery=every)
        curve.set_label(plot.plain(f"{label}, lr {run.lr:g}"))
        lines[label] = (path, curve)
    left.plot(*race.start, "o", color="black", ms=9, mfc="white", mew=1.8, zorder=_ABOVE + 1)
    left.annotate(
        "start",
        race.start,
        (8, 7),
        textcoords="offset points",
        path_effects=plot.outlined(),
        zorder=_ABOVE + 2,
    )
    right.set_yscale("log")
    right.set_ylim(bottom=race.tolerance / 3 if race.tolerance else None)
    if race.tolerance:
        right.axhline(race.tolerance, color="#888888", lw=1, ls=":")
        right.annotate(
            "arrived", (0, race.tolerance), (3, 3), xycoords=("axes fraction", "data"),
            textcoords="offset points", color=plot.GREY, fontsize=9,
        )  # fmt: skip
    plot.style_axes(right, "cost, in evaluations of f")
    right.set_title("f above its minimum, f − f*", fontsize=10, loc="left")
    paper.legend(loc="outside upper center", ncols=min(5, len(lines)), frameon=False)
    paper.supxlabel(race.caption, fontsize=8.5, color=plot.GREY)
    return paper, lines


def _surface(axes: Any, surface: Surface) -> None:
    """Draw the levels of a surface, the same area between each two, and its minima."""
    from matplotlib.colors import BoundaryNorm

    xp = backend.cpu
    left, right, bottom, top = surface.domain
    x = linspace(left, right, _GRID, dtype="float64")
    y = linspace(bottom, top, _GRID, dtype="float64")
    with no_grad(), xp.errstate(all="ignore"):  # it need not have a value everywhere
        f = surface(x + 0 * y[:, None], y[:, None] + 0 * x).numpy()
    parts = [i / _LEVELS for i in range(_LEVELS + 1)]
    finite = f[xp.isfinite(f)]
    levels = xp.unique(xp.quantile(finite, parts)) if finite.size else finite
    if len(levels) < 2:
        values = "one value everywhere" if finite.size else "no finite value"
        raise ValueError(
            f"{surface.name} has {values} on its domain {surface.domain}, hence no levels to draw; "
            "give a surface that varies there"
        )
    grid = x.numpy(), y.numpy(), xp.ma.masked_invalid(f)
    colors = plot.pale()
    axes.contourf(*grid, levels=levels, cmap=colors, norm=BoundaryNorm(levels, colors.N))
    axes.contour(*grid, levels=levels, colors=plot.LEVEL, linewidths=0.5, linestyles="solid")
    axes.plot(
        *zip(*surface.minima, strict=True), "*", color="black", ms=13, mec="white", zorder=_ABOVE
    )
    axes.set_xlim(left, right)
    axes.set_ylim(bottom, top)
    plot.style_axes(axes, "x")
    axes.grid(visible=False)
    axes.set_ylabel("y", color=plot.GREY)


def _places(race: Race, run: Run) -> tuple[list[float], list[float]]:
    """Return where a run's points are drawn: as far away as Matplotlib can compute with."""
    left, right, bottom, top = race.surface.domain
    far = 100 * max(right - left, top - bottom)
    x, y = (
        [min(max(value, -far), far) for value in side] for side in zip(*run.points, strict=True)
    )
    return x, y


def _above(race: Race, run: Run) -> list[float]:
    """Return f − f* in a range that its logarithm shows: from what has arrived to 10,000 starts.

    With tolerance 0 only f* itself has arrived, and is drawn as low as the least f above it.
    """
    lowest = race.surface.minimum
    left = (value - lowest for other in race.runs.values() for value in other.values)
    least = race.tolerance / 2 or min((h for h in left if 0 < h < math.inf), default=1.0)
    most = 1e4 * max(run.values[0] - race.surface.minimum, least)
    heights = (value - race.surface.minimum for value in run.values)
    return [max(h, least) if h < most else most for h in heights]  # most for what is not a number


def animate(race: Race, path: str | Path, frames: int, fps: int) -> Path:
    """Write the animation; see `Race.animate`."""
    frames, fps = integer("frames", frames), integer("fps", fps)
    path, format = destination(path, ("gif", "mp4"))
    paper, lines = draw(race, (8.4, 4.7))
    writer = _writer(format, fps, ["white", *(path.get_color() for path, _ in lines.values())])
    moving = [line for pair in lines.values() for line in pair]
    clock = paper.axes[1].axvline(0, color="#888888", lw=1)
    _freeze(paper, [*moving, clock])
    longest = max(run.costs[-1] for run in race.runs.values())
    with writer.saving(paper, str(path), dpi=paper.dpi):
        for frame in range(frames):
            now = longest * frame / max(frames - 1, 1)
            for label, run in race.runs.items():
                made = bisect.bisect_right(run.costs, now)
                position, curve = lines[label]
                x, y = _places(race, run)
                position.set_data(x[:made], y[:made])
                curve.set_data(run.costs[:made], _above(race, run)[:made])
                for line in (position, curve):
                    line.set_markevery([made - 1])  # where it stands now
            clock.set_xdata([now, now])
            writer.grab_frame()
    return path


def _freeze(paper: Any, moving: list[Any]) -> None:
    """Replace all but the moving artists by an image of them, which is drawn in no time."""
    paper.set_dpi(75)
    for artist in moving:
        artist.set_visible(False)
    paper.canvas.draw()
    image = backend.cpu.array(paper.canvas.buffer_rgba())
    paper.set_layout_engine("none")  # what was laid out stays in its place
    for artist in paper.get_children():
        artist.set_visible(artist in paper.axes)
    for artist in (artist for axes in paper.axes for artist in axes.get_children()):
        artist.set_visible(artist in moving or artist.get_zorder() >= _ABOVE)
    paper.figimage(image, zorder=-10)


def ffmpeg() -> str:
    """Return the path of ffmpeg: Matplotlib's setting, else the wheel's; or raise RenderError."""
    from matplotlib import rcParams

    found = shutil.which(rcParams["animation.ffmpeg_path"])
    if found is None:
        try:
            from imageio_ffmpeg import get_ffmpeg_exe

            found = get_ffmpeg_exe()
        except (ImportError, RuntimeError):  # no wheel, or none for this machine
            raise RenderError(
                "an MP4 needs the program ffmpeg: pip install imageio-ffmpeg (or apt install "
                "ffmpeg, brew install ffmpeg); a GIF needs nothing: race.animate('race.gif')"
            ) from None
    return str(found)


def _writer(format: str, fps: int, colors: list[str]) -> Any:
    """Return Matplotlib's writer of a format, or raise RenderError; `colors` must not be lost."""
    from matplotlib.animation import FFMpegWriter, PillowWriter

    if format == "mp4":
        program = ffmpeg()

        class Film(FFMpegWriter):
            """Frames that go to the program that was found."""

            @classmethod
            def bin_path(cls) -> str:
                """Return the path of the program."""
                return program

        return Film(fps=fps)

    class OnePalette(PillowWriter):
        """Frames of the same colors, so that a GIF has to store only what moves."""

        _frames: list[Any]

        def finish(self) -> None:
            """Write the file."""
            from PIL import Image

            width, height = self._frames[-1].size
            sample = Image.new("RGB", (width, height + 20 * len(colors)))
            sample.paste(self._frames[-1])  # by then all is there; below it
            for i, color in enumerate(colors):  # the colors of thin lines, which would not count
                sample.paste(color, (0, height + 20 * i, width, height + 20 * (i + 1)))
            palette = sample.quantize(96)
            self._frames = [
                frame.convert("RGB").quantize(palette=palette, dither=Image.Dither.NONE)
                for frame in self._frames
            ]
            super().finish()

    return OnePalette(fps=fps)
