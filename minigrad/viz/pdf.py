"""An SVG that Graphviz has drawn, as a PDF: by svglib and ReportLab, which pip installs.

For where there is no `dot`, which draws PDFs by itself.
"""

from __future__ import annotations

import logging
import xml.etree.ElementTree as ET
from importlib.util import find_spec
from io import BytesIO
from pathlib import Path

_SPACE = "{http://www.w3.org/2000/svg}"
_OTHER = "DejaVu Sans"  # for letters that a PDF's own Helvetica lacks
_NARROWER = 0.87  # its letters are so much wider


def available() -> bool:
    """Say whether what this needs is installed."""
    return find_spec("svglib") is not None and find_spec("reportlab") is not None


def from_svg(svg: bytes) -> bytes:
    """Return the picture as a PDF of one page, of the picture's size.

    Text is in Helvetica, which needs no file; where a line has a letter that this lacks, in DejaVu
    Sans, if Matplotlib is there, which carries it.
    """
    from reportlab.graphics import renderPDF
    from svglib.svglib import svg2rlg

    root = ET.fromstring(svg)
    for parent in root.iter():
        for title in parent.findall(f"{_SPACE}title"):  # a tooltip, which a PDF has not
            parent.remove(title)
    lines = [text for text in root.iter(f"{_SPACE}text") if not _plain(text.text or "")]
    if lines and _register():
        for text in lines:
            bold = "-Bold" if text.get("font-weight") == "bold" else ""
            text.attrib.pop("font-weight", None)
            text.set("font-family", _OTHER + bold)
            text.set("font-size", str(float(text.get("font-size", 14)) * _NARROWER))
    logger = logging.getLogger("svglib")
    level = logger.level
    logger.setLevel(logging.ERROR)  # it warns of what a PDF does not need
    try:
        drawing = svg2rlg(BytesIO(ET.tostring(root)))
    finally:
        logger.setLevel(level)
    return bytes(renderPDF.drawToString(drawing))


def _plain(text: str) -> bool:
    """Say whether a PDF's own fonts have all letters of a text."""
    try:
        text.encode("cp1252")
    except UnicodeEncodeError:
        return False
    return True


def _register() -> bool:
    """Tell svglib where DejaVu Sans is; say whether it is anywhere."""
    if find_spec("matplotlib") is None:
        return False
    import matplotlib
    from svglib.svglib import register_font

    folder = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
    for style in ("", "-Bold"):
        register_font(_OTHER + style, str(folder / f"DejaVuSans{style}.ttf"))
    return True
