"""Conjugate gradients for A x = b, A given as products: the inner loop of Newton's methods.

One text for all of them: truncated early, out of directions of negative curvature, to the boundary
of a trust region, with iterates kept for backtracking. Arrays of either backend. Not here: what A
is (`newton.py`, `hessian_free.py`), Krylov bases (`minigrad.curvature.lanczos`).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from minigrad import backend
from minigrad.backend import Array
from minigrad.tensor import Tensor

Product = Callable[[Array], Array]  # v ↦ A v, or r ↦ M⁻¹ r


@dataclass(frozen=True)
class Solution:
    """What conjugate gradients found.

    - ``x``: the solution, as far as it went; ``iterations``: products with A spent on it (one more
      if it did not start from 0);
    - ``model``: q(x) = ½ xᵀA x − bᵀx, which conjugate gradients lower with every iteration;
    - ``residual``: ‖b − A x‖, of the recursion;
    - ``status``: "residual" or "progress" (small enough), "boundary", "negative curvature",
      "max_iter", or "not finite" (a product was not);
    - ``norm``: of x, or of x − x0, in the preconditioner's norm √(xᵀM x);
    - ``negative``: the direction d with dᵀA d ≤ 0 where one was met, else None, and that
      ``curvature`` dᵀA d;
    - ``iterates``: those kept on the way, the last one being x.
    """

    x: Array
    iterations: int
    model: float
    residual: float
    status: str
    norm: float = 0.0
    negative: Array | None = None
    curvature: float = math.nan
    iterates: list[Array] = field(default_factory=list)


def conjugate_gradients(
    product: Product,
    b: Array,
    *,
    x0: Array | None = None,
    preconditioner: Product | None = None,
    tol: float = 1e-5,
    progress: float | None = None,
    radius: float | None = None,
    max_iter: int | None = None,
    keep: float | None = None,
) -> Solution:
    """Solve A x = b approximately, A symmetric and given as a product, from x0 (default 0).

    It ends at the first of these:

    - ‖b − A x‖ ≤ `tol`·‖b‖;
    - `progress` ε: i > k, q(xᵢ) < 0 and (q(xᵢ) − q(xᵢ₋ₖ))/q(xᵢ) < kε, k = max(10, i/10): Martens
      2010, Deep learning via Hessian-free optimization, whose ε is 5e-4;
    - `radius`: where the path leaves ‖x‖ ≤ radius it is cut there; along a direction of negative
      curvature it is followed that far (Steihaug 1983, SIAM J. Numer. Anal. 20; Toint 1981). With
      a preconditioner M the norm is √(xᵀM x). Starts from 0;
    - dᵀA d ≤ 0 without a radius: x is what was found before, 0 if it is the first direction;
    - `max_iter` iterations, default 2n: rounding may cost more than n.

    `preconditioner` is r ↦ M⁻¹r, M symmetric and positive definite. `keep` γ > 1 keeps the iterates
    ⌈γʲ⌉, j = 0, 1, …: few, and ever sparser (Martens' γ is 1.3).

    An iteration is one product and 10n flops, on a GPU with two transfers of a number. `progress`
    adds 3n flops and a transfer, a preconditioner its product, 2n and a transfer.

    Raises ValueError for a radius and an x0, TypeError and ArithmeticError for a preconditioner
    that returns no vector or is not positive definite.
    """
    if radius is not None and x0 is not None:
        raise ValueError("conjugate_gradients: with a radius it starts from 0; leave out x0")
    limit = 2 * b.size if max_iter is None else max_iter
    x, r = b * 0, b
    spent = 0
    if x0 is not None:
        x, r, spent = x0, b - product(x0), 1
    goal = tol * math.sqrt(dot(b, b))
    z = r if preconditioner is None else _preconditioned(preconditioner, r)
    rz = dot(r, z)
    size = math.sqrt(rz if preconditioner is None else dot(r, r))
    d, models, kept, following = z, [], [], 1.0
    if progress is not None:
        models.append(_model(x, r, b))
    inside = Ball(radius, rz)
    status, negative, curvature = "max_iter", None, math.nan
    if not math.isfinite(size) or not math.isfinite(rz):
        return Solution(x, spent, math.nan, size, "not finite", iterates=[x])
    if rz <= 0 < size:
        raise ArithmeticError(
            f"the preconditioner r ↦ M⁻¹r is not positive definite: rᵀM⁻¹r = {rz:.3g}; legal is "
            "one for which that is > 0, such as lambda r: r / h with every h > 0"
        )
    i = 0
    while size > goal and i < limit:
        a = product(d)
        i += 1
        curvature = dot(d, a)
        if not math.isfinite(curvature):
            status = "not finite"
            break
        alpha = rz / curvature if curvature > 0 else math.inf
        cut = inside.reach(alpha)
        if cut is None and alpha == math.inf:
            status, negative = "negative curvature", d
            break
        length = alpha if cut is None else cut
        x, r = x + length * d, r - length * a
        if progress is not None:
            models.append(_model(x, r, b))
        inside.move(length)
        if keep is not None and i >= following:
            kept.append(x)
            while math.ceil(following) <= i:
                following *= keep
        if cut is not None:
            status = "boundary" if curvature > 0 else "negative curvature"
            negative = d if curvature <= 0 else None
            break
        z = r if preconditioner is None else _preconditioned(preconditioner, r)
        before, rz = rz, dot(r, z)
        size = math.sqrt(rz if preconditioner is None else dot(r, r))
        if progress is not None and _stalls(models, progress):
            status = "progress"
            break
        d = z + rz / before * d
        inside.turn(rz / before, rz)
    if status == "max_iter" and size <= goal:
        status = "residual"
    if keep is not None and (not kept or kept[-1] is not x):
        kept.append(x)
    norm = math.sqrt(max(inside.xx, 0.0))
    bend = math.nan if negative is None else curvature
    model = models[-1] if models else _model(x, r, b)
    return Solution(x, spent + i, model, size, status, norm, negative, bend, kept)


class Ball:
    """The trust region ‖x‖ ≤ radius and how the iterates lie in it, by recursion of their norms.

    xᵀx, xᵀd and dᵀd in the norm of the preconditioner, without a product with it: Conn, Gould and
    Toint 2000, Trust-region methods, section 7.5.1.
    """

    def __init__(self, radius: float | None, rz: float) -> None:
        self.radius = radius
        self.xx, self.xd, self.dd = 0.0, 0.0, rz

    def reach(self, alpha: float) -> float | None:
        """Return the length at which x + length·d leaves the ball, None if not before `alpha`."""
        if self.radius is None:
            return None
        if alpha < math.inf:
            ahead = self.xx + 2 * alpha * self.xd + alpha * alpha * self.dd
            if ahead < self.radius**2:
                return None
        room = max(self.radius**2 - self.xx, 0.0)
        root = math.sqrt(self.xd * self.xd + self.dd * room)
        return room / (self.xd + root) if self.xd > 0 else (root - self.xd) / self.dd

    def move(self, alpha: float) -> None:
        """Move x by alpha·d."""
        self.xx += 2 * alpha * self.xd + alpha * alpha * self.dd
        self.xd += alpha * self.dd

    def turn(self, beta: float, rz: float) -> None:
        """Turn to the next direction z + beta·d."""
        self.xd *= beta
        self.dd = rz + beta * beta * self.dd


def dot(a: Array, b: Array) -> float:
    """Return aᵀb as a Python float, also where it is beyond the range of a float32."""
    xp = backend.of((a,))
    with backend.cpu.errstate(all="ignore"):
        found = float(xp.dot(a, b))
        if a.dtype == "float64" or 1e-30 < abs(found) < math.inf:
            return found
        return float(xp.dot(a.astype("float64"), b.astype("float64")))


def _preconditioned(preconditioner: Product, r: Array) -> Array:
    """Return M⁻¹r, or raise TypeError for what is no vector like r."""
    z: Any = preconditioner(r)
    z = z.data if isinstance(z, Tensor) else z
    if not backend.is_array(z) or z.shape != r.shape:
        given = f"shape {z.shape}" if backend.is_array(z) else type(z).__name__
        raise TypeError(
            f"the preconditioner returned {given}; legal is a vector of shape {r.shape}, M⁻¹r for "
            "the vector r that it is given, such as lambda r: r / h"
        )
    return z.astype(r.dtype, copy=False)


def _model(x: Array, r: Array, b: Array) -> float:
    """Return q(x) = ½ xᵀA x − bᵀx from the residual r = b − A x."""
    return -0.5 * dot(x, r + b)


def _stalls(models: list[float], epsilon: float) -> bool:
    """Say whether the model's progress over the last k iterations is below epsilon for each."""
    i = len(models) - 1
    k = max(10, i // 10)
    if i <= k or models[i] >= 0:
        return False
    return (models[i] - models[i - k]) / models[i] < k * epsilon
