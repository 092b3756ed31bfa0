"""Two directions to look along from a model's parameters, as flat vectors.

A flat vector has the parameters one after the other, each row by row. Not here: the losses along
the directions (`landscape.py`), their picture (`landscape_figure.py`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from minigrad import backend
from minigrad.backend import Array
from minigrad.tensor import Tensor, tensor
from minigrad.viz.intact import parameters_of

NORMALIZATIONS = ("filter", "layer", "none")


class Trajectory:
    """The way of a model's parameters: the point where it starts, and each that is recorded.

    >>> path = viz.Trajectory(model)
    >>> for x, y in loader:
    ...     ...
    ...     optimizer.step()
    ...     path.record()

    `model` is a module or an iterable of parameters. ``points`` is the list of flat vectors, copies
    in host memory in the parameters' order, each row by row.
    """

    def __init__(self, model: Any) -> None:
        self._parameters = parameters_of(model)
        self.points: list[Array] = []
        self.record()

    def record(self) -> None:
        """Add a copy of the present parameters."""
        self.points.append(flat(self._parameters))

    def __len__(self) -> int:
        return len(self.points)


def flat(tensors: Sequence[Tensor]) -> Array:
    """Return a copy of tensors as one vector in host memory."""
    return backend.cpu.concatenate([parameter.numpy().reshape(-1) for parameter in tensors])


def parts_of(vector: Array, tensors: Sequence[Tensor]) -> list[Array]:
    """Return a flat vector as arrays like the tensors, where these live; of integers in float32."""
    parts, start = [], 0
    for parameter in tensors:
        part = vector[start : start + parameter.size].reshape(parameter.shape)
        dtype = parameter.dtype if parameter.dtype.kind == "f" else "float32"
        parts.append(backend.moved(part.astype(dtype), parameter.device))
        start += parameter.size
    return parts


def given(direction: Any, size: int) -> Array:
    """Return a direction of the user's, a flat vector or a list of parts, as a flat vector."""
    parts = direction if isinstance(direction, (list, tuple)) else [direction]
    vector = flat(
        [part if isinstance(part, Tensor) else tensor(part, dtype="float64") for part in parts]
    )
    vector = vector.astype("float64")
    if vector.shape != (size,):
        raise ValueError(
            f"a direction of {vector.size} elements for {size} parameters; give a flat vector, or "
            "a list of parts like the parameters"
        )
    if not bool(backend.cpu.isfinite(vector).all()):
        raise ValueError("a direction is not finite; give finite numbers")
    if not float(backend.cpu.abs(vector).max()) > 0:
        raise ValueError("a direction is 0 everywhere; nothing would change along it")
    return vector


def random_direction(tensors: Sequence[Tensor], normalize: str, generator: Any) -> Array:
    """Return a normal random direction, normalized.

    - "filter": each filter d of a weight, one row of its first axis, becomes d‖θ‖/‖d‖ with the
      parameters' filter θ; vectors, as biases and norms have, stay 0 (Li, Xu, Taylor, Studer and
      Goldstein 2018, section 4, and their program);
    - "layer": the same with a whole weight for a filter;
    - "none": the direction has length 1.
    """
    xp = backend.cpu
    parts = []
    for parameter in tensors:
        d = generator.standard_normal(parameter.shape)
        if normalize != "none":
            theta = parameter.numpy().astype("float64")
            axes = tuple(range(1 if normalize == "filter" else 0, d.ndim))
            if d.ndim < 2:
                d = xp.zeros(d.shape)
            else:
                d *= _norms(theta, axes) / _norms(d, axes)
        parts.append(d.reshape(-1))
    vector = xp.concatenate(parts)
    length = math.sqrt(xp.sum_of_squares(vector))
    if not length:
        raise ValueError(
            f"normalize={normalize!r} moves matrices and filters only, and of these there are none "
            "that are not 0; use normalize='none'"
        )
    return vector if normalize != "none" else vector / length


def _norms(array: Array, axes: tuple[int, ...]) -> Array:
    return backend.cpu.sqrt((array * array).sum(axis=axes, keepdims=True))


def principal_directions(points: Array) -> Array:
    """Return the two directions of largest variance of points (rows), of length 1, as rows.

    The right singular vectors of the points less their mean; their largest component is positive.
    """
    if len(points) < 3:
        raise ValueError(
            f"principal directions need three points or more, and the paths have {len(points)}; "
            "record more of them"
        )
    vectors = backend.cpu.linalg.svd(points - points.mean(axis=0), full_matrices=False)[2][:2]
    largest = backend.cpu.abs(vectors).argmax(axis=1)
    return vectors * backend.cpu.sign(vectors[[0, 1], largest])[:, None]


def explained_variance(points: Array, directions: Array) -> tuple[float, float]:
    """Return which parts of the points' variance lie along the first, and along what the second
    adds to it.
    """
    xp = backend.cpu
    away = points - points.mean(axis=0)
    axes = xp.linalg.qr(directions.T)[0]
    total = float((away * away).sum())
    first, second = ((away @ axes) ** 2).sum(axis=0).tolist()
    return (first / total, second / total) if total else (0.0, 0.0)


def coordinates(points: Array, center: Array, directions: Array) -> Array:
    """Return (a, b) of the plane's point center + a d₁ + b d₂ nearest to each point, as rows."""
    return backend.cpu.linalg.lstsq(directions.T, (points - center).T, rcond=None)[0].T
