"""The head of a report: what the run was, how it ended, its most important numbers."""

from __future__ import annotations

import time
from html import escape

from minigrad.viz.reports.folder import RunFolder


def subtitle(runs: list[RunFolder]) -> str:
    """Return what the runs are of, and when."""
    if len(runs) > 1:
        return f"<p>{len(runs)} runs side by side</p>"
    config = runs[0].config
    data, optimizer = config.get("data"), config.get("optimizer")
    parts = [
        str(data.get("train", "")).strip("<>") if isinstance(data, dict) else "",
        str(optimizer.get("name", "")) if isinstance(optimizer, dict) else "",
        _state(runs[0]),
    ]
    return f"<p>{' · '.join(escape(part) for part in parts if part)}</p>"


def _state(run: RunFolder) -> str:
    """Return how the run ended, or where it was last."""
    status = run.status
    state = str(status.get("state", ""))
    if not isinstance(status.get("time"), (int, float)):
        return state
    moment = time.strftime("%Y-%m-%d %H:%M", time.localtime(status["time"]))
    return f"{state} {moment}" if state != "running" else f"not at its end, last seen {moment}"


def summary(run: RunFolder) -> str:
    """Return the most important numbers, and what was noted."""
    if not run.rows:
        return ""
    last = run.rows[-1]
    tiles = []
    for name in ("test_accuracy", "test_loss", "accuracy", "loss"):
        values = [(row[name], row["epoch"]) for row in run.rows if row.get(name) is not None]
        if values:
            best, epoch = (max if "accuracy" in name else min)(values, key=lambda pair: pair[0])
            text = f"{values[-1][0]:.2%}" if "accuracy" in name else f"{values[-1][0]:.4g}"
            note = f"{best:.2%}" if "accuracy" in name else f"{best:.4g}"
            label = name if "test" in name else f"train {name}"
            tiles.append((text, label.replace("_", " "), f"best {note}, epoch {epoch}"))
    epochs = run.status.get("epochs")
    of = f" of {epochs:,}" if isinstance(epochs, int) and epochs != last["epoch"] else ""
    tiles.append((f"{last['epoch']:,}{of}", "epochs", f"{last.get('step', 0):,} steps"))
    if isinstance(last.get("seconds"), (int, float)):
        speed = last.get("samples_per_second")
        note = f"{speed:,.0f} samples/s" if speed else ""
        tiles.append((_duration(last["seconds"]), "training", note))
    rates = {row.get("lr") for row in run.rows}
    if len(rates) == 1 and isinstance(last.get("lr"), (int, float)):
        tiles.append((f"{last['lr']:.3g}", "learning rate", "constant"))
    cards = "".join(
        f"<div class='tile'><b>{escape(text)}</b><span>{escape(name)}</span>"
        f"<small>{escape(note)}</small></div>"
        for text, name, note in tiles
    )
    stopped, notes = run.status.get("stopped"), run.status.get("notes")
    said = [f"Stopped: {stopped}."] if stopped else []
    said += notes if isinstance(notes, list) else []
    remarks = "".join(f"<li>{escape(str(note))}</li>" for note in said)
    return f"<div class='tiles'>{cards}</div>" + (f"<ul>{remarks}</ul>" if remarks else "")


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    if not minutes:
        return f"{seconds:.1f} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"
