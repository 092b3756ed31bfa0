"""Saddle-free Newton: the Hessian's eigenvalues by their absolute values."""

from __future__ import annotations

import math
from typing import Any

from minigrad import backend
from minigrad.backend import Array
from minigrad.curvature import lanczos, tridiagonal
from minigrad.optim.optimizer import Group
from minigrad.optim.second_order.dense import check_size, size
from minigrad.optim.second_order.descent import SecondOrder
from minigrad.optim.second_order.objective import Objective


class SaddleFreeNewton(SecondOrder, line_search="armijo"):
    """Saddle-free Newton (Dauphin et al. 2014, arXiv:1406.2572): d = −(abs(H) + λI)⁻¹∇f.

    abs(H) has H's eigenvectors and the absolute values of its eigenvalues: along a direction of
    negative curvature it goes away from the saddle, as far as Newton's method would go towards it.
    All λ of ``dampings`` are tried, and the direction with the lowest loss at x + d is kept; with
    ``line_search="fixed"`` that is the step, as in the paper, else the step rule has the last word.

    ``krylov=k`` takes H within the space spanned by g, Hg, …, Hᵏ⁻¹g, by Lanczos: k products and
    kn numbers, for any n; the step stays within that space. ``krylov=n`` takes all eigenvalues: n
    products, n² numbers, 10n³ flops. None stands for n up to 1,000 parameters, for 100 beyond.

    A start at the saddle itself, where the gradient is 0, is not left.

    Raises MemoryError, when made, for a matrix of more than ``max_bytes`` (n² or kn numbers);
    HyperparameterError: krylov < 1, no dampings or one < 0, and as `SecondOrder`.
    """

    curvature = True

    def direction(
        self,
        at: Objective,
        f: float,
        g: Array,
        *,
        krylov: int | None = None,
        dampings: tuple[float, ...] = (1.0, 0.1, 0.01, 1e-3, 1e-4, 1e-5, 1e-6),
        max_bytes: int = 1 << 30,
    ) -> Array:
        """Return the best −(abs(H) + λI)⁻¹g."""
        try:
            values, vectors = eigenpairs(at, g, dimension(g.size, krylov))
        except ArithmeticError:  # H is not finite
            return at.xp.full_like(g, math.nan)
        curved, part, x = self.modified(at.xp, values), vectors.T @ g, at.x
        least = float(at.xp.abs(values).max()) * float(at.xp.finfo(g.dtype).eps) or 1.0
        lowest, best = math.inf, -g
        for damping in dampings:
            below = curved + damping
            d = -(vectors @ (part / at.xp.where(at.xp.abs(below) < least, least, below)))
            value = at.value(x + d) if len(dampings) > 1 else -math.inf
            if value < lowest:
                lowest, best = value, d
        at.move(x)
        return best

    @staticmethod
    def modified(xp: Any, values: Array) -> Array:
        """Return what stands for the eigenvalues: their absolute values."""
        return xp.abs(values)

    def check(self, group: Group) -> None:
        """Raise MemoryError for eigenvectors that are too large."""
        super().check(group)
        k = dimension(size(group), group["krylov"])
        instead = "a Krylov space, such as krylov=100"
        check_size(self.name, group, f"a basis of {k:,} vectors", k, instead)


def dimension(n: int, krylov: int | None) -> int:
    """Return the dimension of the space for n parameters."""
    return min(n, (n if n <= 1000 else 100) if krylov is None else krylov)


def eigenpairs(at: Objective, g: Array, k: int) -> tuple[Array, Array]:
    """Return the Hessian's eigenvalues and eigenvectors, all or those in a Krylov space of g.

    Raises ArithmeticError if it is not finite.
    """
    xp = at.xp
    if k == g.size:
        H = at.hessian()
        if not bool(xp.isfinite(H).all()):
            raise ArithmeticError("the Hessian is not finite")
        values, vectors = xp.linalg.eigh(H)
        return values, vectors
    basis, alpha, beta = lanczos(at.hvp, g, k)
    at.counts.inner += len(alpha)
    ritz, rotation = backend.cpu.linalg.eigh(tridiagonal(alpha, beta))
    device = backend.device_of(g)
    values, rotation = (xp.from_host(a.astype(g.dtype), device) for a in (ritz, rotation))
    return values, basis @ rotation
