"""What the remedies gain on this machine: short programs, with and without, in processes.

All choose for a whole process, and one of them before NumPy is loaded, so none can be tried in the
process that asks.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable

from minigrad.machine import kernels, spinning

LIMIT = 3.0  # seconds that one process may take; six may run

_BEGIN = """
import statistics, sys, time
sys.path[:] = {path!r}
def median(step, count):
    times = []
    for _ in range(count):
        start = time.perf_counter()
        step()
        times.append(time.perf_counter() - start)
    return statistics.median(times[count // 4:])
"""
_PRODUCT = """
import numpy
a = numpy.full((768, 768), 0.5, numpy.float32)
print(median(lambda: a @ a, 40))
"""
# The network is the one that docs/performance.md calls medium.
_CURVATURE = """
import minigrad as mg
from minigrad import nn
from minigrad.machine import allocator
if {tuned}:
    allocator.keep()
mg.manual_seed(0)
model = nn.Sequential(nn.Linear(784, 512), nn.ReLU(), nn.Linear(512, 256), nn.ReLU(),
                      nn.Linear(256, 10))
x, y, loss = mg.randn(128, 784), mg.arange(128) % 10, nn.CrossEntropyLoss()
parameters = list(model.parameters())
vectors = [mg.randn(*p.shape) for p in parameters]
def step():
    mg.curvature.Curvature(loss(model(x), y), parameters, keep=False).hvp(vectors)
print(median(step, 40))
"""
# So many parameters are shared among threads (`minigrad.fuse.threads`).
_UPDATE = """
import minigrad as mg
from minigrad import nn, optim
matrix, vector = mg.full((768, 768), 0.5), nn.Parameter(mg.zeros(1 << 22))
vector.grad = mg.ones(1 << 22)
adam = optim.Adam([vector])
def step():
    matrix @ matrix
    adam.step()
print(median(step, 12))
"""


def of_kernels(choice: str) -> str:
    """Say what other kernels gain in a product of two matrices."""
    return _gain(
        "a product of 768 × 768 matrices",
        lambda: _seconds(_PRODUCT, {}),
        lambda: _seconds(_PRODUCT, {kernels.VARIABLE: choice}),
    )


def of_allocator() -> str:
    """Say what it gains in a Hessian-vector product that the allocator keeps its memory."""
    return _gain(
        "a Hessian-vector product of a network 784-512-256-10",
        lambda: _seconds(_CURVATURE.format(tuned=False), {}),
        lambda: _seconds(_CURVATURE.format(tuned=True), {}),
    )


def of_threads() -> str:
    """Say what it gains in an update after a product that the BLAS's threads leave their cores."""
    return _gain(
        "a product of matrices, and Adam of 4,194,304 parameters",
        lambda: _seconds(_UPDATE, {}),
        lambda: _seconds(_UPDATE, {spinning.VARIABLE: str(spinning.SHORT)}),
    )


def _gain(what: str, without: Callable[[], float], remedied: Callable[[], float]) -> str:
    """Return both times and their ratio in words, or why there are none."""
    try:
        before, after = without(), remedied()
    except (OSError, RuntimeError, ValueError) as error:
        return f"not measured: {error}"
    times = f"{what}: {before * 1e3:.2f} ms → {after * 1e3:.2f} ms"
    return f"{times}, {before / after:.1f} times as fast" if after < before else f"{times}, none"


def _seconds(code: str, variables: dict[str, str]) -> float:
    """Return what a program prints: the median time of its step.

    Raises RuntimeError if it fails or takes too long.
    """
    begin = _BEGIN.format(path=sys.path)
    try:
        done = subprocess.run(
            [sys.executable, "-c", begin + code],
            env={**os.environ, **variables},
            capture_output=True,
            text=True,
            timeout=LIMIT,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise RuntimeError(f"the measurement took more than {LIMIT:g} s") from None
    if done.returncode:
        last = done.stderr.strip().splitlines()[-1:] or [f"exit status {done.returncode}"]
        raise RuntimeError(f"the measurement failed ({last[0]})")
    return float(done.stdout)
