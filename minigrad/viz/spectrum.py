"""The spectrum of a matrix: the density of its eigenvalues over a logarithmic scale."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from minigrad.curvature import SpectralDensity
from minigrad.tensor import Tensor
from minigrad.viz.figure import GREY, figure, style_axes
from minigrad.viz.picture import destination
from minigrad.viz.render import FORMATS

_INK, _BAND, _MARK = "#0072b2", "#9cc9e6", "#d55e00"  # after Okabe and Ito


def spectrum(
    density: SpectralDensity,
    path: str | Path,
    title: str = "",
    eigenvalues: Tensor | Sequence[float] = (),
) -> Path:
    """Draw the density of `mg.curvature.spectral_density` and return the picture's path.

    The scale is logarithmic, since of many eigenvalues a few lie apart. Around the line is a band
    of two standard errors; the dotted line is as high as the peak of a single eigenvalue, so that
    what lies below it is the foot of a peak. `eigenvalues`, such as those of
    `top_eigenvalues`, are marked where they lie.

    The picture is PNG, SVG or PDF, by the path's suffix.

    Raises ValueError for another suffix, FileNotFoundError if there is no such folder, RenderError
    without matplotlib.
    """
    path, format = destination(path, FORMATS)
    paper = figure("spectra", 6.6, 3.8)
    axes = paper.add_subplot(1, 1, 1)
    x, y, error = (t.tolist() for t in (density.grid, density.density, density.standard_error))
    one = 1 / (density.size * density.width * math.sqrt(2 * math.pi))
    floor = one / 10
    low = [max(mean - 2 * e, floor) for mean, e in zip(y, error, strict=True)]
    high = [max(mean + 2 * e, floor) for mean, e in zip(y, error, strict=True)]
    axes.fill_between(x, low, high, color=_BAND, lw=0)
    axes.plot(x, [mean if mean > floor else math.nan for mean in y], color=_INK, lw=1.6)
    axes.axhline(one, color="#888888", lw=1, ls=":", label="height of a single eigenvalue")
    found = eigenvalues.tolist() if isinstance(eigenvalues, Tensor) else list(eigenvalues)
    if found:
        heights = [floor * 1.5] * len(found)
        axes.plot(found, heights, "^", color=_MARK, ms=6, label="eigenvalues found")
    axes.set_yscale("log")
    axes.set_ylim(floor, 2 * max(high))
    style_axes(axes, "eigenvalue λ")
    axes.set_ylabel("density", color=GREY)
    axes.legend(frameon=False)
    if title:
        axes.set_title(title, fontsize=11, loc="left")
    paper.savefig(path, format=format)
    return path
