"""Times minigrad on a GPU beside PyTorch and JAX, and prints the tables of docs/performance.md.

    python tests/benchmarks/gpu.py [--fashion FOLDER] [--write docs/performance.md]

It runs unattended in less than eight minutes: Adam's step as a share of the bandwidth of a copy;
networks, with the number of kernels of a step; accuracy on a GPU and on the CPU. FOLDER holds the
four files of Fashion-MNIST. Each library has a process of its own (`gpu_jobs.py`); what fails, is
not installed or takes too long is said below the tables, and the others go on.

Needs: CuPy. Of PyTorch with CUDA and JAX with CUDA what is there. With --dry it runs without a GPU,
on the stand-in for CuPy, and its figures mean nothing.
"""

from __future__ import annotations

import argparse
import datetime
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from run import table, write

LIMIT = 450.0  # seconds for all; what is not done by then is left out
JOBS = {"minigrad": 120, "torch": 100, "kernels": 80, "accuracy": 120, "jax": 120}  # seconds each
SIZES = {
    "large": "784-4096-4096-10, batch 1024",
    "medium": "784-512-256-10, batch 128",
    "tiny": "64-32-10, batch 32",
}
PEERS = ("PyTorch", "PyTorch, fused", "JAX")


class Figures:
    """What was measured, by name, and why the rest was not."""

    def __init__(self) -> None:
        self.values: dict[str, Any] = {}
        self.errors: dict[str, str] = {}

    def take(self, line: str) -> None:
        """Take over one line of a job; what is no figure is left alone."""
        try:
            found = json.loads(line)
            name = found["name"]
        except (ValueError, TypeError, KeyError):
            return
        if "error" in found:
            self.errors[name] = found["error"]
        elif not name.startswith("job "):
            self.values[name] = found["value"]

    def time(self, name: str, unit: float = 1e6) -> str:
        """Return a time in a unit, or a dash."""
        return f"{self.values[name] * unit:,.0f}" if name in self.values else "–"

    def ratio(self, name: str, other: str) -> str:
        """Return the ratio of two figures, or a dash."""
        if name not in self.values or other not in self.values:
            return "–"
        return f"{self.values[name] / self.values[other]:.2f}"

    def count(self, name: str) -> str:
        """Return a number, or a dash."""
        return f"{self.values[name]}" if name in self.values else "–"


def run(job: str, options: list[str], left: float, figures: Figures) -> None:
    """Run a job in a process of its own for at most its time, and take over its figures."""
    limit = min(JOBS[job], left)
    if limit < 5:
        figures.errors[f"job {job}"] = "no time was left for it"
        return
    command = [sys.executable, str(Path(__file__).with_name("gpu_jobs.py")), job, *options]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=limit, stdin=subprocess.DEVNULL
        )
        said, errors, code = done.stdout, done.stderr, done.returncode
    except subprocess.TimeoutExpired as error:
        said, errors, code = _text(error.stdout), "", 0
        figures.errors[f"job {job}"] = f"stopped after {limit:.0f} s"
    for line in said.splitlines():
        figures.take(line)
    if code:
        last = (errors.strip().splitlines() or ["nothing said"])[-1]
        figures.errors[f"job {job}"] = f"ended with status {code}: {last}"


def _text(value: Any) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else value or ""


def report(figures: Figures) -> Iterator[str]:
    """Yield the paragraphs: machine, Adam, networks, accuracy, and what is missing."""
    values = figures.values
    peers = [f"{name} {values[f'version {name}']}" for name in ("PyTorch", "JAX")
             if f"version {name}" in values]  # fmt: skip
    yield ", ".join([f"{datetime.date.today()}", values.get("machine", "no GPU"), *peers])
    yield (
        "One step of Adam on 100 M float32 parameters. It reads θ, g, m and v and writes θ, m and "
        "v: 28 bytes a parameter, against the 8 of a copy."
    )
    rows = []
    for name, key in [("copy", "copy"), *((who, f"adam {who}") for who in ("minigrad", *PEERS))]:
        moved = (8 if name == "copy" else 28) * 1e8
        speed = f"{moved / values[key] / 1e9:,.0f}" if key in values else "–"
        share = "–"
        if key in values and "copy" in values:
            share = f"{100 * moved / values[key] / (8e8 / values['copy']):.0f} %"
        kernels = figures.count("kernels adam minigrad") if name == "minigrad" else ""
        rows.append([name, figures.time(key), speed, share, kernels])
    yield table(["", "µs", "GB/s", "of a copy's", "kernels"], rows)
    yield "One step of training, gradient and Adam, float32."
    rows = []
    for name, size in SIZES.items():
        mine, kernels = f"{name} minigrad", f"kernels {name}"
        rows.append([
            name, size, figures.time(mine), *(figures.time(f"{name} {who}") for who in PEERS),
            figures.ratio(mine, f"{name} PyTorch"), figures.ratio(mine, f"{name} JAX"),
            figures.count(f"{kernels} minigrad"), figures.count(f"{kernels} PyTorch"),
        ])  # fmt: skip
    mine, *others = (f"large TF32 {who}" for who in ("minigrad", "PyTorch", "JAX"))
    times = [figures.time(others[0]), "", figures.time(others[1])]
    ratios = [figures.ratio(mine, other) for other in others]
    rows.append(["large, TF32", SIZES["large"], figures.time(mine), *times, *ratios, "", ""])
    heads = [f"{who} µs" for who in ("minigrad", *PEERS)]
    heads += ["minigrad / PyTorch", "minigrad / JAX", "kernels", "PyTorch's kernels"]
    yield table(["network", "size", *heads], rows)
    yield "The same run on either device, from the same seed."
    rows = []
    for name in ("digits", "Fashion-MNIST"):
        for where in ("cpu", "cuda"):
            if f"{name} {where}" in values:
                epochs, right, spent = values[f"{name} {where}"]
                rows.append([name, where, f"{epochs}", f"{right:.2f}", f"{spent:.2f}"])
    yield table(["data", "device", "epochs", "test accuracy %", "seconds, last epoch"], rows)
    if figures.errors:
        lines = [f"- {name.removeprefix('job ')}: {why}" for name, why in figures.errors.items()]
        yield "Not measured:\n\n" + "\n".join(lines)


def main() -> None:
    """Run the jobs, then print the tables, and write them if asked to."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--fashion", type=Path, help="the folder of Fashion-MNIST's files")
    parser.add_argument("--write", type=Path, help="put the tables into this page")
    parser.add_argument("--dry", action="store_true", help="tiny, without a GPU: a trial")
    given = parser.parse_args()
    begin, figures = time.monotonic(), Figures()
    options = ["--dry"] if given.dry else []
    options += ["--fashion", str(given.fashion.resolve())] if given.fashion else []
    text = ""
    for job in JOBS:
        run(job, options, LIMIT - (time.monotonic() - begin), figures)
        text = "\n\n".join(report(figures))
        if given.write and "machine" in figures.values:
            write(given.write, "gpu", text)  # after each job, so that nothing is lost
    print(text)
    if "machine" not in figures.values:
        sys.exit("no GPU was measured, and nothing written")


if __name__ == "__main__":
    main()
