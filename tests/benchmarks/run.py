"""Times minigrad beside PyTorch, and prints the tables of docs/performance.md.

    python tests/benchmarks/run.py [--write docs/performance.md] [--quick]

Each library has a process of its own, as it has for its users: in one process the threads of the
one's pool spin on the cores of the other. The two take turns, so that a noisy machine disturbs both
alike; a figure is a median, a ratio the median of the ratios of the rounds.

Needs: pip install ".[parity,benchmark]"
"""

from __future__ import annotations

import argparse
import datetime
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np

NETWORKS = {  # name: (layer sizes, batch, steps in a round)
    "tiny": ((64, 32, 10), 32, 500),
    "medium": ((784, 512, 256, 10), 128, 80),
    "big": ((784, 2048, 2048, 10), 256, 6),
}


def minigrad_step(name: str, train: bool) -> Callable[[], object]:
    """Return one gradient (and, to train, one step of Adam) of a network in minigrad."""
    import minigrad as mg
    from minigrad import nn, optim

    sizes, batch, _ = NETWORKS[name]
    layers = [layer for a, b in pairwise(sizes) for layer in (nn.Linear(a, b), nn.ReLU())]
    model, loss = nn.Sequential(*layers[:-1]), nn.CrossEntropyLoss()
    optimizer = optim.Adam(model.parameters()) if train else None
    rng = np.random.default_rng(0)
    x = mg.tensor(rng.standard_normal((batch, sizes[0])), dtype="float32")
    y = mg.tensor(rng.integers(0, 10, batch))

    def step() -> None:
        model.zero_grad()
        loss(model(x), y).backward()
        if optimizer is not None:
            optimizer.step()

    return step


def torch_step(name: str, train: bool, fused: bool = False) -> Callable[[], object]:
    """Return the same in PyTorch, with the optimizer's default implementation or the fused one."""
    import torch

    sizes, batch, _ = NETWORKS[name]
    layers = [
        layer for a, b in pairwise(sizes) for layer in (torch.nn.Linear(a, b), torch.nn.ReLU())
    ]
    model, loss = torch.nn.Sequential(*layers[:-1]), torch.nn.CrossEntropyLoss()
    options = {"fused": True} if fused else {}
    optimizer = torch.optim.Adam(model.parameters(), **options) if train else None
    x, y = torch.randn(batch, sizes[0]), torch.randint(0, 10, (batch,))

    def step() -> None:
        model.zero_grad()
        loss(model(x), y).backward()
        if optimizer is not None:
            optimizer.step()

    return step


WORKER = """
import statistics, sys, time
sys.path[:0] = [{root!r}, {here!r}]
import run

step = run.{call}
for _ in sys.stdin:
    times = []
    for _ in range({steps} + 3):
        start = time.perf_counter()
        step()
        times.append(time.perf_counter() - start)
    print(statistics.median(times[3:]), flush=True)
"""


