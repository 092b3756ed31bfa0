"""The landscape: a model's loss over two directions around its parameters, and paths through it.

Not here: the directions (`directions.py`), the picture (`landscape_figure.py`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from minigrad import backend
from minigrad.backend import Array
from minigrad.legal import count, number
from minigrad.tensor import Tensor
from minigrad.viz.directions import (
    NORMALIZATIONS,
    Trajectory,
    coordinates,
    explained_variance,
    flat,
    given,
    parts_of,
    principal_directions,
    random_direction,
)
from minigrad.viz.intact import intact, parameters_of
from minigrad.viz.picture import Picture


@dataclass
class PlanePath:
    """A trajectory seen from the plane: ``points`` (T, 2), the nearest of the plane, and ``losses``
    (T,), those of the trajectory's own points, which may lie off it.
    """

    points: Array
    losses: Array


@dataclass(repr=False)
class Landscape(Picture):
    """A loss over a plane of parameters; `viz.landscape` makes it.

    - ``x`` (m,), ``y`` (n,): the steps a along the first direction and b along the second;
      ``losses`` (n, m): the loss at center + a d₁ + b d₂; not finite where it is not;
    - ``directions`` (2, size), ``center`` (size,): flat vectors; ``loss``: that at the center;
    - ``paths``: a `PlanePath` by label; ``explained``: which parts of the variance of all their
      points lie along the first direction and along what the second adds, or None without paths;
    - ``kind``: "random", "trajectory" or "given"; ``normalize``: that of random directions;
      ``training``: whether the model was in training mode, None where only parameters were given
      and its mode is not known.

    Arrays are NumPy's, in float64.
    """

    x: Array
    y: Array
    losses: Array
    directions: Array
    center: Array
    loss: float
    kind: str
    normalize: str
    training: bool | None
    paths: dict[str, PlanePath]
    explained: tuple[float, float] | None

    def figure(self, kind: str = "contour", title: str = "") -> Any:
        """Return the loss as levels ("contour") or as a surface in perspective ("surface")."""
        from minigrad.viz.landscape_figure import draw

        return draw(self, kind, title)


def landscape(
    loss: Callable[[], Any],
    model: Any,
    directions: str | Sequence[Any] | None = None,
    *,
    paths: Trajectory | Mapping[str, Trajectory] | None = None,
    size: int = 25,
    span: float | None = None,
    normalize: str = "filter",
    training: bool = False,
    seed: int = 0,
) -> Landscape:
    """Return the loss over two directions around a model's parameters.

    - `loss`: a function of nothing that computes the loss from the model, as an optimizer's closure
      does: a Tensor of one element, or the pair of it and the outputs;
    - `model`: the module; or an iterable of the parameters to vary, whose modules are not known:
      their modes are not changed, and buffers stay as the loss leaves them (in training mode batch
      norm's running estimates go on);
    - `directions`: "random"; "trajectory", the two principal directions of all points of `paths`,
      which is the default if there are paths; or two vectors of your own, flat or as lists of parts
      like the parameters (eigenvectors of the Hessian, say);
    - `paths`: a `viz.Trajectory`, or several by label, to be drawn as they are seen from the plane;
    - `size`: points along each side, odd, so that the center is one of a symmetric grid;
    - `span`: the grid goes from −span to span along both directions; 1 if not given, or as far as
      the paths need;
    - `normalize`: of random directions: "filter" (Li et al. 2018: each filter as long as the
      model's own, biases and norms' vectors fixed), "layer", or "none" (length 1, all parameters);
    - `training`: the model is in evaluation mode unless this is True. In evaluation mode batch norm
      uses its running estimates, which are those of the center: far from it the loss is higher
      than that of a network trained there. In training mode it uses the batch's, and dropout draws
      the same mask at every point;
    - `seed`: of the random directions; `mg.random` is left as it is.

    The loss is computed size² times, and once for each point of a path, without recording. The
    parameters and random numbers, and a module's buffers and modes, are afterwards as before, bit
    for bit, also after an error or Ctrl-C.

    Raises ValueError for arguments that are not legal, TypeError for a loss that is no number.
    """
    if not count(size) or size < 3 or size % 2 == 0:
        raise ValueError(f"size={size!r}; legal is an odd integer from 3, such as 25")
    if span is not None and not (number(span) and 0 < span < math.inf):
        raise ValueError(f"span={span!r}; legal is a finite number above 0, such as 1.0")
    module = hasattr(model, "modules")
    if training and not module:
        raise ValueError(
            "training=True is for a module, and given are parameters, whose modules are not known; "
            "give the module"
        )
    tensors = parameters_of(model)
    if not (paths is None or isinstance(paths, (Trajectory, Mapping))):
        raise TypeError(
            f"paths is a {type(paths).__name__}; give a viz.Trajectory, or a mapping from labels "
            "to several"
        )
    labelled = {"": paths} if isinstance(paths, Trajectory) else paths or {}
    trajectories = {str(label): path for label, path in labelled.items()}
    center = flat(tensors).astype("float64")
    points = {label: _stacked(label, t, center.size) for label, t in trajectories.items()}
    whole = backend.cpu.concatenate([*points.values(), center[None][:0]])
    kind, axes = _directions(directions, tensors, whole, normalize, seed)
    seen = {label: coordinates(p, center, axes) for label, p in points.items()}
    x, y = _grid(list(seen.values()), span, size)

    first, second = (parts_of(axis, tensors) for axis in axes)
    start = [tensor.data for tensor in tensors]
    with intact(model if module else tensors, training) as rewind:

        def at(arrays: Sequence[Array]) -> float:
            for tensor, array in zip(tensors, arrays, strict=True):
                tensor.data = array
            rewind()
            with backend.cpu.errstate(all="ignore"):  # far away it may overflow, and is infinite
                return _number(loss())

        def point(a: float, b: float) -> list[Array]:
            found = []
            for c, u, v in zip(start, first, second, strict=True):
                backend.of((c,))  # which makes its device the current one
                found.append(c + a * u + b * v)
            return found

        here = at(start)
        losses = [[at(point(a, b)) for a in x] for b in y]
        along = {label: [at(parts_of(p, tensors)) for p in ps] for label, ps in points.items()}
    as_array = backend.cpu.asarray
    found = {label: PlanePath(seen[label], as_array(along[label])) for label in points}
    explained = explained_variance(whole, axes) if len(whole) else None
    return Landscape(
        as_array(x), as_array(y), as_array(losses), axes, center, here, kind, normalize,
        training if module else None, found, explained,
    )  # fmt: skip


def _stacked(label: str, path: Any, size: int) -> Array:
    """Return the points of a trajectory as rows in float64."""
    if not isinstance(path, Trajectory):
        raise TypeError(
            f"path {label!r} is a {type(path).__name__}; give a viz.Trajectory(model), whose "
            "record() is called after each step"
        )
    if not path.points:
        raise ValueError(f"path {label!r} has no points; call its record() while training")
    points = backend.cpu.stack(path.points).astype("float64")
    if points.shape[1] != size:
        raise ValueError(
            f"path {label!r} has points of {points.shape[1]} parameters, and the model has {size}; "
            "record a path of this model"
        )
    finite = backend.cpu.isfinite(points).all(axis=1)
    if not bool(finite.all()):
        first = int(finite.argmin())
        raise ValueError(
            f"path {label!r} is not finite from point {first} on, where training diverged; keep "
            f"what is before: del path.points[{first}:]"
        )
    return points


def _directions(
    directions: Any, tensors: list[Tensor], points: Array, normalize: str, seed: int
) -> tuple[str, Array]:
    """Return the kind of the directions, and them as rows."""
    if normalize not in NORMALIZATIONS:
        legal = ", ".join(map(repr, NORMALIZATIONS))
        raise ValueError(f"normalize={normalize!r}; legal is one of {legal}")
    if directions is None:
        directions = "trajectory" if len(points) else "random"
    xp, size = backend.cpu, sum(tensor.size for tensor in tensors)
    if isinstance(directions, str) and directions == "random":
        generator = xp.generator(seed)
        return "random", xp.stack([random_direction(tensors, normalize, generator) for _ in "xy"])
    if isinstance(directions, str) and directions == "trajectory":
        return "trajectory", principal_directions(points)
    if isinstance(directions, str) or not hasattr(directions, "__len__") or len(directions) != 2:
        raise ValueError(
            f"directions={directions!r}; legal is 'random', 'trajectory', or two vectors"
        )
    axes = xp.stack([given(direction, size) for direction in directions])
    units = axes / xp.abs(axes).max(axis=1, keepdims=True)  # whose squares do not underflow
    units /= xp.sqrt((units * units).sum(axis=1, keepdims=True))
    if abs(float(units[0] @ units[1])) > 1 - 1e-9:
        raise ValueError("the two directions are one; give two that span a plane")
    return "given", axes


def _grid(paths: list[Array], span: float | None, size: int) -> tuple[list[float], list[float]]:
    """Return the steps along both directions: symmetric, or around the paths and the center."""
    if not paths or span is not None:
        reach = 1.0 if span is None else span
        steps = [reach * (2 * i - (size - 1)) / (size - 1) for i in range(size)]
        return steps, steps
    seen = backend.cpu.concatenate([*paths, backend.cpu.zeros((1, 2))])
    lows, highs = seen.min(axis=0).tolist(), seen.max(axis=0).tolist()
    widest = max(high - low for low, high in zip(lows, highs, strict=True)) or 1.0
    sides = []
    for low, high in zip(lows, highs, strict=True):
        # A fifth more on both sides, and no side less than a third of the other.
        width = max(1.4 * (high - low), widest / 3)
        middle = (low + high) / 2
        sides.append([middle + width * (i / (size - 1) - 0.5) for i in range(size)])
    return sides[0], sides[1]


def _number(value: Any) -> float:
    """Return the loss that a closure gave as a number."""
    value = value[0] if isinstance(value, tuple) and value else value
    if isinstance(value, Tensor) and value.size == 1:
        return float(value.data.item())
    if isinstance(value, (int, float)):
        return float(value)
    given = f"shape {value.shape}" if isinstance(value, Tensor) else type(value).__name__
    raise TypeError(
        f"the loss function returned {given}; it takes no argument and returns a Tensor of one "
        "element, such as lambda: loss_fn(model(x), y)"
    )
