"""Draws the pictures of pages: runs their code and keeps what it saves, small.

    python docs/pictures.py docs/pictures.md

Needs: pip install "minigrad[train]"
"""

import sys
import tempfile
from pathlib import Path

from PIL import Image
from printed import IMAGES, printed

WIDTH, COLORS = 1100, 256


def main() -> None:
    """Run each page in a folder of its own, and move its pictures into `images`."""
    for page in sys.argv[1:]:
        with tempfile.TemporaryDirectory() as folder:
            printed(Path(page).resolve(), Path(folder))
            for path in sorted(Path(folder).iterdir()):
                target = IMAGES / path.name
                if path.suffix == ".png":
                    shrink(path, target)
                elif path.suffix == ".gif":
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
