"""The decision regions of a classifier of points in the plane, with the points."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from minigrad import backend, ops
from minigrad.backend import Array
from minigrad.creation import linspace
from minigrad.legal import finite, integer
from minigrad.tensor import Tensor, tensor
from minigrad.viz.figure import GREY, figure, plain, style, style_axes
from minigrad.viz.intact import intact
from minigrad.viz.picture import Picture


@dataclass(repr=False)
class Decision(Picture):
    """What a classifier says on a grid of the plane; `viz.decision` makes it.

    - ``x`` (m,), ``y`` (n,): the grid; ``probabilities`` (n, m, classes): what the model gives
      each class there; ``classes`` (n, m): the likeliest;
    - ``points`` (N, 2), ``labels`` (N,), ``predicted`` (N,): the data, and the model's classes;
    - ``names`` of the classes.

    Arrays are NumPy's.
    """

    x: Array
    y: Array
    probabilities: Array
    classes: Array
    points: Array
    labels: Array
    predicted: Array
    names: Sequence[str]

    @property
    def accuracy(self) -> float:
        """The share of the points whose class is right."""
        return float((self.labels == self.predicted).mean())

    def figure(self, title: str = "") -> Any:
        """Return the regions, paler where the model is less sure, and the points, by class.

        A black ring is around each point that is classified wrongly.
        """
        paper = figure("decision regions", 6.4, 5.4)
        axes = paper.add_subplot(1, 1, 1)
        _draw_regions(axes, self)
        _draw_points(axes, self)
        style_axes(axes, "first feature")
        axes.grid(visible=False)
        axes.set_ylabel("second feature", color=GREY)
        axes.set_aspect("equal")
        axes.set_xlim(self.x[0], self.x[-1])
        axes.set_ylim(self.y[0], self.y[-1])
        axes.set_title(title or f"accuracy {self.accuracy:.1%}", fontsize=11, loc="left")
        paper.legend(loc="outside right upper", frameon=False)
        return paper


def decision(
    model: Callable[[Tensor], Tensor],
    x: Any,
    y: Any,
    *,
    size: int = 201,
    margin: float = 0.1,
    names: Sequence[str] | None = None,
) -> Decision:
    """Return the decision regions of a classifier of points in the plane.

    - `model`: a module or function from points (N, 2) to logits (N, classes), or to one logit a
      point, (N, 1) or (N,), of class 1 against class 0;
    - `x` (N, 2), `y` (N,): the points, finite, and their classes, integers from 0, as tensors,
      arrays or lists: ``train.x`` and ``train.y`` of `datasets.spirals()`, say. The model gets
      points in their dtype, or in float32 where that is no floating one;
    - `size`: of the grid along each side; `margin`: how far it goes beyond the points, in parts of
      their range;
    - `names`: of the classes; their numbers if not given.

    A module is run in evaluation mode and without recording, and is afterwards as before.

    Raises ValueError for points that are not in the plane or not finite, for labels that are no
    integers or no classes of the model, and for arguments that are not legal.
    """
    size = integer("size", size, 2, such=", such as 201")
    margin = finite("margin", margin, such=", such as 0.1")
    points, labels = (v if isinstance(v, Tensor) else tensor(v) for v in (x, y))
    if points.ndim != 2 or points.shape[1] != 2 or not len(points):
        raise ValueError(f"x has shape {points.shape}; legal is (N, 2), points in the plane")
    if labels.shape != (len(points),):
        raise ValueError(f"y has shape {labels.shape}; legal is ({len(points)},), a class a point")
    host = backend.cpu.array(points.numpy(), dtype="float64")
    whole = backend.cpu.isfinite(host).all(axis=1)
    if not bool(whole.all()):
        raise ValueError(f"x is not finite in row {int(whole.argmin())}; leave such points out")
    known = _classes(labels.numpy())
    if points.dtype.kind != "f":
        points = points.astype("float32")  # between integers there is a grid, too
    lows, highs = host.min(axis=0), host.max(axis=0)
    spare = margin * (highs - lows) + (highs == lows)
    sides = [
        linspace(float(low), float(high), size, dtype="float64").numpy()
        for low, high in zip(lows - spare, highs + spare, strict=True)
    ]
    across, up = backend.cpu.meshgrid(*sides)
    grid = backend.cpu.stack([across.reshape(-1), up.reshape(-1)], 1)
    grid = Tensor.of(backend.moved(grid.astype(points.dtype), points.device))
    with intact(model):
        probabilities = _probabilities(model(grid), len(grid))
        predicted = _probabilities(model(points.detach()), len(points)).argmax(axis=1)
    outputs = probabilities.shape[1]
    if int(known.min()) < 0 or int(known.max()) >= outputs:
        raise ValueError(
            f"y has the classes {known.min()} to {known.max()}, and the model {outputs} outputs; "
            f"legal are classes from 0 to {outputs - 1}"
        )
    names = [str(i) for i in range(outputs)] if names is None else list(names)
    if len(names) != outputs:
        raise ValueError(f"{len(names)} names for {outputs} classes; give one for each")
    probabilities = probabilities.reshape(size, size, outputs)
    classes = probabilities.argmax(axis=2)
    first, second = sides
    return Decision(first, second, probabilities, classes, host, known, predicted, names)


def _classes(labels: Array) -> Array:
    """Return labels as int64; ValueError where one is no integer."""
    whole = backend.cpu.isfinite(labels)
    whole[whole] = labels[whole] % 1 == 0
    if not bool(whole.all()):
        first = int(whole.argmin())
        raise ValueError(
            f"y[{first}] is {labels[first]}; legal are integers, the classes' numbers from 0"
        )
    return labels.astype("int64")


def _probabilities(logits: Tensor, count: int) -> Array:
    """Return (N, classes) from logits, or from one logit a point; in host memory."""
    if logits.shape in ((count,), (count, 1)):
        one = ops.sigmoid(logits.reshape(count).astype("float64"))
        found = ops.stack([1 - one, one], 1)
    elif logits.ndim == 2 and logits.shape[0] == count:
        found = ops.softmax(logits.astype("float64"), -1)
    else:
        raise ValueError(
            f"the model returned shape {logits.shape} for {count} points; legal is ({count}, "
            f"classes), or ({count}, 1) for one logit a point"
        )
    return found.numpy()


def _draw_regions(axes: Any, found: Decision) -> None:
    """Paint each class's region in its color, the fainter the less sure, and draw the borders."""
    from matplotlib.colors import to_rgb

    xp = backend.cpu
    count = len(found.names)
    hues = xp.asarray([to_rgb(style(i)["color"]) for i in range(count)])
    sure = found.probabilities.max(axis=2)
    # From white, where all classes are as likely, to a third of the color.
    strength = (sure - 1 / count) / (1 - 1 / count) * 0.32
    image = 1 - strength[..., None] * (1 - hues[found.classes])
    x, y = found.x, found.y
    edges = (x[0], x[-1], y[0], y[-1])
    axes.imshow(image, extent=edges, origin="lower", aspect="auto", interpolation="bilinear")
    for i in range(count if count > 2 else 1):
        others = xp.delete(found.probabilities, i, axis=2).max(axis=2)
        lead = found.probabilities[..., i] - others
        if float(lead.min()) < 0 < float(lead.max()):
            axes.contour(x, y, lead, levels=[0], colors="#444444", linewidths=1.1)


def _draw_points(axes: Any, found: Decision) -> None:
    """Draw the points of each class with a marker of their own, and ring those that are wrong."""
    for i, name in enumerate(found.names):
        look = style(i)
        mine = found.points[found.labels == i]
        axes.plot(
            *mine.T, look["marker"], color=look["color"], ms=5, mec="white", mew=0.6,
            label=plain(f"class {name}"),
        )  # fmt: skip
    wrong = found.points[found.labels != found.predicted]
    if len(wrong):
        axes.plot(*wrong.T, "o", ms=9, mfc="none", mec="black", mew=1.2, label="wrong")
