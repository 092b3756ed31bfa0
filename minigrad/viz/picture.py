"""Picture: what `viz` returns that holds its data, and draws itself when it is asked to.

Not here: the paper, the style of axes and the colors (`figure.py`); what is drawn (a file each).
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

from minigrad.viz.render import FORMATS, RenderError, in_folder


class Picture:
    """Data with a figure: `figure` returns Matplotlib's, `save` writes it, a notebook shows it."""

    def figure(self) -> Any:
        """Return the picture as a ``matplotlib.figure.Figure``; RenderError without Matplotlib."""
        raise NotImplementedError(f"{type(self).__name__} defines no figure(self)")

    def save(self, path: str | Path, **options: Any) -> Path:
        """Write the picture as PNG, SVG or PDF, by the path's suffix, and return the path.

        `options` are those of `figure`. Raises ValueError for another suffix, FileNotFoundError if
        there is no such folder, RenderError without Matplotlib.
        """
        path, format = destination(path, FORMATS)
        self.figure(**options).savefig(path, format=format)
        return path

    def __repr__(self) -> str:
        """Return one line: an array's shape, a collection's length."""
        values = {name: _brief(value) for name, value in vars(self).items()}
        return f"{type(self).__name__}({', '.join(f'{k}={v}' for k, v in values.items())})"

    def _repr_png_(self) -> bytes | None:
        """Return what a notebook shows; nothing without Matplotlib."""
        image = io.BytesIO()
        try:
            self.figure().savefig(image, format="png")
        except RenderError:
            return None
        return image.getvalue()


def _brief(value: Any) -> str:
    if hasattr(value, "shape"):
        return f"array{tuple(value.shape)}" if value.shape else f"{float(value):.6g}"
    if isinstance(value, (list, tuple, dict)) and len(repr(value)) > 40:
        return f"{type(value).__name__} of {len(value)}"
    text = repr(value)
    return text if len(text) <= 40 else type(value).__name__


def destination(path: str | Path, formats: tuple[str, ...]) -> tuple[Path, str]:
    """Return a path to write to and its format, which is its suffix."""
    path = in_folder(path)
    format = path.suffix.lower().removeprefix(".")
    if format not in formats:
        legal = ", ".join(f".{name}" for name in formats)
        raise ValueError(
            f"{path}: the name's end says the format, one of {legal}; try .{formats[0]}"
        )
    return path, format
