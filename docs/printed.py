"""Runs the code of pages and writes down what it prints: ``python docs/printed.py docs/PAGE.md …``.

In a page, a block of ``python`` goes on where the one before ended. A block of ``text`` or ``cpp``
right after it is what it prints, with ``...`` for what differs from run to run: what fits as it
stands is left. A block whose first line is ``# from <file>`` quotes that file, and is not run; a
line ``...`` in it stands for what was left out. Pictures that the code saves go into `images`.
"""

import contextlib
import doctest
import io
import linecache
import re
import shutil
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

IMAGES = Path(__file__).parent / "images"
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
QUOTED = re.compile(r"# from (\S+)\n")


@dataclass
class Block:
    """A fenced block of a page: its language, text and first line; whether it follows the last.

    The text is ``page[start : start + len(text)]``.
    """

    language: str
    text: str
    start: int
    line: int
    adjacent: bool


def blocks(text: str) -> list[Block]:
    """Return the fenced blocks of a page."""
    found, end = [], 0
    for match in FENCE.finditer(text):
        adjacent = not text[end : match.start()].strip()
        line = text.count("\n", 0, match.start(2)) + 1
        found.append(Block(match[1], match[2], match.start(2), line, adjacent))
        end = match.end()
    return found


def same(page: str, shown: str) -> bool:
    """Say whether a page has what was shown, or ``...`` for it."""
    return doctest.OutputChecker().check_output(page, shown, doctest.ELLIPSIS)


def printed(page: Path, folder: Path) -> str:
    """Return a page with what its code prints today; the code runs in `folder`."""
    text, names = page.read_text("utf-8"), {"__name__": "docs"}
    # A traceback, or a graph with lines, has the page's lines, and its name without a folder.
    linecache.cache[page.name] = (len(text), None, text.splitlines(keepends=True), page.name)
    parts, end, shown = [], 0, None
    with contextlib.chdir(folder):
        for block in blocks(text):
            if block.language == "python" and not QUOTED.match(block.text):
                code = compile("\n" * (block.line - 1) + block.text, page.name, "exec")
                with contextlib.redirect_stdout(io.StringIO()) as stream:
                    exec(code, names)
                shown = stream.getvalue()
                continue
            output = block.language in ("text", "cpp") and block.adjacent
            if output and shown is not None and not same(block.text, shown):
                parts += [text[end : block.start], shown]
                end = block.start + len(block.text)
            shown = None
    return "".join([*parts, text[end:]])


def main() -> None:
    """Write the pages that are named, and their pictures, anew."""
    for name in sys.argv[1:]:
        page = Path(name).resolve()
        with tempfile.TemporaryDirectory() as folder:
            page.write_text(printed(page, Path(folder)), "utf-8")
            for picture in Path(folder).iterdir():
                if (IMAGES / picture.name).is_file() or picture.suffix == ".svg":
                    shutil.copy(picture, IMAGES)


if __name__ == "__main__":
    main()
