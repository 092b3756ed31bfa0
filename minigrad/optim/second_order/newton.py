"""Newton's methods: with the whole Hessian, and with nothing but products with it."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from minigrad.backend import Array
from minigrad.optim.optimizer import Group
from minigrad.optim.second_order.dense import check_size, in_ball, newton_direction, size
from minigrad.optim.second_order.diagonal import diagonal_preconditioner
from minigrad.optim.second_order.krylov import Product, Solution, conjugate_gradients
from minigrad.optim.second_order.objective import Objective
from minigrad.optim.second_order.trust_region import Modelled, Subproblem


class Newton(Modelled, line_search="armijo"):
    """Newton's method (D. Shulman's survey, equation 1): d = −H⁻¹∇f, H the whole Hessian.

    With ``line_search="fixed"`` and ``indefinite="none"`` it is w ← w − H⁻¹∇f exactly, which goes
    to the nearest point of zero gradient, be it a saddle or a maximum. A positive definite H + λI,
    λ = ``damping``, is solved by Cholesky's factors; for another one ``indefinite`` is

    - ``"flip"``: Σ uᵢ(uᵢᵀg)/abs(λᵢ), eigenvalues below ``floor``·max abs(λᵢ) raised to that
      (a floor below the dtype's rounding is that rounding);
    - ``"shift"``: λ is raised, at least doubling, until the factorization succeeds;
    - ``"none"``: it is solved as it is.

    ``line_search="trust-region"`` minimizes the model gᵀp + ½ pᵀH p within a radius, exactly: what
    SciPy calls trust-exact. A step costs n Hessian-vector products, about 2n gradients, n² numbers
    and n³ flops: for n up to some thousands.

    Raises MemoryError, when made, for a Hessian of more than ``max_bytes``; ArithmeticError for
    a singular one with "none"; HyperparameterError: another indefinite, damping or floor < 0, and
    as `SecondOrder`.
    """

    curvature = True
    unbounded = ("indefinite", "floor")

    def direction(
        self,
        at: Objective,
        f: float,
        g: Array,
        *,
        indefinite: str = "flip",
        damping: float = 0.0,
        floor: float = 1e-6,
        max_bytes: int = 1 << 30,
    ) -> Array:
        """Return −H⁻¹g."""
        return newton_direction(at.hessian(), g, indefinite, damping, floor)

    def subproblem(self, at: Objective, g: Array, *, damping: float, **_: Any) -> Subproblem:
        """Return the exact minimizer of the model in a ball."""
        H = at.hessian() + damping * at.xp.eye(g.size, dtype=g.dtype)
        return in_ball(H, g)

    def check(self, group: Group) -> None:
        """Raise MemoryError for a Hessian that is too large."""
        super().check(group)
        instead = 'NewtonCG ("newton-cg") or LBFGS ("lbfgs"), which need no matrix'
        check_size(self.name, group, "the Hessian", size(group), instead)


class NewtonCG(Modelled, line_search="armijo"):
    """Truncated Newton: conjugate gradients on (H + λI) d = −g, with Hessian-vector products only.

    The inner loop ends at ‖(H + λI) d + g‖ ≤ η‖g‖, at ``max_inner`` products, or at a direction of
    negative curvature: d is then what was found before, or that direction if it is the first
    (Nocedal and Wright 2006, algorithm 7.1). ``forcing`` is η: a number in (0, 1), or

    - ``"root"``: min(½, √‖g‖), superlinear (Dembo and Steihaug 1983, Math. Program. 26);
    - ``"eisenstat-walker"``: 0.9 (‖g‖/‖g₋‖)^1.618, g₋ the gradient of the step before, at most
      ½; not much less than the last η (1996, SIAM J. Sci. Comput. 17, choice 2).

    ``line_search="trust-region"`` stays in a ball and follows negative curvature to its boundary
    (Steihaug 1983): SciPy's trust-ncg; the products are kept until the step is taken, so that a
    smaller ball after a refused trial costs none. ``preconditioner`` is a function r ↦ M⁻¹r, or
    ``"diagonal"``: M = abs(diag H) + λ, estimated from ``probes`` products. λ is ``damping``.

    A step costs about 2 gradients for each product; no matrix is ever formed.

    Raises HyperparameterError: another forcing or preconditioner, damping < 0, max_inner or
    probes < 1, and as `SecondOrder`.
    """

    curvature = True

    def direction(
        self,
        at: Objective,
        f: float,
        g: Array,
        *,
        forcing: str | float = "root",
        damping: float = 0.0,
        max_inner: int = 250,
        preconditioner: str | Product | None = None,
        probes: int = 4,
    ) -> Array:
        """Return d."""
        found = inner(self, at, g, forcing, damping, max_inner, preconditioner, probes)(None)
        if found.negative is None or found.iterations > 1:
            return found.x
        d = found.negative  # at the length that the size of the curvature suggests
        return d * (-at.dot(g, d) / abs(found.curvature)) if found.curvature else d

    def subproblem(self, at: Objective, g: Array, **hyper: Any) -> Subproblem:
        """Return Steihaug's and Toint's approximate minimizer of the model in a ball."""
        solve = inner(self, at, g, **hyper, repeated=True)
        return lambda radius: ((found := solve(radius)).x, found.model, found.norm)


def inner(
    method: NewtonCG,
    at: Objective,
    g: Array,
    forcing: str | float,
    damping: float,
    max_inner: int,
    preconditioner: str | Product | None,
    probes: int,
    repeated: bool = False,
) -> Callable[[float | None], Solution]:
    """Return the inner loop as a function of the radius, None for a whole space.

    With `repeated` a second radius costs products only from where the first one's path has ended.
    """
    tol = forced(method.state, at.norm(g), forcing)
    product = at.hvp if not damping else lambda v: at.hvp(v) + damping * v
    if isinstance(preconditioner, str):
        preconditioner = diagonal_preconditioner(product, g, probes, method.steps)

    known: list[Array] = []

    def solve(radius: float | None) -> Solution:
        ahead, before = iter(known[:]), len(known)

        def multiply(v: Array) -> Array:
            found = next(ahead, None)
            if found is None:
                found = product(v)
                if repeated:
                    known.append(found)
            return found

        found = conjugate_gradients(
            multiply, -g, tol=tol, radius=radius, preconditioner=preconditioner,
            max_iter=min(max_inner, 2 * g.size),
        )  # fmt: skip
        at.counts.inner += max(found.iterations - before, 0)
        return found

    return solve


def forced(state: dict[str, Any], norm: float, forcing: str | float) -> float:
    """Return η for a gradient of this norm; `state` remembers the last norm and η."""
    if forcing == "root":
        return min(0.5, math.sqrt(norm))
    if forcing != "eisenstat-walker":
        return float(forcing)
    power = (1 + math.sqrt(5)) / 2
    before, eta = state.get("norm", 0.0), state.get("eta", 0.0)
    new = 0.9 * (norm / before) ** power if before else 0.5
    if 0.9 * eta**power > 0.1:
        new = max(new, 0.9 * eta**power)
    state.update(norm=norm, eta=min(new, 0.5))
    return min(new, 0.5)
