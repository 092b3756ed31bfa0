"""Step rules: how far to go along a direction. Not here: the direction (`descent.py` and methods).

A rule is called as ``rule(objective, f, g, d, first)``: loss and gradient at ``objective.x``, a
direction, the length to try first; it returns a `Step`. A trial whose loss or gradient is not
finite counts as infinitely high, so no rule ends there. Rules that take values only look at the
gradient of the trial they take if it is of use afterwards: see `Objective.can_end`.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass, field
from typing import Any, ClassVar

from minigrad.backend import Array
from minigrad.legal import count, inner, number
from minigrad.optim.hyper import HyperparameterError
from minigrad.optim.second_order.objective import Objective


@dataclass(frozen=True)
class Step:
    """Where a step ends: its length in units of the direction (0: nowhere), point and loss there.

    ``g`` is the gradient there if the rule computed it, ``reason`` why the search stopped;
    ``again`` says of a step to nowhere that the next may do better (a trust region has shrunk).
    """

    length: float
    x: Array
    f: float
    g: Any
    reason: str
    again: bool = False


@dataclass(frozen=True)
class Trial:
    """A point on the line x + a·d: loss, slope φ′(a) along d, and the gradient if it was taken."""

    a: float
    x: Array
    f: float
    slope: float = math.nan
    g: Array | None = None

    @property
    def finite(self) -> bool:
        """Whether the loss is a number, and the slope if it was taken."""
        return math.isfinite(self.f) and (self.g is None or math.isfinite(self.slope))


class Line:
    """φ(a) = f(x + a·d) from the objective's present point."""

    def __init__(self, objective: Objective, f: float, g: Array, d: Array) -> None:
        self.objective = objective
        self.d = d
        self.start = Trial(0.0, objective.x, f, objective.dot(g, d), g)
        eps = float(objective.xp.finfo(g.dtype).eps)
        self.noise = 8 * eps * abs(f)  # differences of the loss below this are rounding
        # A loss of larger terms than itself is rounded more. Where slopes are known too, a rise
        # up to this does no harm: Hager and Zhang's 1e-6 for all dtypes is 4e-11 in float64 here.
        self.slack = eps ** (2 / 3) * abs(f)

    def point(self, a: float) -> Array:
        """Return x + a·d."""
        return self.start.x + a * self.d

    def value(self, a: float) -> Trial:
        """Return the trial at a, without its slope."""
        x = self.point(a)
        return Trial(a, x, self.objective.value(x))

    def value_and_slope(self, a: float) -> Trial:
        """Return the trial at a with slope and gradient."""
        x = self.point(a)
        f, g = self.objective.value_and_gradient(x)
        return Trial(a, x, f, self.objective.dot(g, self.d), g)

    def stay(self, reason: str) -> Step:
        """Return the step that goes nowhere."""
        return Step(0.0, self.start.x, self.start.f, self.start.g, reason)


def _taken(trial: Trial, reason: str) -> Step:
    return Step(trial.a, trial.x, trial.f, trial.g, reason)


@dataclass
class Rule:
    """A step rule. Its fields are its settings; `memory`, if it has one, is saved with a run."""

    name: ClassVar[str] = ""
    needs_descent: ClassVar[bool] = True  # whether the direction must go down
    lengthens: ClassVar[bool] = False  # whether a step may be longer than the first trial
    needs_model: ClassVar[bool] = False  # whether a direction is not enough

    def __call__(self, objective: Objective, f: float, g: Array, d: Array, first: float) -> Step:
        """Return the step along d."""
        raise NotImplementedError(f"{type(self).__name__} must define __call__")

    def settings(self) -> dict[str, Any]:
        """Return the name and the settings."""
        return {"name": self.name, **dataclasses.asdict(self)}

    def _number(self, name: str, legal: bool, range_: str) -> None:
        if not legal:
            value = getattr(self, name)
            default = next(x.default for x in dataclasses.fields(self) if x.name == name)
            raise HyperparameterError(
                f"{type(self).__name__}: {name}={value!r} is not {range_}; try {name}={default!r}"
            )


@dataclass
class Fixed(Rule):
    """Always the first length: ``lr`` times the method's own. A step to no number is halved.

    A trial costs a value, or a gradient where the gradient at the end is wanted: for ``learn``, or
    for another iteration on the same closure.
    """

    name: ClassVar[str] = "fixed"
    needs_descent: ClassVar[bool] = False

    def __call__(self, objective: Objective, f: float, g: Array, d: Array, first: float) -> Step:
        """Return the step of length `first`, or half of it and so on where the loss is finite."""
        line = Line(objective, f, g, d)
        probe = line.value_and_slope if objective.goes_on else line.value
        trial = probe(first)
        while not trial.finite:
            if trial.a < first * 1e-10:
                return line.stay("the loss is not finite along the direction")
            trial = probe(trial.a / 2)
        return _taken(trial, "fixed length" if trial.a == first else "backed off to a finite loss")


