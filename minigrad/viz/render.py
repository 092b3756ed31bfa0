"""DOT text to a picture, by Graphviz's `dot` or by the wheel graphviz-pure (the same flags).

What is not here: the text itself (`graphs/dot.py`).
"""

from __future__ import annotations

import os
import re
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
    return centered(done.stdout.decode()).encode() if format == "svg" else done.stdout


def centered(svg: str) -> str:
    """Return Graphviz's SVG with each node's lines set from the middle, as they are meant.

    Graphviz measures text in Helvetica and writes where each line starts. Where a browser has only
    a wider font, all the excess would stick out on the right.
    """
    fonts = 'font-family="Helvetica,Arial,Liberation Sans,sans-serif"'
    return _NODE.sub(_center, svg.replace('font-family="Helvetica,sans-Serif"', fonts))


_NODE = re.compile(r'<g id="[^"]*" class="node">.*?</g>', re.DOTALL)
_OUTLINE = re.compile(r'<(?:path|polygon)[^>]* (?:d|points)="([^"]*)"|<ellipse[^>]* cx="([^"]*)"')
_START = re.compile(r'text-anchor="start" x="[^"]*" y="([^"]*)"')


def _center(node: re.Match[str]) -> str:
    text = node[0]
    outline = _OUTLINE.search(text)
    rows = _START.findall(text)
    if outline is None or len(set(rows)) < len(rows):  # pieces that stand side by side
        return text
    across = [float(x) for x in re.findall(r"(-?[\d.]+),", outline[1] or f"{outline[2]},")]
    middle = (min(across) + max(across)) / 2
    return _START.sub(rf'text-anchor="middle" x="{middle:.2f}" y="\1"', text)


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
