"""Draws the pictures of docs/pictures.md: runs the page's code and keeps what it saves, small.

    python docs/pictures.py

Needs: pip install "minigrad[train]"
"""

import tempfile
from pathlib import Path

from PIL import Image
from printed import IMAGES, printed

PAGE = Path(__file__).with_name("pictures.md")
WIDTH, COLORS = 1100, 256


def main() -> None:
    """Run the page in a folder of its own, and move its pictures into `images`."""
    with tempfile.TemporaryDirectory() as folder:
        printed(PAGE, Path(folder))
        for path in sorted(Path(folder).iterdir()):
            target = IMAGES / path.name
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