@dataclass
class Armijo(Rule):
    """Backtracking until f(x + a·d) ≤ f + c₁·a·gᵀd (Armijo 1966, Pacific J. Math. 16).

    The next length is where a quadratic, later a cubic, through the values so far is least, kept
    between a tenth and a half of the last (Nocedal and Wright 2006, section 3.5). Values only:
    a trial costs a third of a gradient.

    Raises HyperparameterError: c₁ outside (0, 1), max_trials < 1.
    """

    name: ClassVar[str] = "armijo"
    c1: float = 1e-4
    max_trials: int = 40

    def __post_init__(self) -> None:
        self._number("c1", inner(self.c1), "a number in (0, 1)")
        self._number("max_trials", count(self.max_trials), "an integer ≥ 1")

    def reference(self, f: float) -> float:
        """Return the value that a step is held against: here the present loss."""
        return f

    def accept(self, f: float) -> None:
        """Take note that a step from the loss f is taken."""

    def __call__(self, objective: Objective, f: float, g: Array, d: Array, first: float) -> Step:
        """Return the first step that goes down enough."""
        line = Line(objective, f, g, d)
        reference, a, slope = self.reference(f), first, line.start.slope
        before: Trial | None = None
        for _ in range(self.max_trials):
            trial = line.value(a)
            spare = line.noise if a == first else 0.0  # a short step must be seen to go down
            if trial.f <= reference + self.c1 * a * slope + spare:
                if objective.can_end(trial.x):
                    self.accept(f)
                    return _taken(trial, self.name)
                trial = dataclasses.replace(trial, f=math.inf)
            if -a * slope <= line.noise:
                return line.stay("no decrease along the direction beyond rounding")
            following = _backtracked(line.start, trial, before)
            before, a = trial, min(max(following, 0.1 * a), 0.5 * a)
        return line.stay(f"no decrease in {self.max_trials} trials")


def _backtracked(start: Trial, last: Trial, before: Trial | None) -> float:
    """Return the minimizer of the parabola or the cubic through the start and the last trials."""
    a, f, slope = last.a, start.f, start.slope
    if not math.isfinite(last.f):
        return 0.1 * a
    rise = last.f - f - slope * a
    if before is None or not math.isfinite(before.f):
        return -slope * a * a / (2 * rise) if rise > 0 else 0.5 * a
    b, other = before.a, before.f - f - slope * before.a
    third = (rise / a**2 - other / b**2) / (a - b)
    second = (other * a / b**2 - rise * b / a**2) / (a - b)
    root = second * second - 3 * third * slope
    if third == 0 or root < 0:
        return 0.5 * a
    return (math.sqrt(root) - second) / (3 * third)


@dataclass
class StrongWolfe(Rule):
    """f(x + a·d) ≤ f + c₁·a·gᵀd and abs(φ′(a)) ≤ c₂·abs(φ′(0)): lower, and flat enough.

    Bracketing and zooming of Nocedal and Wright 2006, algorithms 3.5 and 3.6, as one loop, with
    cubic interpolation. Where the decrease is lost in rounding, which in float32 is soon, the slope
    alone decides: the approximate Wolfe condition of Hager and Zhang 2005, SIAM J. Optim. 16.
    A trial costs a gradient.

    Raises HyperparameterError: not 0 < c₁ < c₂ < 1, max_trials < 1.
    """

    name: ClassVar[str] = "strong-wolfe"
    lengthens: ClassVar[bool] = True
    c1: float = 1e-4
    c2: float = 0.9
    max_trials: int = 30

    def __post_init__(self) -> None:
        self._number("c1", inner(self.c1), "a number in (0, 1)")
        legal = inner(self.c2) and self.c1 < self.c2
        self._number("c2", legal, f"a number in (c1, 1) = ({self.c1}, 1)")
        self._number("max_trials", count(self.max_trials), "an integer ≥ 1")

    def __call__(self, objective: Objective, f: float, g: Array, d: Array, first: float) -> Step:
        """Return a step that fulfils the conditions, or the lowest that was found."""
        line = Line(objective, f, g, d)
        slope = line.start.slope
        low, high, before = line.start, None, line.start
        a, width = first, math.inf
        for _ in range(self.max_trials):
            trial = line.value_and_slope(a)
            enough = f + self.c1 * a * slope + line.slack
            if not trial.finite or trial.f > enough or trial.f > low.f + line.slack:
                high = trial
            else:
                if abs(trial.slope) <= -self.c2 * slope:
                    return _taken(trial, self.name)
                ahead = 1.0 if high is None else high.a - low.a
                if trial.slope * ahead >= 0:
                    high = low
                before, low = low, trial
            if high is None:
                a = _extrapolated(before, low)
                continue
            narrower = abs(high.a - low.a)
            if narrower <= 1e-15 * max(low.a, high.a):
                break
            a = _interpolated(low, high, line.slack, bisect=narrower > 0.66 * width)
            width = narrower
        if low.f >= f - line.noise:
            return line.stay("no decrease along the direction beyond rounding")
        return _taken(low, "lower, but not flat: no Wolfe point was found")


