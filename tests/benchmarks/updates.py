"""Times the optimizers' updates beside PyTorch's, and prints the tables of docs/performance.md.

    python tests/benchmarks/updates.py [--write docs/performance.md] [--quick]

One vector of 10 M parameters, many small tensors, and every first-order method for the bytes that
it moves. Nothing but the step is timed; the gradients are there. Processes, medians and ratios are
those of `run.py`.

Needs: pip install ".[parity,benchmark]"
"""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from run import machine, middle, options, paired, ratio, show, table

LARGE = 10_000_000
MODELS: dict[str, list[tuple[int, ...]]] = {
    "64-32-10": [(32, 64), (32,), (10, 32), (10,)],
    "250 layers 16-16": [(16, 16), (16,)] * 250,
    "250 layers 64-64": [(64, 64), (64,)] * 250,
}


def shapes(model: str) -> list[tuple[int, ...]]:
    """Return the shapes of a model's parameters; of "large", one vector."""
    return [(LARGE,)] if model == "large" else MODELS[model]


def minigrad_update(method: str, model: str, fast: bool) -> Callable[[], object]:
    """Return one step of a method in minigrad, with the compiled loop or without."""
    os.environ["MINIGRAD_FAST"] = str(int(fast))
    import minigrad as mg
    from minigrad import optim

    rng = np.random.default_rng(0)
    parameters = [
        mg.tensor(rng.standard_normal(shape, "float32"), requires_grad=True)
        for shape in shapes(model)
    ]
    optimizer = optim.METHODS[method](parameters)
    for p in parameters:
        p.grad = mg.tensor(rng.standard_normal(p.shape, "float32"))
    return optimizer.step


def torch_update(model: str, **options: Any) -> Callable[[], object]:
    """Return one step of Adam in PyTorch, as `options` say."""
    import torch

    parameters = [torch.randn(shape, requires_grad=True) for shape in shapes(model)]
    for p in parameters:
        p.grad = torch.randn_like(p)
    return torch.optim.Adam(parameters, **options).step


def adam(rounds: int) -> str:
    """Time Adam over 10 M parameters."""
    calls = [f"minigrad_update('adam', 'large', {fast})" for fast in (False, True)]
    calls += [f"torch_update('large'{options})" for options in THEIRS.values()]
    blocks, loop, *theirs = paired(calls, rounds, 5, "updates")
    rows = [
        ["in blocks, NumPy alone", middle(blocks), *[ratio(blocks, x) for x in theirs]],
        ["one compiled loop, Numba", middle(loop), *[ratio(loop, x) for x in theirs]],
        *[
            [f"PyTorch, {name}", middle(x), "", "", ""]
            for name, x in zip(THEIRS, theirs, strict=True)
        ],
    ]
    goals = {"default": "", "foreach": " (blocks ≤ 0.6)", "fused": " (loop ≤ 0.8)"}
    heads = [f"/ {name}{goal}" for name, goal in goals.items()]
    return table([f"Adam, {LARGE:,} float32 parameters", "µs", *heads], rows)


THEIRS = {"default": "", "foreach": ", foreach=True", "fused": ", fused=True"}


def models(rounds: int) -> str:
    """Time Adam over the tensors of small models."""
    rows = []
    for name, parameters in MODELS.items():
        calls = [f"minigrad_update('adam', {name!r}, False)"]
        calls += [f"torch_update({name!r}{options})" for options in THEIRS.values()]
        ours, *theirs = paired(calls, rounds, 200 if len(parameters) < 10 else 20, "updates")
        count = sum(int(np.prod(shape)) for shape in parameters)
        times = [middle(x) for x in (ours, *theirs)]
        ratios = [ratio(ours, x) for x in theirs]
        rows.append([name, str(len(parameters)), f"{count:,}", *times, *ratios])
    head = ["Adam", "tensors", "parameters", "minigrad µs", *[f"PyTorch {x} µs" for x in THEIRS]]
    return table([*head, "/ default (≤ 0.25)", "/ foreach", "/ fused"], rows)


def methods(rounds: int) -> str:
    """Time every first-order method, for each byte of vectors that it reads or writes.

    All in this process, by turns: how fast memory is depends on where a process was given it.
    """
    from minigrad import optim

    moved = {
        name: bytes_moved(method)
        for name, method in optim.METHODS.items()
        if not method.needs_closure
    }
    rows = [[name, str(count)] for name, count in moved.items()]
    for fast in (False, True):
        times = in_turns({name: minigrad_update(name, "large", fast) for name in moved}, rounds)
        costs = {name: [x / count for x in times[name]] for name, count in moved.items()}
        for row in rows:
            row += [middle(times[row[0]]), ratio(costs[row[0]], costs["adam"])]
    head = [f"{LARGE:,} float32 parameters", "bytes a parameter", "in blocks µs"]
    return table([*head, "a byte / Adam's (≤ 1.3)", "Numba µs", "a byte / Adam's (≤ 1.3)"], rows)


def in_turns(steps: dict[str, Callable[[], object]], rounds: int) -> dict[str, list[float]]:
    """Return the times (µs) of each step in the rounds: of three, after three that do not count."""
    times: dict[str, list[float]] = {name: [] for name in steps}
    for _ in range(rounds):
        for name, step in steps.items():
            taken = []
            for _ in range(6):
                start = time.perf_counter()
                step()
                taken.append(time.perf_counter() - start)
            times[name].append(statistics.median(taken[3:]) * 1e6)
    return times


def bytes_moved(method: Any) -> int:
    """Return how many bytes of float32 vectors a step reads and writes for each parameter."""
    import minigrad as mg
    from minigrad import fuse

    optimizer = method([mg.zeros(1, requires_grad=True)])
    formula, numbers = optimizer.formula(optimizer.param_groups[0]), optimizer.clock_start[1:]
    names = ("theta", *optimizer.state_names)
    graph = fuse.trace(
        lambda theta, g, *states: formula(2, theta, g, *states, *numbers),
        ("theta", "g", *optimizer.state_names),
        names,
    ).graph
    return 4 * (len(graph.reads) + len(graph.outputs))


def main() -> None:
    """Run everything and print it."""
    arguments = options(__doc__).parse_args()
    rounds = 3 if arguments.quick else 9
    sections: dict[str, Callable[[], str]] = {
        "updates machine": machine,
        "updates": lambda: adam(rounds),
        "updates of models": lambda: models(rounds),
        "updates by method": lambda: methods(rounds),
    }
    show(sections, arguments.write)


if __name__ == "__main__":
    main()
