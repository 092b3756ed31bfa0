"""Show: a picture below the cell of a notebook, or in a file; so that one line does for both.

What is not here: the pictures, and their formats (`save` of each).
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from minigrad.viz.render import RenderError


def show(picture: Any, path: str | Path) -> None:
    """Show a picture below the cell of a notebook; in a program write it to `path`, and say so.

    - ``picture``: a Graph, a Picture such as a Race, or a figure of Matplotlib, which is closed;
    - ``path``: the file, in the format of its ending; folders that are not there are made. Nothing
      is written in a notebook.

    Where a graph cannot be drawn, a line says what to install. Raises TypeError for what is no
    picture, ValueError for an ending that is no format of it.
    """
    write = getattr(picture, "savefig", None) or getattr(picture, "save", None)
    if write is None:
        raise TypeError(
            f"{type(picture).__name__} is no picture; legal are what viz.graph, viz.race and the "
            "like return, or a figure of Matplotlib; try viz.show(viz.graph(y), 'graph.svg')"
        )
    display = _display()
    path = Path(path)
    if display is not None:
        display(picture)
    else:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            write(path)
            print(f"wrote {path}")  # noqa: T201
        except RenderError as error:
            print(f"no {path}: {error}")  # noqa: T201
    pyplot = sys.modules.get("matplotlib.pyplot")
    if pyplot is not None and hasattr(picture, "savefig"):
        pyplot.close(picture)


def _display() -> Callable[[Any], Any] | None:
    """Return what shows something in a notebook, or None if this runs in none."""
    ipython: Any = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return ipython.display.display if hasattr(shell, "kernel") else None
