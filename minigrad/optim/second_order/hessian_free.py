"""Hessian-free optimization: Gauss–Newton steps of large networks, by conjugate gradients.

Not here: the conjugate gradients (`krylov.py`), Gauss–Newton for small models (`least_squares.py`).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from minigrad.backend import Array
from minigrad.optim.second_order.descent import SecondOrder
from minigrad.optim.second_order.krylov import Solution, conjugate_gradients
from minigrad.optim.second_order.objective import Objective
from minigrad.optim.second_order.step_rules import Step

Closure = Callable[[], Any]


class HessianFree(SecondOrder, line_search="armijo"):
    """Hessian-free (Martens 2010, Deep learning via Hessian-free optimization, ICML).

    d minimizes q(d) = ∇fᵀd + ½ dᵀG d, damped by ½λ‖d‖², as far as conjugate gradients go; G is the
    Gauss–Newton matrix, known by its products. From Martens, and Martens and Sutskever 2012,
    Training deep and recurrent networks with Hessian-free optimization:

    - conjugate gradients start from ``decay`` times the last d, and stop when the relative progress
      of an iteration falls below ``progress``, after ``max_inner`` at most;
    - of the iterates kept on the way, the loss chooses: back from the last until it rises;
    - λ ← 3/2·λ if ρ < 1/4, 2/3·λ if ρ > 3/4, where ρ = (f(x + d) − f)/q(d) for the last iterate; λ
      starts at ``damping``;
    - ``line_search`` then shortens the step if it must.

    ``precondition`` divides the residuals by (diagonal of G + λ)^¾, the diagonal estimated by
    v∘(G v) for vectors v of random signs, one a step, averaged over the steps.

    The closure returns (loss, outputs), outputs such as logits: the loss is convex in them. A step
    costs one gradient, two products for each iteration inside (a product is about two gradients),
    and some ten values. With G of a part of the data, it costs less: see `step`.

    Raises HyperparameterError: damping < 0, decay outside [0, 1], progress outside (0, 1), and as
    `SecondOrder`; ClosureError if the closure returns the loss only.
    """

    curvature = True
    needs_outputs = True
    _part: Closure | None = None  # gives the loss whose curvature is used, in the present step

    def step(self, closure: Closure | None = None, curvature: Closure | None = None) -> Any:
        """Go one iteration, and return the loss at the start; see `SecondOrder.step`.

        `curvature` is a second closure that returns (loss, outputs) for G alone, of fewer cases
        than the first: the gradient needs more cases than the curvature. Default: the same.
        """
        self._part = curvature
        return super().step(closure)

    def direction(
        self,
        at: Objective,
        f: float,
        g: Array,
        *,
        damping: float = 1.0,
        decay: float = 0.95,
        progress: float = 5e-4,
        max_inner: int = 250,
        precondition: bool = False,
    ) -> Array:
        """Return the d that conjugate gradients end with."""
        return self.solve(at, g).x

    def solve(self, at: Objective, g: Array) -> Solution:
        """Return what conjugate gradients find for (G + λI) d = −∇f."""
        state, hyper = self.state, self.hyper()
        damping = state.setdefault("damping", hyper["damping"])
        model = at if self._part is None else at.beside(self._part)
        found = conjugate_gradients(
            lambda v: model.ggn_vp(v) + damping * v,
            -g,
            x0=hyper["decay"] * state["d"] if "d" in state else None,
            preconditioner=self._preconditioner(model) if hyper["precondition"] else None,
            tol=1e-10,
            progress=hyper["progress"],
            max_iter=hyper["max_inner"],
            keep=1.3,
        )
        at.counts.inner += found.iterations
        if model is not at:
            at.counts.nfev += model.counts.nfev
            at.counts.nhev += model.counts.nhev
        return found

    def iterate(self, at: Objective, f: float, g: Array) -> Step:
        """Return the step to the best of the iterates, or a part of it; λ is updated."""
        x, state = at.x, self.state
        found = self.solve(at, g)
        state["d"] = found.x
        promised = 0.5 * state["damping"] * at.dot(found.x, found.x) - found.model
        last, value, d = backtracked(at, x, found.iterates)
        ratio = (f - last) / promised if promised > 0 else -math.inf
        state["damping"] *= 1.5 if not ratio >= 0.25 else 2 / 3 if ratio > 0.75 else 1.0
        note = f"{found.iterations} iterations inside ({found.status}), reduction ratio {ratio:.2g}"
        slope = at.dot(g, d)
        if slope < 0 and value <= f + 1e-4 * slope:
            return Step(1.0, x + d, value, None, note)
        at.move(x)
        step = self.rule(at, f, g, d, 1.0) if slope < 0 else Step(0.0, x, f, g, "not down")
        if not step.length:
            del state["d"]
        return replace(step, reason=f"{note}; {step.reason}", again=not step.length)

    def _preconditioner(self, model: Objective) -> Callable[[Array], Array]:
        """Return r ↦ (diagonal + λ)^−¾ r, after one more probe of the diagonal."""
        state = self.state
        signs = model.xp.generator(self.steps).integers(0, 2, model.x.size) * 2 - 1
        v = signs.astype(model.x.dtype)
        probe = v * model.ggn_vp(v)
        old = state.get("diagonal", probe)
        state["diagonal"] = 0.9 * old + 0.1 * probe
        size = model.xp.abs(state["diagonal"])
        size = model.xp.maximum(size, 1e-3 * float(size.mean()) or 1.0) + state["damping"]
        scale = size**-0.75
        return lambda r: scale * r


def backtracked(at: Objective, x: Array, iterates: list[Array]) -> tuple[float, float, Array]:
    """Return the loss at the last iterate, and the lowest loss going back until it rises, where."""
    best = iterates[-1]
    last = value = at.value(x + best)
    for d in reversed(iterates[:-1]):
        here = at.value(x + d)
        if here >= value and value < math.inf:
            break
        value, best = here, d
    return last, value, best
