"""Gauss–Newton and Levenberg–Marquardt: the loss a convex function of outputs that are made linear.

For sums of squares, and for every loss of logits. Not here: products without the matrix
(`krylov.py`), the same idea for large networks and mini-batches (`hessian_free.py`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

from minigrad.backend import Array
from minigrad.optim.hyper import HyperparameterError
from minigrad.optim.optimizer import Group
from minigrad.optim.second_order.dense import check_size, size
from minigrad.optim.second_order.descent import SecondOrder
from minigrad.optim.second_order.krylov import conjugate_gradients
from minigrad.optim.second_order.objective import Objective
from minigrad.optim.second_order.step_rules import Step

SMALL = 500  # parameters up to which solver="auto" forms the matrix


def dense(solver: str, size: int) -> bool:
    """Say whether a solver forms the matrix for so many parameters."""
    return solver == "dense" or (solver == "auto" and size <= SMALL)


@dataclass(frozen=True)
class Proposal:
    """The minimizer d of the damped model ½ dᵀ(G + λD)d + gᵀd: what it promises, its size.

    ``promised`` is the decrease −gᵀd − ½ dᵀG d of the model without damping.
    """

    d: Array
    promised: float


class Model(Protocol):
    """The quadratic model of a loss at a point, for any damping."""

    def scale(self) -> float:
        """Return the size of G that a damping is measured by."""

    def minimizer(self, damping: float) -> Proposal:
        """Return the step for a damping λ ≥ 0."""


class Dense:
    """The model with G as a matrix, decomposed once for every damping; float64 throughout.

    Eigenvalues below n·eps of the largest count as 0 and their directions are left alone, so that
    without damping the step is the shortest of those that minimize the model. `scaling` is a
    vector: D, else D = I.
    """

    def __init__(self, at: Objective, g: Array, G: Array, scaling: Array | None = None) -> None:
        xp = self.xp = at.xp
        self.dtype = g.dtype
        self.root = xp.ones(g.size) if scaling is None else xp.sqrt(scaling)
        G = G.astype("float64") / self.root / self.root[:, None]
        self.largest = float(G.diagonal().max())
        self.values, self.vectors = xp.linalg.eigh(G)
        self.g = self.vectors.T @ (g.astype("float64") / self.root)
        self.floor = g.size * float(xp.finfo(g.dtype).eps) * abs(float(self.values[-1]))

    def scale(self) -> float:
        """Return the largest diagonal element of G, in units of D."""
        return self.largest

    def minimizer(self, damping: float) -> Proposal:
        """Return −(G + λD)⁻¹g."""
        xp = self.xp
        divisor = self.values + damping
        divisor = xp.where(divisor > self.floor, divisor, math.inf)
        y = -self.g / divisor
        promised = -float(xp.dot(self.g, y) + 0.5 * xp.dot(y * self.values, y))
        return Proposal((self.vectors @ y / self.root).astype(self.dtype), promised)


class MatrixFree:
    """The model with G as products: each damping costs conjugate gradients anew; D = I."""

    def __init__(self, at: Objective, g: Array, tol: float, max_inner: int) -> None:
        self.at, self.x, self.g = at, at.x, g
        self.limits: dict[str, Any] = {"tol": tol, "max_iter": max_inner}

    def scale(self) -> float:
        """Return gᵀG g/gᵀg."""
        return self.at.dot(self.g, self.at.ggn_vp(self.g)) / self.at.dot(self.g, self.g)

    def minimizer(self, damping: float) -> Proposal:
        """Return −(G + λI)⁻¹g, as far as conjugate gradients go."""
        at = self.at
        at.move(self.x)

        def product(v: Array) -> Array:
            return at.ggn_vp(v) + damping * v

        found = conjugate_gradients(product, -self.g, **self.limits)
        at.counts.inner += found.iterations
        if found.status == "not finite" and damping:
            return Proposal(-self.g / damping, at.dot(self.g, self.g) / damping)  # as if G were 0
        return Proposal(found.x, 0.5 * damping * at.dot(found.x, found.x) - found.model)


class GaussNewton(SecondOrder, line_search="armijo"):
    """Gauss–Newton (Gauss 1809; Nocedal and Wright 2006, Numerical optimization, section 10.3).

    d = −(G + λI)⁻¹∇f,  G = JᵀH_L J, with J the Jacobian of the outputs and H_L the Hessian of the
    loss by the outputs. λ is ``damping``. For f = ½‖r‖² with outputs r, G = JᵀJ, ∇f = Jᵀr, and a
    step of length 1 on a linear r is the solution of least squares, the shortest if there are many.

    The closure returns (loss, outputs). ``solver="dense"`` forms G, which costs as much as n
    products, and n³; ``"cg"`` takes products, until the residual is ``tol`` times the gradient or
    for ``max_inner`` iterations; ``"auto"`` is dense up to 500 parameters. G is never indefinite if
    the loss is convex in the outputs, so d goes down; where residuals stay large at the minimum it
    is only linearly convergent.

    Raises HyperparameterError: damping < 0, another solver, and as `SecondOrder`; ClosureError if
    the closure returns the loss only; MemoryError, when made, for a matrix of more than
    ``max_bytes``.
    """

    curvature = True
    needs_outputs = True

    def direction(
        self,
        at: Objective,
        f: float,
        g: Array,
        *,
        damping: float = 0.0,
        solver: str = "auto",
        tol: float = 1e-3,
        max_inner: int = 100,
        max_bytes: int = 1 << 30,
    ) -> Array:
        """Return −(G + λI)⁻¹g."""
        if dense(solver, g.size):
            return Dense(at, g, matrix(at)).minimizer(damping).d
        return MatrixFree(at, g, tol, max_inner).minimizer(damping).d

    def check(self, group: Group) -> None:
        """Raise MemoryError for too large a G."""
        super().check(group)
        check_solver(self.name, group)


class LevenbergMarquardt(
    SecondOrder, damping=1e-3, update="nielsen", scaling=False, solver="auto", tol=1e-3,
    max_inner=100, max_trials=20, max_bytes=1 << 30,
):  # fmt: skip
    """Levenberg–Marquardt (Levenberg 1944, Q. Appl. Math. 2; Marquardt 1963, J. SIAM 11).

    d = −(G + λD)⁻¹∇f, G as in `GaussNewton`; x + d is taken if the loss falls there (where less is
    promised than its rounding: if ‖∇f‖ falls), else λ grows and d is computed again. ρ is the
    decrease over the one that the model promised. ``update``:

    - ``"nielsen"``: taken: λ ← λ·max(⅓, 1 − (2ρ − 1)³), ν ← 2; else λ ← νλ, ν ← 2ν (Nielsen 1999,
      Damping parameter in Marquardt's method, IMM-REP-1999-05);
    - ``"marquardt"``: taken: λ ← λ/10; else λ ← 10λ.

    λ starts at ``damping`` times the largest diagonal element of G in units of D (with
    ``solver="cg"`` times gᵀGg/gᵀg; where that is 0, at ``damping``) and stays above eps² times
    that size, so that it can grow again. D = I, or with ``scaling`` G's largest diagonal so far
    (Moré 1978, Lecture Notes in Mathematics 630), which makes the steps independent of the units
    of the parameters. The step is taken whole, so that ``lr`` and ``line_search`` are refused.
    ``solver``, ``tol``, ``max_inner``, ``max_bytes`` are as in `GaussNewton`; ``max_trials``
    dampings are tried in a step.

    Raises HyperparameterError: damping ≤ 0, another update or solver, scaling with ``"cg"``, and
    as `SecondOrder`; ClosureError if the closure returns the loss only.
    """

    curvature = True
    needs_outputs = True
    without: ClassVar = dict.fromkeys(("lr", "line_search"), "damping decides the step's length")

    def iterate(self, at: Objective, f: float, g: Array) -> Step:
        """Return the first step that goes down, λ updated on the way."""
        x, state, group = at.x, self.state, self.param_groups[0]
        model = damped_model(at, g, group, state)
        noise = 8 * float(at.xp.finfo(g.dtype).eps) * abs(f)
        for _ in range(group["max_trials"]):
            proposal = model.minimizer(state["damping"])
            if not proposal.promised + noise > 0 or not bool(proposal.d.any()):
                return Step(0.0, x, f, g, "no decrease is promised beyond rounding")
            new = x + proposal.d
            value = at.value(new)
            # What is lost in rounding counts as promised and kept: Conn, Gould and Toint 2000,
            # Trust-region methods, section 17.4.2.
            ratio = (f - value + noise) / (proposal.promised + noise)
            taken = ratio > 0 and value < math.inf and at.can_end(new)
            if taken and proposal.promised < noise:  # values tell nothing: gradients do
                taken = at.norm(at.value_and_gradient(new)[1]) < at.norm(g)
            state |= UPDATES[group["update"]](taken, ratio, state["damping"], state["growth"])
            state["damping"] = max(state["damping"], state["least"])
            if taken:
                return Step(1.0, new, value, None, f"gain ratio {ratio:.2g}")
        return Step(0.0, x, f, g, "no decrease for any damping tried", again=True)

    def check(self, group: Group) -> None:
        """Raise HyperparameterError for what contradicts itself, MemoryError for too large a G."""
        super().check(group)
        check_solver(self.name, group)
        if not group["damping"]:
            raise HyperparameterError(
                f"{self.name}: damping=0 can never grow; legal is a number > 0, try damping=1e-3, "
                "or GaussNewton, which has none"
            )


def damped_model(at: Objective, g: Array, group: Group, state: dict[str, Any]) -> Model:
    """Return the model at the present point; with the first one λ and ν start."""
    if dense(group["solver"], g.size):
        G = matrix(at)
        if group["scaling"]:
            state["scaling"] = _largest(at.xp, G.diagonal(), state.get("scaling"))
        model: Model = Dense(at, g, G, state.get("scaling"))
    else:
        model = MatrixFree(at, g, group["tol"], group["max_inner"])
    if "damping" not in state:
        scale = model.scale()
        scale = scale if 0 < scale < math.inf else 1.0
        least = scale * float(at.xp.finfo(g.dtype).eps) ** 2  # from 0 it could not grow again
        state |= {"damping": group["damping"] * scale, "growth": 2.0, "least": least}
    return model


def matrix(at: Objective) -> Array:
    """Return G, or 0 if it is not finite: a step is then one along −∇f, and damping its length."""
    G = at.gauss_newton()
    return G if bool(at.xp.isfinite(G).all()) else at.xp.zeros_like(G)


def check_solver(name: str, group: Group) -> None:
    """Raise HyperparameterError or MemoryError for a solver that cannot do what is asked."""
    n = size(group)
    if dense(group["solver"], n):
        what, instead = "the Gauss–Newton matrix with eigenvectors", "solver='cg', which forms none"
        check_size(name, group, what, 3 * n, instead, itemsize=8)
    elif group.get("scaling"):
        raise HyperparameterError(
            f"{name}: scaling=True needs the diagonal of G, which solver='cg' (here "
            f"solver={group['solver']!r}, {n:,} parameters) never forms; try scaling=False"
        )


def nielsen(taken: bool, ratio: float, damping: float, growth: float) -> dict[str, float]:
    """Return λ and ν after a trial with gain ratio ρ."""
    if taken:
        return {"damping": damping * max(1 / 3, 1 - (2 * ratio - 1) ** 3), "growth": 2.0}
    return {"damping": damping * growth, "growth": 2 * growth}


def marquardt(taken: bool, ratio: float, damping: float, growth: float) -> dict[str, float]:
    """Return λ after a trial: a tenth, or ten times."""
    return {"damping": damping / 10 if taken else damping * 10, "growth": growth}


UPDATES = {"nielsen": nielsen, "marquardt": marquardt}


def _largest(xp: Any, diagonal: Array, before: Array | None) -> Array:
    """Return D: the largest diagonal so far, 1 where it was always 0."""
    diagonal = xp.where(diagonal > 0, diagonal, 1.0).astype("float64")
    return diagonal if before is None else xp.maximum(diagonal, before)
