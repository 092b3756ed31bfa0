"""The report of a run, or of several side by side: one page of HTML that needs no other file.

It is made from what is in the run folders. What is not here: its charts (`lines.py`), and the files
of a run (`minigrad.training`).
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

from minigrad.viz.curves import panels
from minigrad.viz.lines import HUES, Line, chart

_LIGHT = ("#0072b2", "#d55e00", "#009e73", "#b0559a", "#8a6d00", "#2f8fc4", "#a33b3b", "#555555")
_DARK = ("#56b4e9", "#f08a3c", "#2fc79b", "#dc8fc2", "#e3c44a", "#9ad4f5", "#ee8888", "#bbbbbb")
_STYLE = """
:root { color-scheme: light dark; --text: #1c1f24; --soft: #5c636c; --rule: #dfe3e8;
  --page: #fff; --mark: #fff0c2 }
@media (prefers-color-scheme: dark) { :root { --text: #e8eaed; --soft: #a2a9b1; --rule: #363c44;
  --page: #14171b; --mark: #4a3d12 } }
body { font: 15px/1.5 system-ui, sans-serif; color: var(--text); background: var(--page);
  max-width: 1000px; margin: 2rem auto; padding: 0 1rem }
h1 { font-size: 1.5rem } h2 { font-size: 1.1rem; margin-top: 2rem }
.charts { display: flex; flex-wrap: wrap; gap: 1rem } figure { margin: 0; width: 420px }
figcaption { font-weight: 600 } .wide { overflow-x: auto }
svg { width: 100% } svg text { font-size: 12px; fill: var(--soft) }
.end { text-anchor: end } .mid { text-anchor: middle } .grid { stroke: var(--rule) }
.line { fill: none; stroke-width: 2; stroke-linejoin: round } .dashed { stroke-dasharray: 5 4 }
.key { margin-right: 1.2rem; white-space: nowrap } .key svg { width: 2rem; height: .8rem }
table { border-collapse: collapse } th, td { border-bottom: 1px solid var(--rule); text-align: left;
  padding: .2rem .9rem .2rem 0; font-variant-numeric: tabular-nums } th { font-weight: 500 }
tr.differs td { background: var(--mark) } img { background: #fff; max-width: 100% }
pre { overflow-x: auto }
"""


class ReportError(ValueError):
    """A folder that no report can be made of."""


@dataclass
class _Run:
    """What a run folder holds."""

    path: Path
    config: dict[str, Any]
    rows: list[dict[str, Any]]


def report(*runs: str | Path) -> str:
    """Return the report of a run folder as HTML; of several, side by side.

    The page has the curves, the last numbers, the configuration and the environment (of several
    runs, with the rows marked in which they differ), and each run's graph. Nothing in it is fetched
    from elsewhere, and it follows the reader's choice of light or dark.

    Raises ReportError for what is no run folder or has damaged files.
    """
    if not runs:
        raise ReportError("no run given; give the folder that training left")
    read = [_read(Path(run)) for run in runs]
    title = " · ".join(run.path.resolve().name for run in read)
    sections = [
        ("Curves", _curves(read)),
        ("Last numbers", _table(read, [run.rows[-1] if run.rows else {} for run in read])),
        ("Configuration", _table(read, [_settings(run, "environment", False) for run in read])),
        ("Environment", _table(read, [_settings(run, "environment", True) for run in read])),
        ("Graph", "".join(map(_graph, read))),
    ]
    body = "".join(f"<h2>{name}</h2>{content}" for name, content in sections if content)
    return (
        '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width">'
        f"<title>{escape(title)}</title><style>{_STYLE}{_hues()}</style></head>"
        f"<body><h1>{escape(title)}</h1>{body}</body></html>\n"
    )


def _read(path: Path) -> _Run:
    config = path / "config.json"
    if not config.is_file():
        what = "no config.json in it" if path.is_dir() else "no such folder"
        raise ReportError(f"{path} is no run ({what}); give a folder that training left")
    settings = _json(config, _text(config), "")
    metrics = path / "metrics.jsonl"
    lines = _text(metrics).splitlines(keepends=True) if metrics.exists() else []
    if lines and not lines[-1].endswith("\n"):
        lines.pop()  # it is being written, or was when the run was killed
    rows = [_json(metrics, line, f"line {i}, ") for i, line in enumerate(lines, 1)]
    return _Run(path, settings, [row for row in rows if "epoch" in row])


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except OSError as error:
        raise ReportError(f"{path} cannot be read ({error.strerror})") from None
    except UnicodeDecodeError:
        raise ReportError(
            f"{path} is damaged (it is not UTF-8); legal is what training wrote"
        ) from None


def _json(path: Path, text: str, where: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise ReportError(
            f"{path} is damaged ({where}it is no JSON object); legal is what training wrote"
        )
    return value


def _curves(runs: list[_Run]) -> str:
    """Return a chart for each metric: one run in the hues of its parts, several in their own."""
    charts: dict[str, list[Line]] = {}
    for i, run in enumerate(runs):
        for metric, parts in panels(run.rows).items():
            for j, (part, (x, y)) in enumerate(parts.items()):
                line = Line(part, x, y, j)
                if len(runs) > 1:
                    line = Line(
                        f"{run.path}, {part}", x, y, i, dashed=part == "train" and len(parts) > 1
                    )
                charts.setdefault(metric, []).append(line)
    if not charts:
        return "<p>No epoch is measured yet.</p>"
    if len(runs) > 1:
        keys = [(str(run.path), i) for i, run in enumerate(runs)]
        note = "Dashed is train, with dropout if there is any."
    else:
        keys = (
            list({line.label: line.hue for line in charts["loss"]}.items())
            if "loss" in charts
            else []
        )
        note = ""
    legend = "".join(
        f'<span class="key"><svg viewBox="0 0 32 12" aria-hidden="true">'
        f'<path class="line hue{hue % HUES}" d="M0 6H32"/></svg> {escape(label)}</span>'
        for label, hue in keys
    )
    figures = "".join(
        f"<figure><figcaption>{escape(metric.replace('_', ' '))}</figcaption>"
        f"{chart(lines, _alt(metric, lines))}</figure>"
        for metric, lines in charts.items()
    )
    return f'<p>{legend}{note}</p><div class="charts">{figures}</div>'


def _alt(metric: str, lines: list[Line]) -> str:
    ends = [f"{line.label} from {line.y[0]:.4g} to {line.y[-1]:.4g}" for line in lines]
    return f"{metric.replace('_', ' ')} by epoch: {'; '.join(ends)}"


def _table(runs: list[_Run], columns: list[dict[str, Any]]) -> str:
    """Return a table with a column a run; the rows in which they differ are marked."""
    names = dict.fromkeys(name for column in columns for name in column)
    head = "".join(f"<th>{escape(str(run.path))}</th>" for run in runs)
    rows = [f"<tr><th></th>{head}</tr>"] if len(runs) > 1 else []
    for name in names:
        values = [_shown(column.get(name)) for column in columns]
        mark = ' class="differs"' if len(set(values)) > 1 else ""
        cells = "".join(f"<td>{escape(value)}</td>" for value in values)
        rows.append(f"<tr{mark}><th>{escape(name)}</th>{cells}</tr>")
    return f'<div class="wide"><table>{"".join(rows)}</table></div>' if names else ""


def _settings(run: _Run, name: str, inside: bool) -> dict[str, Any]:
    """Return the configuration in one level, either what is under `name` or all else."""
    return {
        key.removeprefix(f"{name}."): value
        for key, value in _flat("", run.config)
        if key.startswith(f"{name}.") == inside
    }


def _flat(prefix: str, value: Any) -> Iterator[tuple[str, Any]]:
    items: Iterable[tuple[Any, Any]]
    if isinstance(value, dict):
        items = value.items()
    elif isinstance(value, list) and any(isinstance(item, dict) for item in value):
        items = enumerate(value)
    else:
        yield prefix, value
        return
    for key, item in items:
        yield from _flat(f"{prefix}.{key}" if prefix else str(key), item)


def _shown(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, list):
        return ", ".join(map(_shown, value))
    return "–" if value is None else str(value)


def _graph(run: _Run) -> str:
    """Return the run's graph as an image, in which nothing of the file can act on the page."""
    path = run.path / "graph.svg"
    if not path.is_file():
        return ""
    data = base64.b64encode(path.read_bytes()).decode()
    alt = escape(f"The graph of one forward pass of {run.path.resolve().name}")
    return f'<p><img alt="{alt}" src="data:image/svg+xml;base64,{data}"></p>'


def _hues() -> str:
    def rules(colors: tuple[str, ...]) -> str:
        return "".join(
            f".line.hue{i} {{ stroke: {color} }} .dot.hue{i} {{ fill: {color} }}\n"
            for i, color in enumerate(colors)
        )

    return f"{rules(_LIGHT)}@media (prefers-color-scheme: dark) {{ {rules(_DARK)} }}\n"
