"""The run folder: where a run leaves its files, and the options that it was started with."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from minigrad.cli import options
from minigrad.cli.values import UsageError

CONFIG = "config.json"
_MAX = 100_000


def make(given: str | None, stem: str) -> Path:
    """Make the folder of a new run: the one given, or the first ``runs/<stem>-<number>`` free.

    Raises UsageError for a folder that cannot be written or holds a run already.
    """
    if given is None:
        for number in range(1, _MAX):
            path = Path("runs", f"{stem}-{number}")
            if not path.exists() and _made(path):
                return path
        raise UsageError("--run: runs/ is full; name the folder, such as --run runs/mine")
    path = Path(given)
    if path.is_dir() and any(path.iterdir()):
        other = f"--resume {given}" if (path / CONFIG).is_file() else f"--run {given}-2"
        raise UsageError(
            f"--run: {given!r} has files in it; legal is a new or empty folder; try {other}"
        )
    if not path.is_dir():
        _made(path)
    if not os.access(path, os.W_OK | os.X_OK):
        raise UsageError(f"--run: {given!r} cannot be written; try a folder that you own")
    return path


def _made(path: Path) -> bool:
    """Make a folder; say whether it is new."""
    try:
        path.mkdir(parents=True)
    except OSError as error:
        if path.is_dir():
            return False  # another run was quicker
        for place in (path, *path.parents):
            if place.exists() and not place.is_dir():
                raise UsageError(
                    f"--run: {str(place)!r} is a file; legal is a folder; try --run with another"
                ) from None
        raise UsageError(
            f"--run: {str(path)!r} cannot be made ({error.strerror}); try --run with a folder "
            "that you own"
        ) from None
    return True


def read_options(given: str) -> dict[str, Any]:
    """Return the options of the run in a folder.

    Raises UsageError if it is no run, or its configuration is damaged.
    """
    path = Path(given) / CONFIG
    try:
        config = json.loads(path.read_text("utf-8"))
    except OSError as error:
        raise UsageError(
            f"--resume: {given!r} is no run ({CONFIG}: {error.strerror}); legal is a folder that "
            "minigrad train left, such as runs/digits-adam-1"
        ) from None
    except (ValueError, RecursionError):
        raise _damaged(path, "it is not JSON") from None
    saved = config.get("options") if isinstance(config, dict) else None
    if not isinstance(saved, dict):
        raise _damaged(path, "it has no options")
    try:
        again = options.parse(options.words(saved))
    except UsageError as error:
        raise _damaged(path, str(error)) from None
    return {key: again.get(key, default) for key, default in options.DEFAULTS.items()}


def _damaged(path: Path, what: str) -> UsageError:
    return UsageError(
        f"--resume: {path} is damaged ({what}); legal is what minigrad train wrote; start a new run"
    )
