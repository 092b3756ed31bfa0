"""The report of a run, or of several side by side: one page of HTML that needs no other file.

It is made from what is in the run folders (`folder.py`). What is not here: the files of a run, and
when they are written (`minigrad.training`).
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from html import escape
from importlib.resources import files
from pathlib import Path

from minigrad.viz.reports.curves import curves
from minigrad.viz.reports.folder import ReportError, RunFolder, read
from minigrad.viz.reports.layers import flow, histograms
from minigrad.viz.reports.mistakes import mistakes
from minigrad.viz.reports.summary import subtitle, summary
from minigrad.viz.reports.tables import settings, table

__all__ = ["ReportError", "report"]

FEW = 3  # runs whose main numbers stand at the top, a row of them a run


def report(*runs: str | Path) -> str:
    """Return the report of a run folder as HTML; of several, side by side.

    The page has the curves (loss, accuracy, learning rate, norm of the gradient, update relative to
    the weights), the gradient flow by layer over time, of one run the distributions of weights and
    activations, the confusion matrix and the worst mistakes of a classifier, the last numbers, the
    configuration and the environment (of several runs, with the rows marked in which they differ),
    and each run's graph; what a folder does not have is left out. Nothing in it is fetched from
    elsewhere, and it follows the reader's choice of light or dark.

    Raises ReportError for what is no run folder or has damaged files.
    """
    if not runs:
        raise ReportError("no run given; give the folder that training left")
    found = [read(Path(run)) for run in runs]
    with _damage_named(found):
        return _page(found)


def _page(found: list[RunFolder]) -> str:
    title = " · ".join(run.name for run in found)
    alone = 1 if len(found) == 1 else 0
    each = ("", _each(found, summary))
    numbers = ("Last numbers", table(found, [run.rows[-1] if run.rows else {} for run in found]))
    begin = [each, ("Curves", curves(found))]
    end = [numbers]
    if len(found) > FEW:  # what can be compared at a glance comes first
        begin, end = [begin[1], numbers], [each]
    sections = [
        *begin,
        ("Gradient flow", _each(found, flow)),
        ("Mistakes", _each(found, mistakes)),
        ("Weights", _each(found[:alone], lambda run: histograms(run, "weights"))),
        ("Activations", _each(found[:alone], lambda run: histograms(run, "activations"))),
        *end,
        ("Graph", _each(found, _graph)),
        ("Configuration", table(found, [settings(run, "environment", False) for run in found])),
        ("Environment", table(found, [settings(run, "environment", True) for run in found])),
    ]
    body = "".join(_section(name, content) for name, content in sections if content)
    return (
        '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width">'
        f"<title>{escape(title)}</title><style>{_style()}</style></head>"
        f"<body><header><h1>{escape(title)}</h1>{subtitle(found)}</header>"
        f"<main>{body}</main></body></html>\n"
    )


@contextmanager
def _damage_named(runs: list[RunFolder]) -> Iterator[None]:
    """Raise ReportError, with the folders, for whatever a file with other values leads to."""
    try:
        yield
    except ReportError:
        raise
    except (
        ArithmeticError, AttributeError, LookupError, OSError, RecursionError, TypeError, ValueError
    ) as error:  # fmt: skip
        names = ", ".join(str(run.path) for run in runs)
        raise ReportError(
            f"{names} has a damaged file ({type(error).__name__}: {error}); legal is what training "
            "wrote"
        ) from error


def _section(name: str, content: str) -> str:
    return f"<section><h2>{name}</h2>{content}</section>" if name else content


def _each(runs: list[RunFolder], part: Callable[[RunFolder], str]) -> str:
    """Return a part of every run, of several below their names."""
    texts = []
    for run in runs:
        with _damage_named([run]):
            text = part(run)
        if text and len(runs) > 1:
            text = f"<h3>{escape(str(run.path))}</h3>{text}"
        texts.append(text)
    return "".join(texts)


def _graph(run: RunFolder) -> str:
    """Return the run's graph as an image, in which nothing of the file can act on the page."""
    if not run.graph:
        return ""
    data = base64.b64encode(run.graph).decode()
    alt = escape(f"The graph of one forward pass of {run.name}")
    return f'<p class="graph"><img alt="{alt}" src="data:image/svg+xml;base64,{data}"></p>'


@cache
def _style() -> str:
    text = (files("minigrad.viz") / "assets" / "report.css").read_text("utf-8")
    assert "</" not in text  # it would end the element that it is in
    return text
