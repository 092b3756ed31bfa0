"""Spectra: the outermost eigenvalues, the density of all of them, and the condition number.

Floor 2. All by Lanczos on products with vectors (`lanczos.py`). Small matrices, of the size of the
number of steps, are in host memory in float64; results have the operator's dtype.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from minigrad import backend
from minigrad.backend import Array
from minigrad.curvature.diagonal import Estimate, generator, mean_and_error, random_signs
from minigrad.curvature.lanczos import Krylov, lanczos, norm, tridiagonal
from minigrad.curvature.operators import LinearOperator, Matrix, as_operator
from minigrad.tensor import Tensor

_ORDERS: dict[str, Callable[[Array], Array]] = {
    "magnitude": lambda values: -abs(values),
    "largest": lambda values: -values,
    "smallest": lambda values: values,
}


class ConvergenceError(ArithmeticError):
    """Eigenvalues that were not found to the tolerance within the products allowed."""


@dataclass(frozen=True)
class Eigenpairs:
    """Eigenvalues and eigenvectors: ``values, vectors = top_eigenvalues(…)``.

    - ``values`` (k,), in the order asked for, and ``vectors`` (n, k), orthonormal columns;
    - ``residuals``: k numbers ‖A x - λ x‖, measured; an eigenvalue lies within that of λ;
    - ``products``: how many products with the matrix it took.
    """

    values: Tensor
    vectors: Tensor
    residuals: list[float]
    products: int

    def __iter__(self) -> Iterator[Tensor]:
        """Give the values, then the vectors."""
        return iter((self.values, self.vectors))


def top_eigenvalues(
    matrix: Matrix,
    k: int = 1,
    which: str = "magnitude",
    *,
    tolerance: float | None = None,
    steps: int | None = None,
    max_products: int = 1000,
    seed: int | None = 0,
) -> Eigenpairs:
    """Return k outermost eigenvalues of a symmetric matrix, and their eigenvectors.

    `which` is "magnitude" (largest |λ|), "largest" or "smallest" (with their signs). Lanczos with
    full reorthogonalization in a space of `steps` vectors (default 2k + 20), and thick restarts (Wu
    and Simon 2000) that keep vectors of both ends of the spectrum (`_kept`), until every residual
    is below ``tolerance · |λ|max`` (default: the root of the dtype's epsilon, 3.5e-4 in float32 and
    1.5e-8 in float64). The error of an eigenvalue is of the order of the residual's square over the
    gap to the next; where the gap is small, the residual must be smaller, until the error is a
    tenth of the above. Then it looks once more from a random vector orthogonal to what it found,
    since Lanczos sees one copy only of an eigenvalue that occurs several times: another
    ``steps - k`` products, for small k half of the cost or more.

    The memory is (steps + 1) n numbers. See `trace` for the seed. Raises ValueError for k < 1 or
    k > n, another `which`, and too few steps, ConvergenceError when `max_products` are spent.
    """
    operator = as_operator(matrix)
    n, steps = _checked(operator, k, which, steps)
    epsilon = float(backend.cpu.finfo(operator.dtype).eps)
    tolerance = math.sqrt(epsilon) if tolerance is None else tolerance
    source = generator(operator, seed)

    def draw() -> Array:
        return source.standard_normal(n).astype(operator.dtype, copy=False)

    space = Krylov(operator.matvec, draw(), steps)
    order = _ORDERS[which]
    stride = -(-(steps - k) // 5) or 1  # products between two looks at the residuals
    accepted: Array | None = None
    while True:
        if not space.step() and space.count < steps:
            space.inject(draw())
        full, spent = space.count == steps, space.products >= max_products
        due = spent or space.products % stride == 0
        if not full and (accepted is not None or space.count < k or not due):
            continue
        values, coefficients = _ritz(space, order)
        limit = tolerance * float(abs(values).max())
        if accepted is not None and abs(order(values[:k]) - order(accepted)).max() <= limit:
            break  # nothing was missed: the vectors are still the first k of the space
        rest = space.rest * abs(coefficients[-1, :k])
        bounds = _bounds(values, k, limit)
        converged = bool((rest <= bounds).all())
        if spent and not converged:
            raise ConvergenceError(
                f"top_eigenvalues: after {space.products} products the residuals are "
                f"{_short(rest)}, and should be below {_short(bounds)}; allow a larger tolerance= "
                f"({tolerance:.2g} now), more steps= ({steps}) or max_products="
            )
        if not (full or converged):
            continue
        kept = range(k) if converged else _kept(values, k, stride)
        accepted = values[:k] if converged else None
        space.restart(values[kept], coefficients[:, kept])
        if steps == n or spent:
            break
        if converged:
            space.inject(draw())
    vectors = space.vectors[:k].T
    found = space.on_device(accepted)
    difference = operator.matmat(vectors) - vectors * found
    residuals = [norm(column) for column in difference.T]
    return Eigenpairs(Tensor.of(found), Tensor.of(vectors), residuals, space.products + k)


def _ritz(space: Krylov, order: Callable[[Array], Array]) -> tuple[Array, Array]:
    """Return the eigenvalues of the projected matrix, those wanted first, and its eigenvectors."""
    known = space.projected[: space.count, : space.count]
    values, coefficients = backend.cpu.linalg.eigh(known)
    first = order(values).argsort(kind="stable")
    return values[first], coefficients[:, first]


def _bounds(values: Array, k: int, limit: float) -> Array:
    """Return what the residuals of the first k may be, for errors r² / gap below limit / 10.

    That is √(limit · gap / 10), not above the limit, and not below a tenth of it: an eigenvalue is
    never farther away than the residual r.
    """
    xp = backend.cpu
    if len(values) == k:
        return xp.full(k, limit)
    gaps = abs(values[:k, None] - values[k:]).min(1)
    return xp.clip(xp.sqrt(limit / 10) * xp.sqrt(gaps), limit / 10, limit)


def _kept(values: Array, k: int, fewest: int) -> Array:
    """Return which Ritz values to restart with: the first k, and others at both ends.

    The next p products, at least `fewest`, damp what lies between the two ends kept, an interval
    [a, b], against a wanted value outside of it at the distance γ (b - a) by the Chebyshev
    polynomial T_p(1 + 2γ). Kept are the ends for which log T_p / p, the gain of a product, is
    largest for the innermost wanted value. The far end counts, too: a few values far out there
    would widen the interval (Stathopoulos, Saad and Wu 1998, Dynamic thick restarting of the
    Davidson and the implicitly restarted Arnoldi methods, SIAM J. Sci. Comput. 19).
    """
    xp, m = backend.cpu, len(values)
    ascending = values.argsort(kind="stable")
    theta = values[ascending]
    others = (ascending >= k).nonzero()[0]
    lower, upper = int(others[0]), m - 1 - int(others[-1])  # so many wanted at each end
    low, high = (ends.ravel() for ends in xp.mgrid[lower:m, upper:m])
    few = low + high <= m - fewest
    low, high = low[few], high[few]
    a, b = theta[low], theta[m - 1 - high]
    below = a - theta[lower - 1] if lower else xp.inf
    above = theta[m - upper] - b if upper else xp.inf
    gap = xp.minimum(below, above)
    ratio = gap / xp.maximum(b - a, 1e-8 * gap + xp.finfo("float64").tiny)
    products = m - low - high
    growth = products * xp.arccosh(1 + 2 * ratio)
    gain = (growth + xp.log1p(xp.exp(-2 * growth)) - math.log(2)) / products
    best = gain.argmax()
    return xp.sort(xp.delete(ascending, slice(low[best], m - high[best])))


def _short(numbers: Array) -> list[float]:
    """Return numbers to two digits, for a message."""
    return [float(f"{number:.2g}") for number in numbers]


def _checked(operator: LinearOperator, k: int, which: str, steps: int | None) -> tuple[int, int]:
    """Return n and the number of steps, or raise ValueError."""
    n = operator.shape[0]
    if which not in _ORDERS:
        raise ValueError(f"top_eigenvalues: which={which!r}; legal are {', '.join(_ORDERS)}")
    if not 1 <= k <= n:
        raise ValueError(f"top_eigenvalues: k={k}; a matrix of {n} rows has 1 to {n} eigenvalues")
    if steps is not None and steps < min(k + 2, n):
        raise ValueError(f"top_eigenvalues: steps={steps}; k={k} takes at least {min(k + 2, n)}")
    return n, min(n, 2 * k + 20 if steps is None else steps)


@dataclass(frozen=True)
class SpectralDensity:
    """Where the eigenvalues lie: a density of integral 1, estimated from random vectors.

    - ``grid``, ``density``, ``standard_error``: Tensors of one length, to be drawn;
    - ``nodes``, ``weights``: for each random vector v, points and weights (summing to 1) with
      vᵀ f(A) v / n ≈ Σ wᵢ f(tᵢ), exactly for polynomials of a degree below twice the steps;
    - ``size``: n; ``width``: the standard deviation of the Gaussian that smooths the density;
    - ``products``: how many products with the matrix it took.
    """

    grid: Tensor
    density: Tensor
    standard_error: Tensor
    nodes: list[Array]
    weights: list[Array]
    size: int
    width: float
    products: int

    def moment(self, power: int) -> Estimate:
        """Return an estimate of Σ λᵖ / n, the mean of a power of the eigenvalues."""
        return self._mean(lambda nodes: nodes**power)

    def share(self, low: float = -math.inf, high: float = math.inf) -> Estimate:
        """Return an estimate of the share of the eigenvalues in low ≤ λ < high.

        Eigenvalues nearer to an end than Lanczos resolves may count on either side of it.
        """
        return self._mean(lambda nodes: (nodes >= low) & (nodes < high))

    def _mean(self, function: Any) -> Estimate:
        pairs = zip(self.nodes, self.weights, strict=True)
        value, error = mean_and_error([float(w @ function(t)) for t, w in pairs])
        return Estimate(value, error, self.products)


def spectral_density(
    matrix: Matrix,
    steps: int = 50,
    probes: int = 8,
    seed: int | None = 0,
    grid: Any = 500,
    width: float | None = None,
) -> SpectralDensity:
    """Return the density of the eigenvalues of a symmetric matrix, ``steps · probes`` products.

    Stochastic Lanczos quadrature: for random signs v, the eigenvalues tᵢ of Lanczos's T are the
    nodes, and the squared first components of its eigenvectors the weights, of a Gauss quadrature
    of the spectrum seen by v. The density is their mean, smoothed by a Gaussian of standard
    deviation `width` (default a hundredth of the spectrum's range, or of |λ| where all are the same
    up to rounding): Lin, Saad and Yang 2016,
    Approximating spectral densities of large matrices, SIAM Review 58; Ghorbani, Krishnan and Xiao
    2019, An investigation into neural net optimization via Hessian eigenvalue density.

    `grid` is the number of points over the range, or the points. See `trace` for the seed. A peak
    of one eigenvalue in n has the weight 1/n, and is seen if it lies apart. Raises ValueError for
    fewer than 2 probes, which leave no standard error, and for fewer than 1 step.
    """
    operator = as_operator(matrix)
    signs = random_signs(operator, probes, seed)
    nodes, weights, products = [], [], 0
    for _ in range(probes):
        _, alpha, beta = lanczos(operator.matvec, signs(), steps)
        values, vectors = backend.cpu.linalg.eigh(tridiagonal(alpha, beta))
        nodes.append(values)
        weights.append(vectors[0] ** 2)
        products += len(alpha)
    low, high = min(t[0] for t in nodes), max(t[-1] for t in nodes)
    if width is None:
        size, spread = float(max(abs(low), abs(high))), float(high - low)
        one = spread <= 1e4 * float(backend.cpu.finfo(operator.dtype).eps) * size  # up to rounding
        width = (size or 1.0) / 100 if one else spread / 100
    if not width > 0:
        raise ValueError(f"spectral_density: width={width}; it must be positive")
    xp = backend.cpu
    if isinstance(grid, int):
        points = xp.linspace(low - 4 * width, high + 4 * width, grid)
    else:
        points = grid.numpy() if isinstance(grid, Tensor) else xp.asarray(grid)
    height = 1 / (width * math.sqrt(2 * math.pi))
    curves = xp.stack(
        [
            height * xp.exp(-(((points[:, None] - t) / width) ** 2) / 2) @ w
            for t, w in zip(nodes, weights, strict=True)
        ]
    )
    error = curves.std(0, ddof=1) / math.sqrt(probes)
    on_grid = [Tensor.of(a.astype(operator.dtype)) for a in (points, curves.mean(0), error)]
    return SpectralDensity(
        on_grid[0], on_grid[1], on_grid[2], nodes, weights, operator.shape[0], width, products
    )


@dataclass(frozen=True)
class Condition:
    """An estimate of |λ|max / |λ|min, from within.

    ``largest`` ≤ |λ|max and ``smallest`` ≥ |λ|min, so that ``value``, their quotient, is not above
    the condition number; up to rounding.
    """

    value: float
    largest: float
    smallest: float
    products: int


def condition_number(matrix: Matrix, steps: int = 100, seed: int | None = 0) -> Condition:
    """Return a lower bound on the condition number |λ|max / |λ|min of a symmetric matrix.

    From one run of Lanczos: the largest |λ| of T, and the smallest singular value of T with its
    next row, the least ‖A x‖ of a unit vector x in the space. With n steps both are exact. With
    fewer, the first is soon right, the second late: what is bounded is what a Krylov method (CG,
    MINRES) of as many steps meets. A singular matrix gives infinity or a value of the order of
    1/ε of the dtype, beyond which nothing can be told. See `trace` for the seed.
    """
    operator = as_operator(matrix)
    n, xp = operator.shape[0], backend.cpu
    start = generator(operator, seed).standard_normal(n).astype(operator.dtype)
    _, alpha, beta = lanczos(operator.matvec, start, steps)
    square = tridiagonal(alpha, beta)
    last = xp.zeros((1, len(alpha)))
    last[0, -1] = beta[-1]
    largest = float(abs(xp.linalg.eigvalsh(square)).max())
    smallest = float(xp.linalg.svd(xp.concatenate([square, last]), compute_uv=False)[-1])
    value = largest / smallest if smallest > 0 else math.inf
    return Condition(value, largest, smallest, len(alpha))
