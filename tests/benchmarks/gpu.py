"""Times minigrad on a GPU, and prints Markdown tables with the device and the date.

    python tests/benchmarks/gpu.py [--fashion FOLDER] [--write FILE]

It runs unattended in less than five minutes: Adam's step as a share of the bandwidth of a copy; a
large network beside PyTorch; small ones with the number of kernels of a step; accuracy on a GPU and
on the CPU. FOLDER holds the four files of Fashion-MNIST. A part that fails says so in its place.

It has not run on a real device yet. Needs: CuPy, PyTorch with CUDA.
"""

from __future__ import annotations

import argparse
import datetime
import statistics
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

import minigrad as mg
from minigrad import datasets, nn, optim, training

LIMIT = 270.0  # seconds; what is not done by then is left out
START = time.monotonic()


def seconds(call: Callable[[], Any], wait: Callable[[], Any], rounds: int = 7) -> float:
    """Return the median time of a call, of as many in a row as take a tenth of a second."""
    for _ in range(3):
        call()
    wait()
    begin = time.perf_counter()
    call()
    wait()
    repeats = max(1, min(1000, int(0.1 / max(time.perf_counter() - begin, 1e-6))))
    times = []
    for _ in range(rounds):
        begin = time.perf_counter()
        for _ in range(repeats):
            call()
        wait()
        times.append((time.perf_counter() - begin) / repeats)
    return statistics.median(times)


def wait() -> None:
    mg.backend.get("cuda").synchronize()


def table(title: str, heads: list[str], rows: list[list[Any]]) -> Iterator[str]:
    yield f"\n{title}\n"
    yield f"| {' | '.join(heads)} |"
    yield f"|{' --- |' * len(heads)}"
    for row in rows:
        yield f"| {' | '.join(f'{x:.3g}' if isinstance(x, float) else str(x) for x in row)} |"


def machine() -> Iterator[str]:
    import cupy

    device = cupy.cuda.runtime.getDeviceProperties(0)["name"].decode()
    versions = f"CuPy {cupy.__version__}, CUDA {cupy.cuda.runtime.runtimeGetVersion()}"
    yield f"Measured {datetime.date.today()} on {device}, {versions}, NumPy {np.__version__}"


# Adam --------------------------------------------------------------------------------------------


def copy_of(n: int) -> Callable[[], Any]:
    """Return a copy of n float32 numbers on the device."""
    source, target = mg.zeros(n, device="cuda").data, mg.zeros(n, device="cuda").data
    return lambda: mg.backend.get("cuda").copyto(target, source)


def adam() -> Iterator[str]:
    """Adam reads θ, g, m and v and writes θ, m and v: 28 bytes a parameter."""
    import torch

    n = 100_000_000
    copied = seconds(copy_of(n), wait)
    bandwidth = 8 * n / copied
    rows: list[list[Any]] = [["copy", copied * 1e3, bandwidth / 1e9, 100.0]]
    p = mg.zeros(n, device="cuda", requires_grad=True)
    optimizer = optim.Adam([p])
    p.grad = mg.ones(n, device="cuda")
    times = {"minigrad": seconds(optimizer.step, wait)}
    del p, optimizer
    q = torch.zeros(n, device="cuda", requires_grad=True)
    q.grad = torch.ones_like(q)
    for name, keywords in (("PyTorch", {}), ("PyTorch, fused", {"fused": True})):
        theirs = torch.optim.Adam([q], **keywords)
        times[name] = seconds(theirs.step, torch.cuda.synchronize)
    for name, spent in times.items():
        moved = 28 * n / spent
        rows.append([name, spent * 1e3, moved / 1e9, 100 * moved / bandwidth])
    heads = ["Adam, 100 M parameters", "ms", "GB/s", "% of a copy's"]
    yield from table("One step of Adam against the bandwidth of a copy.", heads, rows)


# Networks ----------------------------------------------------------------------------------------

NETWORKS = {"large": ([784, 4096, 4096, 10], 1024), "medium": ([784, 512, 256, 10], 128),
            "tiny": ([64, 32, 10], 32)}  # fmt: skip


