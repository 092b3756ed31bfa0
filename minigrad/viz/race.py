"""The race: optimizers on a surface from one start, each with the best rate of one small grid.

What is found is data: paths, values, what was spent. Not here: the surfaces (`surfaces.py`), the
picture and the animation (`race_figure.py`).
"""

from __future__ import annotations

import difflib
import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from minigrad import backend, ops
from minigrad.legal import finite, integer, number
from minigrad.mode import no_grad
from minigrad.optim import METHODS, Optimizer
from minigrad.tensor import Tensor, tensor
from minigrad.viz.picture import Picture
from minigrad.viz.surfaces import SURFACES, Point, Surface, surface_of

Factory = Callable[[list[Tensor], float], Optimizer]  # of the parameters and the learning rate

#: Two a decade: the same small budget for every method.
RATES = (1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 0.1, 0.3, 1.0, 3.0, 10.0)


@dataclass
class Run:
    """One method's way down: a point, its value and what had been spent, for the start and each
    step.

    ``evaluations`` counts calls of f, with its gradient or without; ``products`` those of its
    Hessian with a vector. ``end`` says why the run ended: "arrived", "spent" (its budget),
    "diverged" or "stuck" (the method found no further step).
    """

    method: str
    lr: float
    points: list[Point] = field(default_factory=list)
    values: list[float] = field(default_factory=list)
    evaluations: list[int] = field(default_factory=list)
    products: list[int] = field(default_factory=list)
    end: str = "spent"

    @property
    def costs(self) -> list[int]:
        """What had been spent at each point: evaluations, a product counted as two."""
        return [n + 2 * m for n, m in zip(self.evaluations, self.products, strict=True)]

    @property
    def steps(self) -> int:
        """The number of steps."""
        return len(self.points) - 1

    @property
    def arrived(self) -> bool:
        """Whether it came within the race's tolerance of the minimum."""
        return self.end == "arrived"

    @property
    def rank(self) -> tuple[bool, float]:
        """What runs are compared by: who arrives for less, or else ends lower; the least is best.

        One that diverged comes last.
        """
        if self.arrived:
            return False, self.costs[-1]
        return True, math.inf if self.end == "diverged" else self.values[-1]


@dataclass(repr=False)
class Race(Picture):
    """Runs of several methods on a surface; `viz.race` makes it.

    - ``runs``: the `Run` of each method at the rate chosen for it, by its label;
    - ``trials``: by label, the runs at every rate of the grid ``rates``;
    - ``budget``: a run ends with the step that reaches it, in evaluations of f;
      ``tolerance``: how near the minimum's value is arrived.
    """

    surface: Surface
    start: Point
    rates: tuple[float, ...]
    budget: int
    tolerance: float
    runs: dict[str, Run]
    trials: dict[str, list[Run]]

    @property
    def ranking(self) -> list[str]:
        """The labels, the best run first."""
        return sorted(self.runs, key=lambda label: self.runs[label].rank)

    @property
    def caption(self) -> str:
        """What a reader must know to judge the race."""
        rates = f"{self.rates[0]:g}"
        if len(self.rates) > 1:
            rates = f"the best of the same {len(self.rates)} from {rates} to {self.rates[-1]:g}"
        return (
            f"Learning rate (line searches: first length): for each method {rates}.\n"
            f"A run ends with the step that reaches {self.budget} evaluations of f, with gradient "
            "or without; a product with its Hessian counts as two."
        )

    def table(self) -> str:
        """Return the runs as lines of text, the best first."""
        width = max(len("method"), *map(len, self.runs))
        lines = [f"{'method':{width}} {'lr':>7} {'steps':>6} {'cost':>6} {'f − f*':>9}  end"]
        for label in self.ranking:
            run = self.runs[label]
            left = run.values[-1] - self.surface.minimum
            numbers = f"{run.lr:7g} {run.steps:6d} {run.costs[-1]:6d} {left:9.1e}"
            lines.append(f"{label:{width}} {numbers}  {run.end}")
        return "\n".join(lines)

    def figure(self) -> Any:
        """Return the paths on the surface, and beside them f over what was spent."""
        from minigrad.viz.race_figure import draw

        return draw(self)[0]

    def animate(self, path: str | Path, frames: int = 60, fps: int = 12) -> Path:
        """Write the race as an animation, GIF or MP4 by the path's suffix, and return the path.

        Its clock is what was spent, from 0 to the longest run's costs in equal parts. GIF needs
        nothing but Matplotlib; MP4 needs ffmpeg, the program or the wheel imageio-ffmpeg.

        Raises ValueError for another suffix or for `frames` or `fps` below 1, FileNotFoundError if
        there is no such folder, RenderError without Matplotlib or ffmpeg.
        """
        from minigrad.viz.race_figure import animate

        return animate(self, path, frames, fps)


