"""What `minigrad train` prints: what it is about to do, and a table of how it went."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def heading(options: dict[str, Any], train: Any, test: Any, model: Any, size: int) -> str:
    """Return the lines before training: the data, the network, the method."""
    count = sum(p.size for p in model.parameters())
    layers = [type(layer).__name__ for layer in model]
    widths = [train.x[0].size, *options["hidden"], len(train.classes)]
    batches = "full batch" if size >= len(train) else f"batches of {size}"
    own = [f"{name}={value!r}" for name, value in options["set"].items()]
    rows = {
        "data": f"{train.name}, {len(train):,} to train on, {len(test):,} to test on",
        "network": f"{'-'.join(map(str, widths))}, {count:,} parameters "
        f"({', '.join(dict.fromkeys(layers))})",
        "method": f"{', '.join([options['optimizer'], *own])}, {batches}, "
        f"epochs {options['epochs']}, seed {options['seed']}, {options['device']}",
    }
    return "\n".join(f"{name:9}{text}" for name, text in rows.items())


def table(history: Any, scores: dict[str, dict[str, float]], path: Path) -> str:
    """Return the lines after training: the scores, the time it took, and what was left where."""
    last = history.rows[-1]
    lines = ["", f"{'':9}{'loss':>10}{'accuracy':>12}"]
    lines += [f"{part:9}{s['loss']:10.4f}{s['accuracy']:12.2%}" for part, s in scores.items()]
    during = f"mean during epoch {last['epoch']}: {last['loss']:.4f}, {last['accuracy']:.2%}"
    lines.append(f"(train: of the final weights, as test; {during})")
    plural = "" if last["epoch"] == 1 else "s"
    lines += [
        "",
        f"{last['epoch']} epoch{plural}, {last['step']:,} steps in {last['seconds']:.1f} s, "
        f"{last['samples_per_second']:,.0f} samples/s in the last",
    ]
    lines += [f"stopped: {history.stopped}"] if history.stopped else []
    lines += history.notes
    files = sorted(file.name for file in path.iterdir() if not file.name.startswith("."))
    lines.append(f"{path}: {', '.join(files)}")
    return "\n".join(lines)
