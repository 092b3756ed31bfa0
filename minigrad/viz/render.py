"""DOT text to a picture, by Graphviz's `dot` or by the wheel graphviz-pure (the same flags).

What is not here: the text itself (`graph.py`).
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sysconfig
from pathlib import Path

FORMATS = ("svg", "png", "pdf")


class RenderError(RuntimeError):
    """A picture that no program at hand can draw."""


def in_folder(path: str | Path) -> Path:
    """Return the path of a file to write, or raise FileNotFoundError if its folder is not there."""
    path = Path(path)
    if not path.parent.is_dir():
        raise FileNotFoundError(
            f"{path}: there is no folder {str(path.parent)!r}; make it, or save somewhere else"
        )
    return path


def render(dot: str, format: str = "svg") -> bytes:
    """Return the picture of a graph in DOT as the bytes of an SVG, PNG or PDF file.

    Graphviz's `dot` draws it if it is on the path, else the wheel graphviz-pure, which draws the
    same SVG and PNG and no PDF.

    Raises ValueError for another format, RenderError if there is no program to draw it.
    """
    if format not in FORMATS:
        raise ValueError(f"a picture is one of {', '.join(FORMATS)}, not {format!r}")
    program = _program(format)
    command = [program, f"-T{format}"]
    if format == "png":
        command.append("-Gdpi=144")  # sharp on today's screens
    done = subprocess.run(command, input=dot.encode(), capture_output=True, check=False)
    if done.returncode != 0 or not done.stdout:
        reason = done.stderr.decode(errors="replace").strip().splitlines()
        raise RenderError(f"{program} could not draw the graph: {reason[0] if reason else ''}")
    return done.stdout


def _program(format: str) -> str:
    """Return the path of the program that draws `format`."""
    found = shutil.which("dot")
    if found is None and format != "pdf":
        places = [sysconfig.get_path("scripts"), os.environ.get("PATH", os.defpath)]
        found = shutil.which("graphviz-pure", path=os.pathsep.join(places))
    if found is not None:
        return found
    if format == "pdf":
        raise RenderError(
            "a PDF needs Graphviz's dot on the path (apt install graphviz, brew install graphviz); "
            "SVG and PNG need only: pip install graphviz-pure"
        )
    raise RenderError(
        f"a graph as {format.upper()} needs a program that draws it: pip install graphviz-pure "
        "(or install Graphviz); its DOT text needs nothing: .save('graph.dot')"
    )
