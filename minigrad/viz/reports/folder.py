"""What a run folder holds, read from its files.

What is not here: what is made of it (the other files of this folder).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Row = dict[str, Any]


class ReportError(ValueError):
    """A folder that no report can be made of."""


@dataclass
class RunFolder:
    """A run: its configuration, a row an epoch, a row a measured step, mistakes, status, graph.

    What was not left is empty.
    """

    path: Path
    config: Row
    rows: list[Row]
    layers: list[Row]
    mistakes: Row
    status: Row
    graph: bytes

    @property
    def name(self) -> str:
        """The name of the folder."""
        return self.path.resolve().name


def read(path: Path) -> RunFolder:
    """Return the run in a folder; raises ReportError for what is none, or has damaged files.

    A last line that is not whole is being written, or was when the run was killed: it is left out.
    """
    config = path / "config.json"
    if not config.is_file():
        what = "it is a file" if path.is_file() else "no such folder"
        what = "no config.json in it" if path.is_dir() else what
        raise ReportError(f"{path} is no run ({what}); give a folder that training left")
    settings = _json(config, _text(config), "")
    rows = [row for row in _if_there(path / "metrics.jsonl") if "epoch" in row]
    mistakes, status = (_whole(path / name) for name in ("mistakes.json", "status.json"))
    graph = path / "graph.svg"
    picture = graph.read_bytes() if graph.is_file() else b""
    return RunFolder(
        path, settings, rows, _if_there(path / "layers.jsonl"), mistakes, status, picture
    )


def _whole(path: Path) -> Row:
    return _json(path, _text(path), "") if path.exists() else {}


def _if_there(path: Path) -> list[Row]:
    return lines_of(path) if path.exists() else []


def lines_of(path: Path) -> list[Row]:
    """Return the objects of a file of JSON lines, but for a last line that is not whole."""
    lines = _text(path).splitlines(keepends=True)
    if lines and not lines[-1].endswith("\n"):
        lines.pop()
    return [_json(path, line, f"line {i}, ") for i, line in enumerate(lines, 1)]


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except OSError as error:
        raise ReportError(f"{path} cannot be read ({error.strerror})") from None
    except UnicodeDecodeError:
        raise ReportError(
            f"{path} is damaged (it is not UTF-8); legal is what training wrote"
        ) from None


def _json(path: Path, text: str, where: str) -> Row:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise ReportError(
            f"{path} is damaged ({where}it is no JSON object); legal is what training wrote"
        )
    return value
