"""Surfaces: functions of two variables with known minima, on which methods are compared.

Each stands here once, with its minima, its usual domain, where to start, and its source. Not here:
the race of methods on them (`race.py`), its picture and animation (`race_figure.py`).
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from minigrad import ops

Point = tuple[float, float]


@dataclass(frozen=True)
class Surface:
    """A function f(x, y) with what is known of it.

    - ``name``, and ``formula`` as text;
    - ``function``: f of two tensors of one shape, elementwise, by minigrad's operations;
    - ``minima``: all points of the domain with the least value, and ``minimum``, that value;
    - ``domain``: the least and the greatest x, the least and the greatest y that a picture shows;
    - ``start``: where a race starts;
    - ``source``: who published it;
    - ``residuals``: the functions whose squares' sum it is, for Gauss–Newton methods, if there are.
    """

    name: str
    formula: str
    function: Callable[[Any, Any], Any]
    minima: Sequence[Point]
    minimum: float
    domain: tuple[float, float, float, float]
    start: Point
    source: str
    residuals: Callable[[Any, Any], Sequence[Any]] | None = None

    def __call__(self, x: Any, y: Any) -> Any:
        """Return f(x, y), elementwise."""
        return self.function(x, y)


def _squares(residuals: Callable[[Any, Any], Sequence[Any]]) -> dict[str, Any]:
    """Return the fields of a sum of squares, for which only the residuals are stated."""
    return {"residuals": residuals, "function": lambda x, y: sum(r * r for r in residuals(x, y))}


def _ackley(x: Any, y: Any) -> Any:
    distance = ops.norm(ops.stack([x, y]), axis=0)  # whose derivative at 0 is 0, not NaN
    waves = (ops.cos(2 * math.pi * x) + ops.cos(2 * math.pi * y)) / 2
    return 20 - 20 * ops.exp(-0.2 / math.sqrt(2) * distance) + math.e - ops.exp(waves)


def _rastrigin(x: Any, y: Any) -> Any:
    waves = ops.cos(2 * math.pi * x) + ops.cos(2 * math.pi * y)
    return 20 + x * x + y * y - 10 * waves


_MORE = 'J. Moré, B. Garbow, K. Hillstrom, "Testing unconstrained optimization software", 1981'

_ALL = [
    Surface(
        name="rosenbrock",
        formula="(1 − x)² + 100 (y − x²)²",
        **_squares(lambda x, y: [1 - x, 10 * (y - x * x)]),
        minima=[(1.0, 1.0)],
        minimum=0.0,
        domain=(-2.0, 2.0, -1.0, 3.0),
        start=(-1.2, 1.0),
        source=f"H. Rosenbrock, 1960; problem 1 of {_MORE}",
    ),
    Surface(
        name="beale",
        formula="(1.5 − x + xy)² + (2.25 − x + xy²)² + (2.625 − x + xy³)²",
        **_squares(lambda x, y: [a - x * (1 - y**i) for i, a in enumerate((1.5, 2.25, 2.625), 1)]),
        minima=[(3.0, 0.5)],
        minimum=0.0,
        domain=(-0.5, 4.5, -2.0, 2.0),
        start=(1.0, 1.0),
        source=f"E. Beale, 1958; problem 5 of {_MORE}",
    ),
    Surface(
        name="himmelblau",
        formula="(x² + y − 11)² + (x + y² − 7)²",
        **_squares(lambda x, y: [x * x + y - 11, x + y * y - 7]),
        minima=[
            (3.0, 2.0),
            (-2.805118086952745, 3.131312518250573),
            (-3.779310253377747, -3.283185991286170),
            (3.584428340330492, -1.848126526964404),
        ],
        minimum=0.0,
        domain=(-5.0, 5.0, -5.0, 5.0),
        start=(-0.5, -1.0),  # beside the maximum between the four minima
        source='D. Himmelblau, "Applied Nonlinear Programming", 1972',
    ),
    Surface(
        name="saddle",
        formula="x² − y² + y⁴/4",
        function=lambda x, y: x * x - y * y + y**4 / 4,
        minima=[(0.0, math.sqrt(2)), (0.0, -math.sqrt(2))],
        minimum=-1.0,
        domain=(-1.4, 1.4, -2.0, 2.0),
        start=(1.0, 1e-3),  # from where the gradient leads to the saddle, the origin, first
        source="the simplest polynomial with a saddle between two minima",
    ),
    Surface(
        name="ravine",
        formula="(x² + 100 y²)/2",
        function=lambda x, y: (x * x + 100 * y * y) / 2,
        minima=[(0.0, 0.0)],
        minimum=0.0,
        domain=(-11.0, 4.0, -3.0, 3.0),
        start=(-10.0, 1.0),
        source='a quadratic of condition 100; R. Sutton, "Two problems with backpropagation", '
        "1986, on ravines",
    ),
    Surface(
        name="rastrigin",
        formula="20 + x² + y² − 10 (cos 2πx + cos 2πy)",
        function=_rastrigin,
        minima=[(0.0, 0.0)],
        minimum=0.0,
        domain=(-5.12, 5.12, -5.12, 5.12),
        start=(-3.3, 2.4),
        source='L. Rastrigin, "Systems of Extremal Control", 1974',
    ),
    Surface(
        name="ackley",
        formula="20 + e − 20 exp(−0.2 √((x² + y²)/2)) − exp((cos 2πx + cos 2πy)/2)",
        function=_ackley,
        minima=[(0.0, 0.0)],
        minimum=0.0,
        domain=(-5.0, 5.0, -5.0, 5.0),
        start=(-3.3, 2.4),
        source='D. Ackley, "A Connectionist Machine for Genetic Hillclimbing", 1987',
    ),
]

#: The surfaces of a race, by name.
SURFACES: dict[str, Surface] = {surface.name: surface for surface in _ALL}


def surface_of(surface: str | Surface) -> Surface:
    """Return the surface of a name; raises ValueError for a name that is none."""
    if isinstance(surface, Surface):
        return surface
    if not isinstance(surface, str) or surface.lower() not in SURFACES:
        near = difflib.get_close_matches(str(surface).lower(), SURFACES, 1)
        advice = f"; try {near[0]!r}" if near else ""
        raise ValueError(
            f"no surface {surface!r}; there are {', '.join(SURFACES)}, or a viz.Surface of your "
            f"own{advice}"
        )
    return SURFACES[surface.lower()]
