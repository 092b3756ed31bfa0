"""Draws the pictures of docs/graphs.md: those of its code, and screenshots of its pages.

    python docs/graphs.py

Needs: pip install graphviz-pure pillow "minigrad[browser]", and Chromium with its driver.
"""

import os
import sys
import tempfile
from io import BytesIO
from pathlib import Path

from PIL import Image
from printed import IMAGES, printed

import minigrad as mg
from minigrad import viz

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))

from tests.viz.chromium import Page, start  # noqa: E402


def shoot(page: Page, name: str) -> None:
    """Keep what the browser shows, in few colors, so that the file is small."""
    picture = Image.open(BytesIO(page.chromium.get_screenshot_as_png())).convert("RGB")
    picture.quantize(160, dither=Image.Dither.NONE).save(IMAGES / name, optimize=True)


def main() -> None:
    """Draw all of them."""
    with tempfile.TemporaryDirectory() as folder:
        printed(HERE / "graphs.md", Path(folder))
        os.chdir(folder)
        for picture in Path().glob("*.svg"):
            (IMAGES / picture).write_bytes(picture.read_bytes())
        chromium = start(Path(folder) / "profile", size=(1280, 800))
        try:
            page = Page(chromium, Path("graph.html").resolve())
            page.press("/", "8x64 tanh", "ENTER", "ESCAPE")
            shoot(page, "graph-page.png")
            shoot(Page(chromium, Path("hessian.html").resolve()), "graph-hessian.png")

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
