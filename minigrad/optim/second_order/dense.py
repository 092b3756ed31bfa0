"""Newton's equations with a whole Hessian: factorizations, and what to do where it is indefinite.

Functions of arrays of either backend. Not here: the methods (`newton.py`), products (`krylov.py`).
"""

from __future__ import annotations

import math
from collections.abc import Callable

from minigrad import backend
from minigrad.backend import Array
from minigrad.machine.memory import readable
from minigrad.optim.optimizer import Group

BLOCK = 64  # rows of a triangular system that are solved at once


def size(group: Group) -> int:
    """Return the number of parameters, n."""
    return sum(p.size for p in group["params"])


def check_size(
    method: str, group: Group, what: str, columns: int, instead: str, itemsize: int | None = None
) -> None:
    """Raise MemoryError, before any work, for n by `columns` numbers of more than max_bytes.

    An `itemsize` of None is that of the parameters.
    """
    n, most = size(group), group["max_bytes"]
    needed = n * columns * (itemsize or group["params"][0].dtype.itemsize)
    if needed > most:
        raise MemoryError(
            f"{method}: {what} of {n:,} parameters takes {readable(needed)}, and max_bytes is "
            f"{readable(most)}; use {instead}; or allow it with max_bytes={needed}"
        )


def newton_direction(H: Array, g: Array, indefinite: str, damping: float, floor: float) -> Array:
    """Return −(H + λI)⁻¹g, λ the damping, or that of a modified H where this is not definite.

    `indefinite` is "flip", "shift" or "none", as `Newton` says. A vector of NaN says that H is not
    finite.
    """
    xp = backend.of((H,))
    if not bool(xp.isfinite(H).all()):
        return xp.full_like(g, math.nan)
    identity = xp.eye(len(g), dtype=H.dtype)
    A = H + damping * identity
    if indefinite == "none":
        return -_solved(A, g)
    found = cholesky_solved(A, g)
    if found is None and indefinite == "flip":
        values, vectors = xp.linalg.eigh(H)
        values = xp.abs(values)
        floor = max(floor, float(xp.finfo(H.dtype).eps))  # below that they are rounding
        values = xp.maximum(values, floor * float(values.max()) or 1.0) + damping
        found = vectors @ ((vectors.T @ g) / values)
    shift = 0.0
    while found is None:
        shift = _shift(H, shift)
        found = cholesky_solved(A + shift * identity, g)
    return -found


def _shift(H: Array, last: float) -> float:
    """Return the next multiple of the identity to try (Nocedal and Wright 2006, algorithm 3.3)."""
    xp = backend.of((H,))
    diagonal = xp.diagonal(H)
    least = float(xp.sqrt(xp.mean(H * H) * len(H))) * 1e-3 or 1.0
    return max(2 * last, least - min(float(diagonal.min()), 0.0))


def _solved(A: Array, b: Array) -> Array:
    """Return A⁻¹b for any A that has an inverse."""
    xp = backend.of((A,))
    try:
        x = xp.linalg.solve(A, b)
    except backend.cpu.linalg.LinAlgError:
        x = xp.full_like(b, math.nan)
    if not bool(xp.isfinite(x).all()):  # CuPy does not raise
        raise ArithmeticError(
            "Newton: the Hessian is singular, so there is no H⁻¹ g: along some direction the "
            "gradient does not change; try indefinite='flip', or damping=1e-3"
        )
    return x


def cholesky_solved(A: Array, b: Array) -> Array | None:
    """Return A⁻¹b by Cholesky's factors A = L Lᵀ, or None if A is not positive definite."""
    xp = backend.of((A,))
    try:
        L = xp.cholesky(A)
    except backend.cpu.linalg.LinAlgError:
        return None
    y = _substituted(L, b)
    x = _substituted(L.T[::-1, ::-1], y[::-1])[::-1]
    return x if bool(xp.isfinite(x).all()) else None


def _substituted(L: Array, b: Array) -> Array:
    """Return L⁻¹b for a lower triangular L, block by block."""
    xp, x = backend.of((L,)), b.copy()
    for i in range(0, len(b), BLOCK):
        rows = slice(i, i + BLOCK)
        x[rows] = xp.linalg.solve(L[rows, rows], b[rows] - L[rows, :i] @ x[:i])
    return x


def in_ball(H: Array, g: Array) -> Callable[[float], tuple[Array, float, float]]:
    """Return the radius ↦ p of least gᵀp + ½ pᵀH p in ‖p‖ ≤ radius, that value, and ‖p‖.

    Exactly, from H's eigenvalues: (H + σI) p = −g with H + σI positive semidefinite and
    σ (radius − ‖p‖) = 0; σ by Newton's iteration on 1/‖p‖, between bounds (Moré and Sorensen 1983,
    SIAM J. Sci. Stat. Comput. 4). Where g has no part along the lowest eigenvectors (their "hard
    case") p is filled up to the boundary along one. H is decomposed once for every radius; for an H
    that is not finite all is NaN.
    """
    xp = backend.of((H,))
    if not bool(xp.isfinite(H).all()):
        return lambda radius: (xp.full_like(g, math.nan), math.nan, math.nan)
    values, vectors = xp.linalg.eigh(H)
    w = xp.to_host(values).astype("float64")
    c = xp.to_host(vectors.T @ g).astype("float64")
    # Where neither slope nor curvature is more than rounding nothing is to be gained: p stays away.
    rounding = g.size * float(xp.finfo(H.dtype).eps)
    flat = (abs(w) <= rounding * abs(w).max()) & (abs(c) <= rounding * math.sqrt(c @ c))
    if flat.any():
        w, c = w[~flat], c[~flat]
        vectors = vectors[:, xp.from_host((~flat).nonzero()[0], backend.device_of(g))]

    def solve(radius: float) -> tuple[Array, float, float]:
        s = _in_ball(w, c, radius)
        p = vectors @ xp.from_host(s.astype(g.dtype), backend.device_of(g))
        return p, float(s @ c + 0.5 * (s * w) @ s), math.sqrt(s @ s)

    return solve


def _in_ball(w: Array, c: Array, radius: float) -> Array:
    """Solve it in the eigenvectors' coordinates: w the eigenvalues, c the gradient.

    σ = max(0, −w₀) + t: the gaps w + σ are kept apart from t, which may be far below w's rounding.
    """
    np, size = backend.cpu, math.sqrt(c @ c)
    gaps = w + max(0.0, -w[0])
    flat = gaps <= 1e-15 * max(abs(w[0]), abs(w[-1]))
    if not c[flat].any() or w[0] > 0:
        s = np.where(flat, 0.0, -c / np.where(flat, 1.0, gaps))
        room = radius * radius - s @ s
        if room >= 0:
            s[0] += math.sqrt(room) if w[0] < 0 else 0.0
            return s
    low, high = 0.0, size / radius
    t = high
    for _ in range(100):
        s = -c / (gaps + t)
        norm = math.sqrt(s @ s)
        if abs(norm - radius) <= 1e-12 * radius:
            break
        low, high = (t, high) if norm > radius else (low, t)
        t += (norm - radius) / radius * norm * norm / (s * s / (gaps + t)).sum()
        if not low < t < high:
            t = math.sqrt(low * high) if low > 0 else 1e-3 * high
    return s * (radius / math.sqrt(s @ s))