def _cubic(p: Trial, q: Trial) -> float:
    """Return the minimizer of the cubic with the values and slopes of two trials, or NaN."""
    if p.a == q.a:
        return math.nan
    first = p.slope + q.slope - 3 * (p.f - q.f) / (p.a - q.a)
    square = first * first - p.slope * q.slope
    if not square >= 0:
        return math.nan
    second = math.copysign(math.sqrt(square), q.a - p.a)
    below = q.slope - p.slope + 2 * second
    if below == 0:
        return math.nan
    return q.a - (q.a - p.a) * (q.slope + second - first) / below


def _extrapolated(before: Trial, last: Trial) -> float:
    """Return a longer length: where the cubic is least, from twice to ten times the last stride."""
    stride = last.a - before.a
    guess = _cubic(before, last)
    if not guess > last.a:
        return last.a + 4 * stride
    return min(max(guess, last.a + stride), last.a + 9 * stride)


def _interpolated(low: Trial, high: Trial, slack: float, bisect: bool) -> float:
    """Return a length between two trials: where the cubic is least, but away from the ends.

    Where their values hardly differ, so that the difference is rounded, the slopes alone decide.
    """
    if not high.finite:
        return low.a + 0.1 * (high.a - low.a)
    middle = (low.a + high.a) / 2
    guess = _cubic(low, high)
    if abs(high.f - low.f) <= slack and high.slope * low.slope < 0:
        guess = low.a + (high.a - low.a) * low.slope / (low.slope - high.slope)
    if bisect or math.isnan(guess):
        return middle
    margin = 0.01 * abs(high.a - low.a)
    least, most = min(low.a, high.a) + margin, max(low.a, high.a) - margin
    return min(max(guess, least), most)


@dataclass
class Nonmonotone(Armijo):
    """Armijo's condition against a weighted mean of past losses (Zhang and Hager 2004).

    f(x + a·d) ≤ C + c₁·a·gᵀd;  Q ← ηQ + 1;  C ← C + (f − C)/Q. With η = 0 it is `Armijo`, with
    η = 1 C is the mean of all losses so far: the loss may rise for a while, so that steps need not
    follow every bend of a valley. SIAM J. Optim. 14; after Grippo, Lampariello and Lucidi 1986.

    One object remembers one run; give each optimizer its own.

    Raises HyperparameterError: η outside [0, 1], and as `Armijo`.
    """

    name: ClassVar[str] = "nonmonotone"
    eta: float = 0.85
    memory: dict[str, float] = field(default_factory=dict, repr=False, compare=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        legal = number(self.eta) and 0 <= self.eta <= 1
        self._number("eta", legal, "a number in [0, 1]")

    def reference(self, f: float) -> float:
        """Return the mean C with the present loss, and never below it."""
        return max(self._with(f)["mean"], f)

    def accept(self, f: float) -> None:
        """Remember the mean: a search that finds nothing leaves it as it was."""
        self.memory.update(self._with(f))

    def _with(self, f: float) -> dict[str, float]:
        q = self.eta * self.memory.get("q", 0.0) + 1
        mean = self.memory.get("mean", f)
        return {"q": q, "mean": mean + (f - mean) / q}


RULES: dict[str, type[Rule]] = {
    rule.name: rule for rule in (Fixed, Armijo, StrongWolfe, Nonmonotone)
}


def rule_of(line_search: Any, **settings: Any) -> Rule:
    """Return the rule that a name, a dict of name and settings, or a rule stands for."""
    if isinstance(line_search, Rule):
        return line_search
    if isinstance(line_search, dict):
        settings = {key: value for key, value in line_search.items() if key != "name"}
        line_search = line_search.get("name")
    if line_search not in RULES:
        raise HyperparameterError(
            f"line_search={line_search!r} is not one of {', '.join(RULES)}, or a rule such as "
            "optim.StrongWolfe(c2=0.4); try line_search='strong-wolfe'"
        )
    kind = RULES[line_search]
    legal = {x.name for x in dataclasses.fields(kind)}
    return kind(**{key: value for key, value in settings.items() if key in legal})