def race(
    surface: str | Surface = "rosenbrock",
    methods: Mapping[str, str | Factory] | Iterable[str | type[Optimizer]] = (
        "sgd",
        "momentum",
        "adam",
        "lbfgs",
        "newton",
    ),
    *,
    rates: Sequence[float] = RATES,
    budget: int = 200,
    tolerance: float = 1e-8,
    start: Point | None = None,
) -> Race:
    """Let methods run down a surface, each with the best learning rate of one grid.

    - `surface`: a name of `viz.SURFACES` ("rosenbrock", "beale", "himmelblau", "saddle", "ravine",
      "rastrigin", "ackley"), or a `viz.Surface`;
    - `methods`: names of `optim.METHODS` or classes of optimizers, each once; or a mapping from
      labels to those or to factories: functions of the list of parameters and the learning rate
      that return an optimizer, such as ``lambda p, lr: optim.SGD(p, lr=lr, momentum=0.99)``;
    - `rates`: the grid. Every method is run at each; kept is the run that arrives for the least
      cost, or else ends lowest. Methods that search along a line take the rate as the length that
      they try first;
    - `budget`: a run ends with the step that reaches it, in evaluations of f with or without its
      gradient, a Hessian-vector product counted as two;
    - `tolerance`: a run has arrived, and ends, where f ≤ minimum + tolerance;
    - `start`: the surface's own if not given.

    All is computed in float64, as data: nothing is drawn, and no Matplotlib needed, before
    `Race.figure`, `Race.save` or `Race.animate`.

    Raises ValueError for what is not legal, and for a Gauss–Newton method on a surface that is no
    sum of squares.
    """
    field_, entries = surface_of(surface), _methods(methods)
    place = _numbers(field_.start if start is None else start)
    if len(place) != 2 or not all(map(math.isfinite, place)):
        raise ValueError(f"start={start!r}; legal are two finite numbers, such as (-1.2, 1.0)")
    at = (place[0], place[1])
    grid = tuple(sorted(_numbers(rates)))
    if not grid or not all(0 < rate < math.inf for rate in grid):
        raise ValueError(f"rates={rates!r}; legal are finite numbers above 0, such as [0.01, 0.1]")
    budget = integer("budget", budget, such=", such as 200")
    tolerance = finite("tolerance", tolerance, such=", such as 1e-8")
    trials = {
        label: [_run(label, make, field_, at, rate, budget, tolerance) for rate in grid]
        for label, make in entries.items()
    }
    runs = {label: min(tried, key=lambda run: run.rank) for label, tried in trials.items()}
    return Race(field_, at, grid, budget, tolerance, runs, trials)


def _numbers(values: Any) -> list[float]:
    """Return the numbers of a sequence or an array; none if it is not one of numbers."""
    values = values.tolist() if hasattr(values, "tolist") else values
    values = list(values) if isinstance(values, Iterable) else []
    return [float(value) for value in values] if all(map(number, values)) else []


def _label(method: Any) -> str:
    """Return what a method is called that was given without a label."""
    own = getattr(method, "__name__", str(method))
    return next((name for name, kind in METHODS.items() if kind is method), own)


def _methods(methods: Any) -> dict[str, Factory]:
    """Return the factories by label."""
    if isinstance(methods, str) or not isinstance(methods, (Mapping, Iterable)):
        methods = [methods]
    if isinstance(methods, Mapping):
        entries = [(str(label), method) for label, method in methods.items()]
    else:
        entries = [(_label(method), method) for method in methods]
    if not entries:
        raise ValueError("methods is empty; give names such as ['momentum', 'adam', 'newton']")
    label, times = Counter(label for label, _ in entries).most_common(1)[0]
    if times > 1:
        raise ValueError(
            f"methods has {label!r} more than once; give a mapping from labels of your own, such "
            "as {'one': 'sgd', 'two': lambda p, lr: optim.SGD(p, lr=lr, momentum=0.9)}"
        )
    for label, method in entries:
        if not callable(method) and not (isinstance(method, str) and method in METHODS):
            near = difflib.get_close_matches(str(method), METHODS, 1)
            advice = f"; try {near[0]!r}" if near else ""
            raise ValueError(
                f"{label}: no method {method!r}; there are {', '.join(METHODS)}, or give a class "
                f"of optimizers or a function of (parameters, lr) that returns one{advice}"
            )
    return {label: METHODS[m] if isinstance(m, str) else m for label, m in entries}


def _run(
    label: str,
    make: Factory,
    surface: Surface,
    start: Point,
    lr: float,
    budget: int,
    tolerance: float,
) -> Run:
    """Run one method at one rate until it arrives, diverges, is stuck, or has spent its budget."""
    p = tensor(list(start), dtype="float64", requires_grad=True)
    fixed = "lr" in getattr(make, "without", ())  # the same run at every rate
    optimizer = make([p]) if fixed else make([p], lr)  # type: ignore[call-arg]
    if not isinstance(optimizer, Optimizer):
        raise ValueError(
            f"{label}: the factory returned a {type(optimizer).__name__}; it takes the list of "
            "parameters and the learning rate, and returns an optimizer"
        )
    if optimizer.needs_outputs and surface.residuals is None:
        squares = ", ".join(name for name, other in SURFACES.items() if other.residuals)
        raise ValueError(
            f"{label} is for sums of squares, and {surface.name} is stated as none; {squares} are"
        )
    run = Run(label, lr)
    evaluations = products = 0

    def closure() -> Any:
        nonlocal evaluations
        evaluations += 1
        if surface.residuals is not None:
            outputs = ops.stack(list(surface.residuals(p[0], p[1])))
            return (outputs * outputs).sum(), outputs
        return surface(p[0], p[1])

    def note() -> bool:
        """Add the present point; say whether it ends the run."""
        x, y = p.tolist()
        with no_grad():
            value = surface(p[0], p[1]).item()
        run.points.append((x, y))
        run.values.append(value)
        run.evaluations.append(evaluations)
        run.products.append(products)
        if not math.isfinite(value):
            run.end = "diverged"
        elif value <= surface.minimum + tolerance:
            run.end = "arrived"
        return run.end != "spent"

    with backend.cpu.errstate(all="ignore"):  # a rate that is too high overflows: that is an answer
        ended = note()
        while not ended and run.costs[-1] < budget:
            optimizer.step(closure)
            report = getattr(optimizer, "report", None)
            products += report.nhev if report else 0
            ended = note()
            if not ended and report and not report.step_length and not report.again:
                run.end, ended = "stuck", True
    return run
