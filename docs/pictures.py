"""Draws the pictures of docs/pictures.md: runs the page's code and keeps what it saves, small.

    python docs/pictures.py

Needs: pip install "minigrad[train]"
"""

import os
import re
import tempfile
from pathlib import Path

from PIL import Image

HERE = Path(__file__).parent
CODE = re.compile(r"^```python\n(.*?)^```$", re.DOTALL | re.MULTILINE)
WIDTH, COLORS = 1100, 256


def main() -> None:
    """Run the page in a folder of its own, and move its pictures here."""
    page = (HERE / "pictures.md").read_text("utf-8")
    before = Path.cwd()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        try:
            exec("\n".join(CODE.findall(page)), {"__name__": "docs"})
        finally:
            os.chdir(before)
        for path in sorted(Path(folder).iterdir()):
            target = HERE / path.name
            if path.suffix == ".png":
                shrink(path, target)
            else:
                target.write_bytes(path.read_bytes())


def shrink(source: Path, target: Path) -> None:
    """Keep a PNG at a page's width, with a palette."""
    with Image.open(source) as image:
        image = image.convert("RGB")
        if image.width > WIDTH:
            image = image.resize(
                (WIDTH, round(image.height * WIDTH / image.width)), Image.Resampling.LANCZOS
            )
        # An octree keeps the colors of thin lines, which the median cut, the default, loses.
        image.quantize(COLORS, Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE).save(
            target, optimize=True
        )


if __name__ == "__main__":
    main()
