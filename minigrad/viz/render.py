"""DOT text to a picture, by Graphviz's `dot` or by the wheel graphviz-pure (the same flags).

What is not here: the text itself (`graphs/dot.py`).
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sysconfig
from pathlib import Path

from minigrad.viz import pdf

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

    Graphviz's `dot` draws it if it is on the path, else the wheel graphviz-pure. That draws no PDF:
    its SVG is made one by svglib.

    Raises ValueError for another format, RenderError if there is no program to draw it.
    """
    if format not in FORMATS:
        raise ValueError(f"a picture is one of {', '.join(FORMATS)}, not {format!r}")
    if format == "pdf" and shutil.which("dot") is None:
        if not pdf.available():
            raise RenderError(
                "a PDF needs: pip install 'minigrad[pdf]' (or Graphviz's dot on the path: "
                "apt install graphviz, brew install graphviz)"
            )
        return pdf.from_svg(render(dot, "svg"))
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
    """Return the path of the program that draws."""
    found = shutil.which("dot")
    if found is None:
        places = [sysconfig.get_path("scripts"), os.environ.get("PATH", os.defpath)]
        found = shutil.which("graphviz-pure", path=os.pathsep.join(places))
    if found is None:
        raise RenderError(
            f"a graph as {format.upper()} needs a program that draws it: pip install graphviz-pure "
            "(or install Graphviz); its DOT text needs nothing: .save('graph.dot')"
        )
    return found