def ours(sizes: list[int], batch: int) -> Callable[[], Any]:
    layers: list[nn.Module] = []
    for a, b in pairwise(sizes):
        layers += [nn.Linear(a, b), nn.ReLU()]
    model = nn.Sequential(*layers[:-1]).to("cuda")
    optimizer, loss = optim.Adam(model.parameters()), nn.CrossEntropyLoss()
    x = mg.randn(batch, sizes[0], device="cuda")
    y = mg.tensor(np.arange(batch) % sizes[-1], device="cuda")

    def step() -> None:
        optimizer.zero_grad()
        loss(model(x), y).backward()
        optimizer.step()

    return step


def theirs(sizes: list[int], batch: int) -> Callable[[], Any]:
    import torch

    layers: list[Any] = []
    for a, b in pairwise(sizes):
        layers += [torch.nn.Linear(a, b), torch.nn.ReLU()]
    model = torch.nn.Sequential(*layers[:-1]).cuda()
    optimizer, loss = torch.optim.Adam(model.parameters()), torch.nn.CrossEntropyLoss()
    x = torch.randn(batch, sizes[0], device="cuda")
    y = torch.arange(batch, device="cuda") % sizes[-1]

    def step() -> None:
        optimizer.zero_grad()
        loss(model(x), y).backward()
        optimizer.step()

    return step


def kernels(step: Callable[[], Any]) -> int:
    """Return how many kernels and copies a step launches; PyTorch's profiler sees CuPy's too."""
    import torch
    from torch.profiler import ProfilerActivity, profile

    step()
    torch.cuda.synchronize()
    with profile(activities=[ProfilerActivity.CUDA]) as seen:
        step()
        torch.cuda.synchronize()
    kind = torch.autograd.DeviceType.CUDA
    return sum(event.device_type == kind for event in seen.events())


def networks() -> Iterator[str]:
    import torch

    rows = []
    for name, (sizes, batch) in NETWORKS.items():
        a, b = ours(sizes, batch), theirs(sizes, batch)
        mine, other = seconds(a, wait), seconds(b, torch.cuda.synchronize)
        row = [name, f"{'-'.join(map(str, sizes))}, batch {batch}", mine * 1e6, other * 1e6]
        rows.append([*row, mine / other, kernels(a), kernels(b)])
    with mg.allow_tf32():
        a, sizes = ours(*NETWORKS["large"]), NETWORKS["large"][0]
        rows.append(["large, TF32", "-".join(map(str, sizes)), seconds(a, wait) * 1e6, *[""] * 4])
    heads = ["network", "size", "minigrad µs", "PyTorch µs", "ratio", "kernels", "PyTorch's"]
    yield from table("One step of training, gradient and Adam, float32.", heads, rows)


# Accuracy ----------------------------------------------------------------------------------------


def accuracy(fashion: str | None) -> Iterator[str]:
    rows = []
    sets = [("digits", datasets.digits().split(test=0.2, seed=0), 10)]
    if fashion:
        sets.append(("Fashion-MNIST", datasets.load("fashion-mnist", data_dir=fashion), 3))
    for name, (train, test), epochs in sets:
        for where in ("cpu", "cuda"):
            mg.manual_seed(0)
            width = int(np.prod(train.x.shape[1:]))
            model = nn.Sequential(
                nn.Flatten(), nn.Linear(width, 128), nn.ReLU(), nn.Linear(128, 10)
            ).to(where)
            history = training.fit(
                model, nn.CrossEntropyLoss(), optim.Adam(model.parameters()), train, test,
                epochs=epochs, batch_size=64, seed=0, progress=False,
            )  # fmt: skip
            last = history.rows[-1]
            rows.append([name, where, epochs, 100 * last["test_accuracy"], last["seconds"]])
    heads = ["data", "device", "epochs", "test accuracy %", "seconds"]
    yield from table("The same run on either device.", heads, rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--fashion", help="the folder of Fashion-MNIST's files")
    parser.add_argument("--write", help="a file for the tables")
    given = parser.parse_args()
    lines: list[str] = []
    parts: list[Callable[[], Iterator[str]]] = [
        machine, adam, networks, lambda: accuracy(given.fashion)
    ]  # fmt: skip
    for part in parts:
        if time.monotonic() - START > LIMIT:
            lines.append("\nNo time was left for the rest.")
            break
        try:
            found = list(part())
        except Exception as error:  # unattended: the other parts go on
            found = [f"\nfailed: {type(error).__name__}: {error}"]
        lines += found
        print("\n".join(found), flush=True)
    if given.write:
        Path(given.write).write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
