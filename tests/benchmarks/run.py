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
from typing import Any

import numpy as np

NETWORKS = {  # name: (layer sizes, batch, steps in a round)
    "tiny": ((64, 32, 10), 32, 500),
    "medium": ((784, 512, 256, 10), 128, 80),
    "big": ((784, 2048, 2048, 10), 256, 6),
}


def network(nn: Any, name: str) -> Any:
    """Return a network, of minigrad's modules or of PyTorch's."""
    pairs = pairwise(NETWORKS[name][0])
    layers = [layer for a, b in pairs for layer in (nn.Linear(a, b), nn.ReLU())]
    return nn.Sequential(*layers[:-1])


def minigrad_batch(name: str) -> tuple[Any, Any]:
    """Return inputs and classes for a network in minigrad."""
    import minigrad as mg

    sizes, batch, _ = NETWORKS[name]
    return mg.randn(batch, sizes[0]), mg.tensor(np.arange(batch) % sizes[-1])


def torch_batch(name: str) -> tuple[Any, Any]:
    """Return inputs and classes for a network in PyTorch."""
    import torch

    sizes, batch, _ = NETWORKS[name]
    return torch.randn(batch, sizes[0]), torch.arange(batch) % sizes[-1]


def minigrad_step(name: str, train: bool) -> Callable[[], object]:
    """Return one gradient (and, to train, one step of Adam) of a network in minigrad."""
    from minigrad import nn, optim

    model, (x, y), loss = network(nn, name), minigrad_batch(name), nn.CrossEntropyLoss()
    optimizer = optim.Adam(model.parameters()) if train else None

    def step() -> None:
        model.zero_grad()
        loss(model(x), y).backward()
        if optimizer is not None:
            optimizer.step()

    return step


def torch_step(name: str, train: bool, fused: bool = False) -> Callable[[], object]:
    """Return the same in PyTorch, with the optimizer's default implementation or the fused one."""
    import torch

    model, (x, y), loss = network(torch.nn, name), torch_batch(name), torch.nn.CrossEntropyLoss()
    options = {"fused": True} if fused else {}
    optimizer = torch.optim.Adam(model.parameters(), **options) if train else None

    def step() -> None:
        model.zero_grad()
        loss(model(x), y).backward()
        if optimizer is not None:
            optimizer.step()

    return step


def minigrad_hvp(name: str, kept: bool = False) -> Callable[[], object]:
    """Return one Hessian-vector product of a network; with `kept`, one more at the same point."""
    import minigrad as mg
    from minigrad import nn

    model, (x, y), loss = network(nn, name), minigrad_batch(name), nn.CrossEntropyLoss()
    parameters = list(model.parameters())
    vectors = [mg.randn(*p.shape) for p in parameters]
    curvature = mg.curvature.Curvature(loss(model(x), y), parameters)

    def once() -> None:
        mg.curvature.Curvature(loss(model(x), y), parameters, keep=False).hvp(vectors)

    return (lambda: curvature.hvp(vectors)) if kept else once


def torch_hvp(name: str) -> Callable[[], object]:
    """Return the same in PyTorch, by its faster way: the gradient's graph differentiated."""
    import torch

    model, (x, y), loss = network(torch.nn, name), torch_batch(name), torch.nn.CrossEntropyLoss()
    parameters = list(model.parameters())
    vectors = [torch.randn_like(p) for p in parameters]

    def step() -> None:
        first = torch.autograd.grad(loss(model(x), y), parameters, create_graph=True)
        torch.autograd.grad(first, parameters, vectors)

    return step


def minigrad_hessian() -> Callable[[], object]:
    """Return the exact Hessian of a network of 508 parameters, 64 cases."""
    import minigrad as mg
    from minigrad import nn

    model = nn.Sequential(nn.Linear(16, 20), nn.Tanh(), nn.Linear(20, 8))
    x, y = mg.randn(64, 16), mg.tensor(np.arange(64) % 8)
    loss, parameters = nn.CrossEntropyLoss(), list(model.parameters())
    return lambda: mg.curvature.Curvature(loss(model(x), y), parameters).hessian()


def torch_hessian() -> Callable[[], object]:
    """Return the same in PyTorch, by its fastest way: torch.func, all columns at once."""
    import torch

    model = torch.nn.Sequential(torch.nn.Linear(16, 20), torch.nn.Tanh(), torch.nn.Linear(20, 8))
    x, y = torch.randn(64, 16), torch.arange(64) % 8
    shapes = {name: p.shape for name, p in model.named_parameters()}
    flat = torch.cat([p.detach().reshape(-1) for p in model.parameters()])

    def loss(v: torch.Tensor) -> torch.Tensor:
        parts = torch.split(v, [shape.numel() for shape in shapes.values()])
        state = {name: part.view(shapes[name]) for name, part in zip(shapes, parts, strict=True)}
        logits = torch.func.functional_call(model, state, (x,))
        return torch.nn.functional.cross_entropy(logits, y)

    return lambda: torch.func.hessian(loss)(flat)


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
    print(statistics.median(times[3:]) * 1e6, flush=True)
