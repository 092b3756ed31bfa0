"""`minigrad report`: the page of a run, or of several side by side, as a file.

What is not here: the page (`minigrad.viz.report`), what `minigrad train` prints (`report.py`).
"""

from __future__ import annotations

import itertools
import os
from pathlib import Path
from typing import Any

from minigrad import viz
from minigrad.cli.values import UsageError
from minigrad.training.store import write_atomically


def compare(given: dict[str, Any]) -> None:
    """Write the report of the runs given and print where; UsageError for what cannot be read."""
    runs = given["runs"]
    default = Path(runs[0], "report.html") if len(runs) == 1 else _unused("comparison.html")
    output = Path(given.get("output", default))
    try:
        page = viz.report(*runs)
    except viz.ReportError as error:
        raise UsageError(str(error)) from None
    try:
        write_atomically(output, page.encode())
    except OSError as error:
        raise UsageError(
            f"{output}: cannot be written ({error.strerror}); try --output with another file"
        ) from None
    print(output)


def _unused(name: str) -> Path:
    """Return a path here that is not taken: the name, or the name with the next free number."""
    path = Path(name)
    for number in itertools.count(2):
        if not os.path.lexists(path):
            break
        path = Path(name).with_stem(f"{Path(name).stem}-{number}")
    return path
