"""The tables of a report: settings and numbers, a column a run."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from html import escape
from typing import Any

from minigrad.viz.reports.folder import RunFolder


def table(runs: list[RunFolder], columns: list[dict[str, Any]]) -> str:
    """Return a table with a column a run; the rows in which they differ are marked."""
    names = dict.fromkeys(name for column in columns for name in column)
    head = "".join(f"<th>{escape(str(run.path))}</th>" for run in runs)
    rows = [f"<tr><th></th>{head}</tr>"] if len(runs) > 1 else []
    for name in names:
        values = [shown(column.get(name)) for column in columns]
        mark = ' class="differs"' if len(set(values)) > 1 else ""
        cells = "".join(f"<td>{escape(value)}</td>" for value in values)
        rows.append(f"<tr{mark}><th>{escape(name)}</th>{cells}</tr>")
    return f'<div class="wide"><table>{"".join(rows)}</table></div>' if names else ""


def settings(run: RunFolder, name: str, inside: bool) -> dict[str, Any]:
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


def shown(value: Any) -> str:
    """Return a value as a table shows it."""
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, list):
        return ", ".join(map(shown, value))
    return "–" if value is None else str(value)