"""


def paired(calls: list[str], rounds: int, steps: int) -> list[list[float]]:
    """Return, for each call, its times (µs) in the rounds.

    The calls, in this file's names, make the step to be timed. In a round each of their processes
    makes `steps` steps while the others sleep.
    """
    workers = [
        subprocess.Popen(
            [sys.executable, "-c", code(WORKER, call=call, steps=steps)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for call in calls
    ]
    times: list[list[float]] = [[] for _ in workers]
    for _ in range(rounds):
        for worker, column in zip(workers, times, strict=True):
            assert worker.stdin
            assert worker.stdout
            print(file=worker.stdin, flush=True)
            column.append(float(worker.stdout.readline()))
            time.sleep(0.05)  # the threads of a pool spin for a while after their last work
    for worker in workers:
        worker.communicate()
    return times


def ratio(a: list[float], b: list[float]) -> str:
    """Return the median of the ratios of the rounds."""
    return f"{statistics.median(x / y for x, y in zip(a, b, strict=True)):.2f}"


def middle(times: list[float]) -> str:
    """Return the median time."""
    return f"{statistics.median(times):,.0f}"


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
        for name, (_, _, steps) in NETWORKS.items():
            calls = [f"minigrad_step({name!r}, {train})", f"torch_step({name!r}, {train}, {fused})"]
            ours, theirs = paired(calls, rounds, steps)
            goal = f"≤ {goals[name]}" if name in goals else ""
            figures = [middle(ours), middle(theirs), ratio(ours, theirs), goal]
            rows.append([what, name, size(name), *figures])
    return table(
        ["one step", "network", "size", "minigrad µs", "PyTorch µs", "ratio", "goal"], rows
    )


def size(name: str) -> str:
    """Return the layers and the batch of a network in words."""
    sizes, batch, _ = NETWORKS[name]
    return "-".join(map(str, sizes)) + f", batch {batch}"


def products(rounds: int) -> str:
    """Time Hessian-vector products of the three networks beside the gradient and PyTorch's."""
    rows = []
    for name, (_, _, steps) in NETWORKS.items():
        gradient, once, again, theirs = paired(
            [
                f"minigrad_step({name!r}, False)",
                f"minigrad_hvp({name!r})",
                f"minigrad_hvp({name!r}, True)",
                f"torch_hvp({name!r})",
            ],
            rounds,
            max(steps // 2, 1),
        )
        times = [middle(x) for x in (gradient, once, again, theirs)]
        ratios = [ratio(once, gradient), ratio(again, gradient), ratio(once, theirs)]
        rows.append([name, *times, *ratios, ratio(again, theirs)])
    head = ["network", "gradient µs", "product µs", "one more µs", "PyTorch µs"]
    ratios = ["product / gradient (≤ 2.2)", "one more / gradient", "product / PyTorch (≤ 0.7)"]
    return table([*head, *ratios, "one more / PyTorch"], rows)


def hessians(rounds: int) -> str:
    """Time the exact Hessian of a small network."""
    ours, theirs = paired(["minigrad_hessian()", "torch_hessian()"], rounds, 10)
    head = ["Hessian of 508 parameters", "minigrad µs", "PyTorch µs", "ratio (≤ 1)"]
    return table(head, [["16-20-8, 64 cases", middle(ours), middle(theirs), ratio(ours, theirs)]])


MEMORY = """
import sys
from pathlib import Path
sys.path[:0] = [{root!r}, {here!r}]
import run

def kilobytes(field):
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(field))

step = run.{call}
Path("/proc/self/clear_refs").write_text("5")  # the peak starts anew, at what is resident now
before = kilobytes("VmRSS")
for _ in range(8):
    step()
print(kilobytes("VmHWM") - before)
"""


def memory() -> str:
    """Measure what eight steps of the big network add to the resident memory's peak.

    The model is there before; gradients, products and the optimizer's state are not. Linux only.
    """
    cases = {
        "training step": ("minigrad_step('big', True)", "torch_step('big', True)"),
        "gradient": ("minigrad_step('big', False)", "torch_step('big', False)"),
        "Hessian-vector product": ("minigrad_hvp('big')", "torch_hvp('big')"),
    }
    rows = [[what, *map(growth, calls)] for what, calls in cases.items()]
    return table(["peak growth, MiB", "minigrad", "PyTorch"], rows)


def growth(call: str) -> str:
    """Return the growth of the peak, the median of three processes."""
    measure = [sys.executable, "-c", code(MEMORY, call=call)]
    runs = [int(subprocess.check_output(measure)) for _ in range(3)]
    return f"{statistics.median(runs) / 1024:.0f}"


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
    rounds = 3 if arguments.quick else 15
    sections = {
        "machine": machine(),
        "mlps": mlps(rounds),
        "products": products(rounds),
        "hessians": hessians(rounds),
        "memory": memory(),
        "imports": imports(),
    }
    for section, text in sections.items():
        print(text, end="\n\n")
        if arguments.write:
            write(arguments.write, section, text)


if __name__ == "__main__":
    main()
