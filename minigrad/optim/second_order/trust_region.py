"""Trust regions: the step that minimizes a quadratic model where the model is to be trusted.

The step rule of methods that have a model. Not here: its minimizers (`krylov.py`, `dense.py`).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, ClassVar

from minigrad.backend import Array
from minigrad.legal import not_negative, number
from minigrad.optim.hyper import HyperparameterError
from minigrad.optim.optimizer import Group
from minigrad.optim.second_order.descent import SecondOrder
from minigrad.optim.second_order.objective import Objective
from minigrad.optim.second_order.step_rules import RULES, Rule, Step

# radius → the step, what the model gains by it (≤ 0), and its norm
Subproblem = Callable[[float], tuple[Array, float, float]]


@dataclass
class TrustRegion(Rule):
    """Minimize the model in ‖p‖ ≤ Δ, and compare what f gains with what the model promised.

    ρ = (f(x) − f(x + p)) / (m(0) − m(p)). With ρ < ¼, Δ ← ¼ min(Δ, ‖p‖); with ρ > ¾ and p on the
    boundary, Δ ← min(2Δ, ``max_radius``). The step is taken if ρ > ``eta``, else repeated in the
    smaller region (Nocedal and Wright 2006, algorithm 4.1), which costs a value and no derivative.
    ``radius`` is the first Δ; a step that finds nothing leaves Δ as it was. Where the promise is
    below the rounding of f, ρ is taken as 1 (Conn, Gould and Toint 2000, section 17.4.2); where the
    model is not finite, p = −Δ∇f/‖∇f‖, which promises Δ‖∇f‖.

    One object remembers one run; give each optimizer its own.

    Raises HyperparameterError: radius or max_radius not > 0, eta outside [0, ¼).
    """

    name: ClassVar[str] = "trust-region"
    needs_descent: ClassVar[bool] = False
    needs_model: ClassVar[bool] = True
    radius: float = 1.0
    max_radius: float = 1e10
    eta: float = 0.15
    memory: dict[str, float] = field(default_factory=dict, repr=False, compare=False)

    def __post_init__(self) -> None:
        for name in ("radius", "max_radius"):
            value = getattr(self, name)
            self._number(name, not_negative(value) and value > 0, "a finite number > 0")
        self._number("eta", number(self.eta) and 0 <= self.eta < 0.25, "a number in [0, 0.25)")

    def within(self, at: Objective, f: float, g: Array, solve: Subproblem) -> Step:
        """Return the step that `solve` finds, in ever smaller regions until f goes down."""
        x, delta = at.x, self.memory.get("radius", min(self.radius, self.max_radius))
        noise = 10 * float(at.xp.finfo(x.dtype).eps) * abs(f)
        for trials in range(1, 41):
            p, model, norm = solve(delta)
            if not math.isfinite(model) or not 0 < norm < math.inf:
                slope = at.norm(g)
                p, model, norm = g * (-delta / slope), -delta * slope, delta
            end = x + p
            value = at.value(end)
            ratio = (f - value + noise) / (noise - model) if noise > model else -math.inf
            if ratio > self.eta and not at.can_end(end):
                ratio = -math.inf
            if not ratio >= 0.25:
                delta = 0.25 * min(delta, norm)
            elif ratio > 0.75 and norm >= delta * (1 - 1e-6):
                delta = min(2 * delta, self.max_radius)
            if ratio > self.eta:
                self.memory["radius"] = delta
                return Step(1.0, end, value, None, f"trust region, trial {trials}, ρ = {ratio:.2g}")
            at.move(x)
        return Step(0.0, x, f, None, f"no decrease in a trust region of radius {delta:.2g}")


RULES[TrustRegion.name] = TrustRegion


class Modelled(SecondOrder):
    """A method whose model can be minimized in a ball: line_search="trust-region" does so.

    A subclass states ``subproblem(at, g, *, hyperparameters) → Subproblem`` beside its direction,
    and in ``unbounded`` which hyperparameters the subproblem has no use for.
    """

    has_model: ClassVar[bool] = True
    unbounded: ClassVar[tuple[str, ...]] = ()
    subproblem: ClassVar[Callable[..., Subproblem]]

    def check(self, group: Group) -> None:
        """Raise HyperparameterError for what is set and has no effect in a trust region."""
        super().check(group)
        if self._checked(group["line_search"]).needs_model:
            for name in ("lr", *self.unbounded):
                if group[name] != self.class_defaults[name]:
                    raise HyperparameterError(
                        f"{self.name}: {name}={group[name]!r} has no effect with line_search="
                        "'trust-region', whose radius bounds the step; leave it out, or try "
                        "line_search=optim.TrustRegion(radius=0.1)"
                    )

    def iterate(self, at: Objective, f: float, g: Array) -> Step:
        """Return the trust region's step, or else that along the direction."""
        if isinstance(self.rule, TrustRegion):
            hyper: dict[str, Any] = self.hyper()
            return self.rule.within(at, f, g, self.subproblem(at, g, **hyper))
        return super().iterate(at, f, g)
