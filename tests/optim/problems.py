"""Problems of J. J. Moré, B. S. Garbow and K. E. Hillstrom, "Testing unconstrained optimization
software", ACM Transactions on Mathematical Software 7 (1981), 17–41, from its formulas.

Each minimizes a sum of squares, with the paper's start and the minima that it publishes. Chosen are
those of one scale or of two; a problem is a row of `PROBLEMS`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

import minigrad as mg


@dataclass(frozen=True, eq=False)
class Problem:
    """A sum of squares of `residuals`, where to start, and the minima that are published."""

    name: str
    residuals: Callable[[Any], Any]
    start: Any
    minima: tuple[float, ...]  # the global one first; the others are local

    def __call__(self, x: Any) -> Any:
        """Return Σ fᵢ(x)²."""
        r = self.residuals(x)
        r = mg.stack(list(r)) if isinstance(r, (list, tuple)) else r
        return (r * r).sum()


def rosenbrock(x):
    odd, even = x[0::2], x[1::2]
    return mg.concatenate([10 * (even - odd**2), 1 - odd])


def freudenstein_roth(x):
    a, b = x
    return [-13 + a + ((5 - b) * b - 2) * b, -29 + a + ((b + 1) * b - 14) * b]


def powell_badly_scaled(x):
    return [1e4 * x[0] * x[1] - 1, mg.exp(-x[0]) + mg.exp(-x[1]) - 1.0001]


def brown_badly_scaled(x):
    return [x[0] - 1e6, x[1] - 2e-6, x[0] * x[1] - 2]


def beale(x):
    return [y - x[0] * (1 - x[1] ** i) for i, y in enumerate([1.5, 2.25, 2.625], 1)]


def jennrich_sampson(x):
    i = np.arange(1.0, 11)
    return 2 + 2 * i - (mg.exp(i * x[0]) + mg.exp(i * x[1]))


def helical_valley(x):
    turn = mg.arctan(x[1] / x[0]) / (2 * math.pi) + (0.5 if x[0].item() < 0 else 0.0)
    return [10 * (x[2] - 10 * turn), 10 * (mg.sqrt(x[0] ** 2 + x[1] ** 2) - 1), x[2]]


def bard(x):
    y = np.array(
        [0.14, 0.18, 0.22, 0.25, 0.29, 0.32, 0.35, 0.39, 0.37, 0.58, 0.73, 0.96, 1.34, 2.10, 4.39]
    )
    u = np.arange(1.0, 16)
    v = 16 - u
    return y - (x[0] + u / (v * x[1] + np.minimum(u, v) * x[2]))


def gaussian(x):
    half = [0.0009, 0.0044, 0.0175, 0.0540, 0.1295, 0.2420, 0.3521, 0.3989]
    y = np.array(half + half[-2::-1])
    t = (8 - np.arange(1.0, 16)) / 2
    return x[0] * mg.exp(-x[1] * (t - x[2]) ** 2 / 2) - y


def gulf(x):
    """In the published formula yᵢ·m·i·x₂ is a misprint for yᵢ − x₂."""
    t = np.arange(1, 100) / 100
    y = 25 + (-50 * np.log(t)) ** (2 / 3)
    return mg.exp(-(mg.abs(y - x[1]) ** x[2]) / x[0]) - t


def box(x):
    t = 0.1 * np.arange(1, 11)
    return mg.exp(-t * x[0]) - mg.exp(-t * x[1]) - x[2] * (np.exp(-t) - np.exp(-10 * t))


def powell_singular(x):
    a, b, c, d = x[0::4], x[1::4], x[2::4], x[3::4]
    parts = [a + 10 * b, 5**0.5 * (c - d), (b - 2 * c) ** 2, 10**0.5 * (a - d) ** 2]
    return mg.concatenate(parts)


def wood(x):
    a, b, c, d = x
    return [
        10 * (b - a**2), 1 - a, 90**0.5 * (d - c**2), 1 - c, 10**0.5 * (b + d - 2),
        (b - d) / 10**0.5,
    ]  # fmt: skip


def kowalik_osborne(x):
    y = np.array(
        [0.1957, 0.1947, 0.1735, 0.16, 0.0844, 0.0627, 0.0456, 0.0342, 0.0323, 0.0235, 0.0246]
    )
    u = np.array([4, 2, 1, 0.5, 0.25, 0.167, 0.125, 0.1, 0.0833, 0.0714, 0.0625])
    return y - x[0] * (u**2 + u * x[1]) / (u**2 + u * x[2] + x[3])


def brown_dennis(x):
    t = np.arange(1, 21) / 5
    return (x[0] + t * x[1] - np.exp(t)) ** 2 + (x[2] + x[3] * np.sin(t) - np.cos(t)) ** 2


def biggs_exp6(x):
    t = 0.1 * np.arange(1, 14)
    y = np.exp(-t) - 5 * np.exp(-10 * t) + 3 * np.exp(-4 * t)
    model = x[2] * mg.exp(-t * x[0]) - x[3] * mg.exp(-t * x[1]) + x[5] * mg.exp(-t * x[4])
    return model - y


def watson(x):
    t = (np.arange(1, 30) / 29)[:, None]
    j = np.arange(1.0, x.size + 1)
    slope = (j[1:] - 1) * t ** (j[1:] - 2)
    first = slope @ x[1:] - (t ** (j - 1) @ x) ** 2 - 1
    return mg.concatenate([first, x[0:1], x[1:2] - x[0:1] ** 2 - 1])


def penalty(x):
    return mg.concatenate([1e-5**0.5 * (x - 1), (x**2).sum().reshape(1) - 0.25])


def variably_dimensioned(x):
    total = (np.arange(1.0, x.size + 1) * (x - 1)).sum().reshape(1)
    return mg.concatenate([x - 1, total, total**2])


def trigonometric(x):
    i = np.arange(1.0, x.size + 1)
    return x.size - mg.cos(x).sum() + i * (1 - mg.cos(x)) - mg.sin(x)


def brown_almost_linear(x):
    sums = x[:-1] + x.sum() - (x.size + 1)
    return mg.concatenate([sums, x.prod().reshape(1) - 1])


def _neighbours(x):
    zero = np.zeros(1)
    return mg.concatenate([zero, x[:-1]]), mg.concatenate([x[1:], zero])


def boundary_value(x):
    h = 1 / (x.size + 1)
    before, after = _neighbours(x)
    t = h * np.arange(1, x.size + 1)
    return 2 * x - before - after + h**2 * (x + t + 1) ** 3 / 2


def broyden_tridiagonal(x):
    before, after = _neighbours(x)
    return (3 - 2 * x) * x - before - 2 * after + 1


def chebyquad(x):
    """Means of Chebyshev polynomials shifted to [0, 1], against their integrals."""
    below, here, rows = 1.0, 2 * x - 1, []
    for i in range(1, x.size + 1):
        rows.append(here.mean() + (1 / (i * i - 1) if i % 2 == 0 else 0.0))
        below, here = here, 2 * (2 * x - 1) * here - below
    return rows


def _boundary_start(n):
    t = np.arange(1, n + 1) / (n + 1)
    return t * (t - 1)


PROBLEMS = [
    Problem("rosenbrock", rosenbrock, [-1.2, 1.0], (0.0,)),
    Problem("rosenbrock-100", rosenbrock, [-1.2, 1.0] * 50, (0.0,)),
    Problem("freudenstein-roth", freudenstein_roth, [0.5, -2.0], (0.0, 48.9842)),
    Problem("powell-badly-scaled", powell_badly_scaled, [0.0, 1.0], (0.0,)),
    Problem("brown-badly-scaled", brown_badly_scaled, [1.0, 1.0], (0.0,)),
    Problem("beale", beale, [1.0, 1.0], (0.0,)),
    Problem("jennrich-sampson", jennrich_sampson, [0.3, 0.4], (124.362,)),
    Problem("helical-valley", helical_valley, [-1.0, 0.0, 0.0], (0.0,)),
    Problem("bard", bard, [1.0, 1.0, 1.0], (8.21487e-3, 17.4286)),
    Problem("gaussian", gaussian, [0.4, 1.0, 0.0], (1.12793e-8,)),
    Problem("gulf", gulf, [5.0, 2.5, 0.15], (0.0,)),
    Problem("box", box, [0.0, 10.0, 20.0], (0.0,)),
    Problem("powell-singular", powell_singular, [3.0, -1.0, 0.0, 1.0], (0.0,)),
    Problem("powell-singular-40", powell_singular, [3.0, -1.0, 0.0, 1.0] * 10, (0.0,)),
    Problem("wood", wood, [-3.0, -1.0, -3.0, -1.0], (0.0,)),
    Problem("kowalik-osborne", kowalik_osborne, [0.25, 0.39, 0.415, 0.39], (3.07505e-4,)),
    Problem("brown-dennis", brown_dennis, [25.0, 5.0, -5.0, -1.0], (85822.2,)),
    Problem("biggs-exp6", biggs_exp6, [1.0, 2.0, 1.0, 1.0, 1.0, 1.0], (0.0, 5.65565e-3)),
    Problem("watson-6", watson, [0.0] * 6, (2.28767e-3,)),
    Problem("watson-9", watson, [0.0] * 9, (1.39976e-6,)),
    Problem("penalty-4", penalty, [1.0, 2.0, 3.0, 4.0], (2.24997e-5,)),
    Problem("penalty-10", penalty, list(range(1, 11)), (7.08765e-5,)),
    Problem("variably-dimensioned", variably_dimensioned, 1 - np.arange(1, 11) / 10, (0.0,)),
    Problem("trigonometric", trigonometric, [0.1] * 10, (0.0, 2.79506e-5)),
    Problem("brown-almost-linear", brown_almost_linear, [0.5] * 10, (0.0, 1.0)),
    Problem("boundary-value", boundary_value, _boundary_start(10), (0.0,)),
    Problem("broyden-tridiagonal", broyden_tridiagonal, [-1.0] * 10, (0.0,)),
    Problem("chebyquad-8", chebyquad, np.arange(1, 9) / 9, (3.51687e-3,)),
]
