"""Small problems in the plane, points of two or more classes, made from a seed.

Each function returns a Dataset of n float32 points (x of shape (n, 2), near the square [-1, 1]² but
for blobs) whose classes are as equal in number as n allows, in shuffled order. `noise` is the
standard deviation of the normal noise added to each coordinate.
"""

from __future__ import annotations

import math
from typing import Any

from minigrad import backend
from minigrad.backend import Array
from minigrad.datasets.dataset import Dataset, DatasetError
from minigrad.legal import finite, integer


def blobs(n: int = 1000, classes: int = 3, noise: float = 0.3, seed: int = 0) -> Dataset:
    """Return normal clouds around centres spaced evenly on the unit circle."""
    xp, generator, y = _start("blobs", n, classes, noise, seed)
    angle = 2 * math.pi * y / classes
    return _finish("blobs", xp.cos(angle), xp.sin(angle), y, classes, noise, generator)


def spirals(
    n: int = 1000, classes: int = 2, noise: float = 0.03, seed: int = 0, turns: float = 1.5
) -> Dataset:
    """Return one arm of a spiral for each class, winding `turns` times out to radius 1."""
    xp, generator, y = _start("spirals", n, classes, noise, seed)
    radius = 0.05 + 0.95 * xp.sqrt(generator.random(n))
    angle = 2 * math.pi * (turns * radius + y / classes)
    return _finish(
        "spirals", radius * xp.cos(angle), radius * xp.sin(angle), y, classes, noise, generator
    )


def moons(n: int = 1000, noise: float = 0.1, seed: int = 0) -> Dataset:
    """Return two half circles that reach into one another."""
    xp, generator, y = _start("moons", n, 2, noise, seed)
    angle = math.pi * (generator.random(n) + y)
    shift = y - 0.5
    a, b = xp.cos(angle) + shift, xp.sin(angle) + shift * 0.5
    return _finish("moons", a / 1.5, b / 1.5, y, 2, noise, generator)


def circles(n: int = 1000, noise: float = 0.05, seed: int = 0, factor: float = 0.5) -> Dataset:
    """Return two circles around the origin, of radius 1 and, the second class, `factor`."""
    xp, generator, y = _start("circles", n, 2, noise, seed)
    if not 0 < factor < 1:
        raise DatasetError(
            f"circles: factor={factor!r}; legal is a number strictly between 0 and 1"
        )
    radius = xp.where(y == 0, 1.0, factor)
    angle = 2 * math.pi * generator.random(n)
    return _finish(
        "circles", radius * xp.cos(angle), radius * xp.sin(angle), y, 2, noise, generator
    )


def xor(n: int = 1000, noise: float = 0.0, seed: int = 0) -> Dataset:
    """Return points of the square [-1, 1]²; the class says whether their signs differ."""
    return _squares("xor", n, noise, seed, 2)


def checkerboard(n: int = 1000, noise: float = 0.0, seed: int = 0, squares: int = 4) -> Dataset:
    """Return points of the square [-1, 1]²; the class is the colour on a board `squares` wide."""
    squares = integer("checkerboard: squares", squares, 2, DatasetError)
    return _squares("checkerboard", n, noise, seed, squares)


def _squares(name: str, n: int, noise: float, seed: int, squares: int) -> Dataset:
    """Draw a field of the class's colour, then a point within it: the classes come out equal."""
    _, generator, y = _start(name, n, 2, noise, seed)
    row = generator.integers(squares, size=n)
    # The fields of colour y in this row; where the side is odd, one more of one colour.
    first = (row + y) % 2
    column = first + 2 * generator.integers((squares - first + 1) // 2)
    a, b = column + generator.random(n), row + generator.random(n)
    return _finish(name, a * 2 / squares - 1, b * 2 / squares - 1, y, 2, noise, generator)


def _start(name: str, n: int, classes: int, noise: float, seed: int) -> tuple[Any, Any, Array]:
    """Check the arguments and return the backend, a generator and the shuffled classes."""
    integer(f"{name}: classes", classes, 2, DatasetError)
    integer(f"{name}: n", n, classes, DatasetError, such=", a point a class")
    finite(f"{name}: noise", noise, DatasetError)
    integer(f"{name}: seed", seed, 0, DatasetError)
    xp = backend.get("cpu")
    generator = xp.generator(seed)
    return xp, generator, generator.permutation(xp.arange(n) % classes)


def _finish(
    name: str, a: Array, b: Array, y: Array, classes: int, noise: float, generator: Any
) -> Dataset:
    x = backend.get("cpu").stack([a, b], 1)
    x = x + noise * generator.standard_normal(x.shape)
    return Dataset(x.astype("float32"), y, tuple(map(str, range(classes))), name)
