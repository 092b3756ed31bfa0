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
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from by_hand import NETWORKS

WORKER = """
import statistics, sys, time
sys.path[:0] = [{root!r}, {here!r}]
from {module} import *

step = {call}
for _ in sys.stdin:
    times = []
    for _ in range({steps} + 3):
        start = time.{clock}()
        step()
        times.append(time.{clock}() - start)
    print(statistics.median(times[3:]) * 1e6, flush=True)
"""


def paired(
    calls: list[str],
    rounds: int,
    steps: int,
    module: str = "steps",
    environment: dict[str, str] | None = None,
    clock: str = "perf_counter",
) -> list[list[float]]:
    """Return, for each call, its times (µs) in the rounds.

    The calls, functions of a module in this folder, make the step to be timed. In a round each of
    their processes makes `steps` steps while the others sleep. `environment` is added to theirs;
    `clock` is a function of Python's module time.
    """
    workers = [
        subprocess.Popen(
            [
                sys.executable,
                "-c",
                code(WORKER, module=module, call=call, steps=steps, clock=clock),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | (environment or {}),
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
    """Time the three networks as they come: gradient alone, and with Adam's step."""
    rows = []
    goals = {"gradient": (0.8, 1.0, 1.0), "gradient + Adam": (0.6, 0.85, 0.85)}
    for what, limits in goals.items():
        train = what != "gradient"
        for (name, (_, _, steps)), goal in zip(NETWORKS.items(), limits, strict=True):
            calls = [f"minigrad_step({name!r}, {train})", f"torch_step({name!r}, {train})"]
            calls.append(f"numpy_step({name!r}, {'blocks' if train else ''!r})")
            calls += [f"torch_step({name!r}, True, True)"] if train else []
            ours, theirs, hand, *fused = paired(calls, rounds, steps, environment=PLAIN)
            figures = [middle(ours), middle(hand), middle(theirs), *map(middle, fused)]
            figures += [""] * (1 - len(fused))
            figures += [ratio(hand, theirs), ratio(ours, theirs), f"≤ {goal}"]
            rows.append([what, name, size(name), *figures])
    head = ["one step", "network", "size", "minigrad µs", "NumPy by hand µs", "PyTorch µs"]
    head += ["PyTorch fused µs", "by hand / PyTorch", "minigrad / PyTorch", "goal"]
    return table(head, rows)


def remedies(rounds: int) -> str:
    """Time gradient and Adam's step with all that a user can do for speed, for every library."""
    rows = []
    for name, (_, _, steps) in NETWORKS.items():
        calls = [f"minigrad_step({name!r}, True)", f"torch_step({name!r}, True)"]
        calls += [f"torch_step({name!r}, True, True)", f"jax_step({name!r}, True)"]
        calls += [f"numpy_step({name!r}, 'compiled')"]
        ours, default, fused, jax, hand = paired(calls, rounds, steps, environment=tuned())
        best = min(default, fused, key=statistics.median)
        times = [middle(x) for x in (ours, hand, best, jax)]
        rows.append([name, *times, ratio(ours, best), ratio(ours, jax), ratio(ours, hand)])
    head = ["network", "minigrad µs", "NumPy by hand µs", "PyTorch's best µs", "JAX jit + optax µs"]
    head += ["minigrad / PyTorch (≤ 0.7)", "minigrad / JAX (≤ 1.3)", "minigrad / by hand"]
    return table(head, rows)


PLAIN = {"MINIGRAD_FAST": "0"}  # without the compiled loop, also where Numba is installed


def tuned() -> dict[str, str]:
    """Return the environment with the remedies: of allocator, kernels and threads."""
    thresholds = {"MALLOC_MMAP_THRESHOLD_": str(1 << 30), "MALLOC_TRIM_THRESHOLD_": str(1 << 31)}
    thresholds["OPENBLAS_THREAD_TIMEOUT"] = "22"
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists() and " avx512f " in cpuinfo.read_text():
        thresholds["OPENBLAS_CORETYPE"] = "SkylakeX"
    return thresholds


def size(name: str) -> str:
    """Return the layers and the batch of a network in words."""
    sizes, batch, _ = NETWORKS[name]
    return "-".join(map(str, sizes)) + f", batch {batch}"


def products(rounds: int, environment: dict[str, str] | None = None) -> str:
    """Time Hessian-vector products of the three networks beside the gradient and PyTorch's."""
    rows = []
    for name, (_, _, steps) in NETWORKS.items():
        gradient, once, again, theirs, hand, hand_gradient = paired(
            [
                f"minigrad_step({name!r}, False)",
                f"minigrad_hvp({name!r})",
                f"minigrad_hvp({name!r}, True)",
                f"torch_hvp({name!r})",
                f"numpy_hvp({name!r})",
                f"numpy_step({name!r})",
            ],
            rounds,
            max(steps // 2, 1),
            environment=environment,
        )
        times = [middle(x) for x in (gradient, once, again, hand, theirs)]
        ratios = [ratio(once, gradient), ratio(hand, hand_gradient), ratio(again, gradient)]
        ratios += [ratio(once, theirs), ratio(hand, theirs), ratio(again, theirs)]
        rows.append([name, *times, *ratios])
    head = ["network", "gradient µs", "product µs", "one more µs", "by hand µs", "PyTorch µs"]
    head += ["product / gradient (≤ 2.2)", "the same by hand", "one more / gradient"]
    head += ["product / PyTorch (≤ 0.7)", "by hand / PyTorch", "one more / PyTorch"]
    return table(head, rows)


def hessians(rounds: int) -> str:
    """Time the exact Hessian of a small network."""
    rows = []
    for what, environment in {"as they come": None, "with the remedies": tuned()}.items():
        calls = ["minigrad_hessian()", "torch_hessian()"]
        ours, theirs = paired(calls, rounds, 10, environment=environment)
        rows.append([what, middle(ours), middle(theirs), ratio(ours, theirs)])
    head = ["16-20-8, 508 parameters, 64 cases", "minigrad µs", "PyTorch µs", "ratio (≤ 1)"]
    return table(head, rows)


MEMORY = """
import sys
from pathlib import Path
sys.path[:0] = [{root!r}, {here!r}]
from steps import *

def kilobytes(field):
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(field))

step = {call}
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
    runs = [int(subprocess.check_output(measure, env=os.environ | PLAIN)) for _ in range(3)]
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


def options(description: str | None) -> argparse.ArgumentParser:
    """Return the options that the scripts of this folder share."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--write", type=Path, help="put the tables into this page")
    parser.add_argument("--quick", action="store_true", help="fewer rounds")
    return parser


def show(sections: dict[str, Callable[[], str]], page: Path | None) -> None:
    """Print what each section is made of, and put it into the page."""
    for section, make in sections.items():
        text = make()
        print(text, end="\n\n", flush=True)
        if page:
            write(page, section, text)


def main() -> None:
    """Run everything and print it."""
    arguments = options(__doc__).parse_args()
    rounds = 3 if arguments.quick else 15
    sections: dict[str, Callable[[], str]] = {
        "machine": machine,
        "mlps": lambda: mlps(rounds),
        "remedies": lambda: remedies(rounds),
        "products": lambda: products(rounds),
        "products with remedies": lambda: products(rounds, tuned()),
        "hessians": lambda: hessians(rounds),
        "memory": memory,
        "imports": imports,
    }
    show(sections, arguments.write)


if __name__ == "__main__":
    main()
