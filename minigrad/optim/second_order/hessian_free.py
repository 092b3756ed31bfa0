"""Hessian-free optimization: Gauss–Newton steps of large networks, by conjugate gradients.

Not here: the conjugate gradients (`krylov.py`), Gauss–Newton for small models (`least_squares.py`).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any, ClassVar

from minigrad.backend import Array
from minigrad.optim.second_order.descent import SecondOrder
from minigrad.optim.second_order.krylov import Product, Solution, conjugate_gradients
from minigrad.optim.second_order.objective import Objective
from minigrad.optim.second_order.step_rules import Rule, Step

Closure = Callable[[], Any]


class HessianFree(
    SecondOrder, line_search="armijo", damping=1.0, decay=0.95, progress=5e-4, max_inner=250,
    preconditioner=None,
):  # fmt: skip
    """Hessian-free (Martens 2010, Deep learning via Hessian-free optimization, ICML).

    d minimizes q(d) = ∇fᵀd + ½ dᵀG d, damped by ½λ‖d‖², as far as conjugate gradients go; G is the
    Gauss–Newton matrix, known by its products. From Martens, and Martens and Sutskever 2012,
    Training deep and recurrent networks with Hessian-free optimization:

    - conjugate gradients start from ``decay`` times the last d, and stop when the relative progress
      of an iteration falls below ``progress``, after ``max_inner`` at most;
    - of the iterates kept on the way, the loss chooses: back from the last until it rises;
    - λ ← 3/2·λ if ρ < 1/4, 2/3·λ if ρ > 3/4, where ρ = (f(x + d) − f)/q(d) for the last iterate; λ
      starts at ``damping`` and stays above eps² times that, so that it can grow again;
    - ``line_search`` then shortens the step if it must; it is not tried longer (``lr`` is refused).

    ``preconditioner`` is a function r ↦ M⁻¹r, or ``"diagonal"``, Martens': M = (h + λ)^¾, h the
    mean of the squares of the cases' gradients, estimated by a sweep back with a random sign for
    each case (row of the outputs), averaged over the steps.

    The closure returns (loss, outputs), outputs such as logits: the loss is convex in them. A step
    costs one gradient (another one for the diagonal), a product for each iteration inside (about
    two gradients), and some five values. With G of fewer cases it costs less: see `step`.

    Raises HyperparameterError: damping < 0, decay outside [0, 1], progress outside (0, 1), another
    preconditioner, and as `SecondOrder`; ClosureError if the closure returns the loss only.
    """

    curvature = needs_outputs = True
    without: ClassVar = {"lr": "the whole step is tried first, and damping decides its length"}
    _part: Closure | None = None  # gives the loss whose curvature is used, in the present step

    def step(self, closure: Closure | None = None, curvature: Closure | None = None) -> Any:
        """Go one iteration, and return the loss at the start; see `SecondOrder.step`.

        `curvature` is a second closure that returns (loss, outputs) for G alone, of fewer cases
        than the first, and best of some of the same. Default: the first.
        """
        self._part = curvature
        try:
            return super().step(closure)
        finally:
            self._part = None  # it may hold a batch

    def iterate(self, at: Objective, f: float, g: Array) -> Step:
        """Return the step to the best of the iterates, or a part of it; λ is updated."""
        first: float = self.param_groups[0]["damping"]
        damping: float = self.state.get("damping", first)
        found = self.solve(at, g, damping)
        promised = 0.5 * damping * at.dot(found.x, found.x) - found.model
        last, value, d = backtracked(at, at.x, found.iterates)
        ratio = (f - last) / promised if promised > 0 else -math.inf
        step = shortened(self.rule, at, f, g, d, value)
        damping = adapted(at, damping, ratio, first)
        usable = step.length > 0 and math.isfinite(at.norm(found.x))
        self.state |= {"damping": damping, "d": found.x if usable else 0 * g}
        note = f"{found.iterations} iterations inside ({found.status}), reduction ratio {ratio:.2g}"
        return replace(step, reason=f"{note}; {step.reason}", again=not step.length)

    def solve(self, at: Objective, g: Array, damping: float) -> Solution:
        """Return what conjugate gradients find for (G + λI) d = −∇f."""
        group, model = self.param_groups[0], at if self._part is None else at.beside(self._part)
        inverse = group["preconditioner"]
        if inverse == "diagonal":
            inverse = diagonal(self.state, model, damping, self.steps)
        found = conjugate_gradients(
            lambda v: model.ggn_vp(v) + damping * v, -g, tol=1e-10, preconditioner=inverse,
            x0=group["decay"] * self.state["d"] if "d" in self.state else None,
            progress=group["progress"], max_iter=group["max_inner"], keep=1.3,
        )  # fmt: skip
        at.counts.inner += found.iterations
        return found


def diagonal(state: dict[str, Any], model: Objective, damping: float, seed: int) -> Product:
    """Return r ↦ (h + λ)^−¾ r, after one more estimate of the mean squared gradients h."""
    probe = model.squared_gradients(seed)
    before: Array = state.get("diagonal", probe)
    state["diagonal"] = 0.9 * before + 0.1 * probe
    size = state["diagonal"]
    size = model.xp.maximum(size, 1e-3 * float(size.mean()) or 1.0) + damping
    return lambda r: r * size**-0.75


def adapted(at: Objective, damping: float, ratio: float, first: float) -> float:
    """Return λ after a step of reduction ratio ρ, not below eps² of the first: 0 would stay 0."""
    factor = 1.5 if not ratio >= 0.25 else 2 / 3 if ratio > 0.75 else 1.0
    return max(damping * factor, float(at.xp.finfo(at.x.dtype).eps) ** 2 * first)


def backtracked(at: Objective, x: Array, iterates: list[Array]) -> tuple[float, float, Array]:
    """Return the loss at the last iterate, and the lowest loss going back until it rises, where."""
    best = iterates[-1]
    last = value = at.value(x + best)
    for d in reversed(iterates[:-1]):
        here = at.value(x + d)
        if here >= value and value < math.inf:
            break
        value, best = here, d
    at.move(x)
    return last, value, best


def shortened(rule: Rule, at: Objective, f: float, g: Array, d: Array, value: float) -> Step:
    """Return the step d, whose loss is `value`, or what the rule makes of it; x is where g is."""
    slope, x, new = at.dot(g, d), at.x, at.x + d
    if slope < 0 and value <= f + 1e-4 * slope and at.can_end(new):
        return Step(1.0, new, value, None, "whole")
    at.move(x)
    if slope < 0:
        return rule(at, f, g, d, 1.0)
    if not rule.needs_descent:
        return Step(0.0, x, f, g, "not down")
    step = rule(at, f, g, -g, min(1.0, 1 / at.norm(g)))
    return replace(step, reason=f"along −g, as the direction did not go down; {step.reason}")
