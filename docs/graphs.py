"""Draws the pictures of docs/graphs.md: those of its code, and screenshots of its pages.

    python docs/graphs.py

Needs: pip install graphviz-pure pillow "minigrad[browser]", and Chromium with its driver.
"""

import linecache
import os
import re
import sys
import tempfile
from io import BytesIO
from pathlib import Path

from PIL import Image

import minigrad as mg
from minigrad import viz

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))

from tests.viz.chromium import Page, start  # noqa: E402


def run(page: Path) -> None:
    """Run the code of a page of the documentation, in the present folder."""
    text, names = page.read_text("utf-8"), {"__name__": "docs"}
    lines = text.splitlines(keepends=True)
    linecache.cache[page.name] = (len(text), None, lines, page.name)  # lines without a folder
    for block in re.finditer(r"^```python\n(.*?)^```$", text, re.DOTALL | re.MULTILINE):
        blank = "\n" * (text.count("\n", 0, block.start(1)))
        exec(compile(blank + block[1], page.name, "exec"), names)


def shoot(page: Page, name: str) -> None:
    """Keep what the browser shows, in few colors, so that the file is small."""
    picture = Image.open(BytesIO(page.chromium.get_screenshot_as_png())).convert("RGB")
    picture.quantize(160, dither=Image.Dither.NONE).save(HERE / name, optimize=True)


def main() -> None:
    """Draw all of them."""
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        run(HERE / "graphs.md")
        for picture in Path().glob("*.svg"):
            (HERE / picture).write_bytes(picture.read_bytes())
        chromium = start(Path(folder) / "profile", size=(1280, 800))
        try:
            page = Page(chromium, Path("graph.html").resolve())
            page.press("/", "8x64 tanh", "ENTER", "ESCAPE")
            shoot(page, "graph-page.png")

            x, y = mg.tensor(2.0, requires_grad=True), mg.tensor(3.0, requires_grad=True)
            params = {"x": x, "y": y}
            path = viz.html(
                lambda: x * y + mg.sin(x), "steps.html", params=params, title="x y + sin x"
            )
            page = Page(chromium, path.resolve())
            page.prefer("dark")
            page.press("b", "n", "n")
            shoot(page, "graph-steps.png")
        finally:
            chromium.quit()


if __name__ == "__main__":
    main()