def paired(ours: str, theirs: str, rounds: int, steps: int) -> list[float]:
    """Return our median time, their median time (µs), and the median ratio of the rounds.

    `ours` and `theirs` are the calls, in this file's names, that make the step to be timed. In a
    round each of the two processes makes `steps` steps while the other sleeps.
    """
    workers = [
        subprocess.Popen(
            [sys.executable, "-c", code(WORKER, call=call, steps=steps)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for call in (ours, theirs)
    ]
    medians = []
    for _ in range(rounds):
        pair = []
        for worker in workers:
            assert worker.stdin
            assert worker.stdout
            print(file=worker.stdin, flush=True)
            pair.append(float(worker.stdout.readline()))
            time.sleep(0.05)  # the threads of a pool spin for a while after their last work
        medians.append(pair)
    for worker in workers:
        worker.communicate()
    a, b = (statistics.median(column) * 1e6 for column in zip(*medians, strict=True))
    return [a, b, statistics.median(x / y for x, y in medians)]


def code(template: str, **values: object) -> str:
    """Fill in the code of another process."""
    here = Path(__file__).resolve().parent
    return template.format(root=str(here.parents[1]), here=str(here), **values)


def table(head: list[str], rows: list[list[str]]) -> str:
    """Return a Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def mlps(rounds: int) -> str:
    """Time the three networks: gradient alone, and with Adam's step."""
    rows = []
    cases = [("gradient", False, False, {"tiny": 0.8, "medium": 1.0, "big": 1.0})]
    cases.append(("gradient + Adam", True, False, {"tiny": 0.6, "medium": 0.85, "big": 0.85}))
    cases.append(("gradient + Adam, PyTorch fused", True, True, {}))
    for what, train, fused, goals in cases:
        for name, (sizes, batch, steps) in NETWORKS.items():
            ours = f"minigrad_step({name!r}, {train})"
            theirs = f"torch_step({name!r}, {train}, {fused})"
            figures = paired(ours, theirs, rounds, steps)
            size = "-".join(map(str, sizes)) + f", batch {batch}"
            goal = f"≤ {goals[name]}" if name in goals else ""
            cells = [f"{figures[0]:,.0f}", f"{figures[1]:,.0f}", f"{figures[2]:.2f}", goal]
            rows.append([what, name, size, *cells])
    return table(
        ["one step", "network", "size", "minigrad µs", "PyTorch µs", "ratio", "goal"], rows
    )


MEMORY = """
import sys
from pathlib import Path
sys.path[:0] = [{root!r}, {here!r}]
import run

def kilobytes(field):
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(field))

step = run.{library}_step("big", True)
Path("/proc/self/clear_refs").write_text("5")  # the peak starts anew, at what is resident now
before = kilobytes("VmRSS")
for _ in range(8):
    step()
print(kilobytes("VmHWM") - before)
"""


def memory() -> str:
    """Measure what eight training steps of the big network add to the resident memory's peak.

    The model is there before, the gradients and the optimizer's state are not. Linux only.
    """
    rows = []
    for library in ("minigrad", "torch"):
        measure = [sys.executable, "-c", code(MEMORY, library=library)]
        runs = [int(subprocess.check_output(measure)) for _ in range(3)]
        rows.append([library, f"{statistics.median(runs) / 1024:.0f}"])
    return table(["big network, gradient + Adam", "peak growth, MiB"], rows)


def imports() -> str:
    """Measure `import minigrad` beyond `import numpy`, in fresh processes, taking turns."""
    root = str(Path(__file__).parents[2])

    def seconds(code: str) -> float:
        start = time.perf_counter()
        subprocess.run([sys.executable, "-c", code], check=True, cwd=root)
        return time.perf_counter() - start

    everything = "import numpy, minigrad; from minigrad import nn, optim, datasets, training"
    codes = ["import numpy", "import numpy, minigrad", everything]
    times = [[seconds(code) for code in codes] for _ in range(11)]
    base, core, whole = (statistics.median(column) * 1000 for column in zip(*times, strict=True))
    rows = [
        ["import minigrad", f"{core - base:.0f}"],
        ["… and nn, optim, datasets, training", f"{whole - base:.0f}"],
    ]
    return table(["beyond import numpy", "ms"], rows)


def machine() -> str:
    """Say what ran, where and when."""
    import torch
    from threadpoolctl import threadpool_info

    blas = next((i for i in threadpool_info() if i["user_api"] == "blas"), {})
    model = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        names = [
            line.split(":")[1].strip()
            for line in cpuinfo.read_text().splitlines()
            if "model name" in line
        ]
        model = f"{names[0]}, {len(names)} cores" if names else model
    kernels = (
        f"{blas.get('internal_api')} {blas.get('version')}, {blas.get('architecture')} kernels"
    )
    return (
        f"{datetime.date.today()}, {model}, Python {platform.python_version()}, "
        f"NumPy {np.__version__} ({kernels}, {blas.get('num_threads')} threads), "
        f"PyTorch {torch.__version__} ({torch.get_num_threads()} threads)"
    )


def write(path: Path, section: str, text: str) -> None:
    """Replace what stands between the markers of a section."""
    page = path.read_text()
    start, end = f"<!-- begin {section} -->", f"<!-- end {section} -->"
    before, rest = page.split(start)
    after = rest.split(end)[1]
    path.write_text(f"{before}{start}\n\n{text}\n\n{end}{after}")


def main() -> None:
    """Run everything and print it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--write", type=Path, help="put the tables into this page")
    parser.add_argument("--quick", action="store_true", help="fewer rounds")
    arguments = parser.parse_args()
    sections = {
        "machine": machine(),
        "mlps": mlps(3 if arguments.quick else 15),
        "memory": memory(),
        "imports": imports(),
    }
    for section, text in sections.items():
        print(text, end="\n\n")
        if arguments.write:
            write(arguments.write, section, text)


if __name__ == "__main__":
    main()
