"""Lanczos: an orthonormal basis of a Krylov space, and a symmetric matrix projected onto it.

Floor 2. One text for all that rests on it: top eigenvalues, spectral densities, functions of a
matrix. Matrices are given as products; vectors are arrays of the backend. The projected matrix is
small: it is kept in host memory, in float64, whatever the device and the dtype of the vectors.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from minigrad import backend
from minigrad.backend import Array

Matvec = Callable[[Array], Array]  # v ↦ A v, for a symmetric A

_COLUMNS = 1 << 16  # of the basis that a restart combines at once


def lanczos(matvec: Matvec, start: Array, steps: int) -> tuple[Array, Array, Array]:
    """Return the basis Q, the diagonal α and the off-diagonal β of T = Qᵀ A Q, A symmetric.

    The columns of Q (n, m) are an orthonormal basis of span{b, A b, …, A^(m-1) b} for the vector b
    of n numbers given as `start`; Q has b's dtype and device. α and β are float64 arrays in host
    memory, m numbers each: ``A Q = Q T + β[-1] q eₘᵀ``, so T (see `tridiagonal`) has β[:-1] beside
    its diagonal, and ``β[-1]`` is the norm of what is left over. The cost is `steps` products,
    (m + 1) n numbers of memory, and 4 n m² flops for orthogonality: every new vector is made
    orthogonal to all before it, twice, so that T has no spurious copies of eigenvalues (Parlett
    1980, The symmetric eigenvalue problem, chapter 13).

    There are m < `steps` columns, and ``β[-1]`` is 0, if the space is invariant earlier (no later
    than at n): the eigenvalues of T are eigenvalues of A then.

    Raises ValueError for a start of zeros or not one axis, and for steps below 1; ArithmeticError
    if a product holds NaN or infinity.
    """
    if start.ndim != 1:
        raise ValueError(f"lanczos: the start is one vector, not an array of shape {start.shape}")
    if steps < 1:
        raise ValueError(f"lanczos: at least one step, not {steps}")
    space = Krylov(matvec, start, min(steps, start.size))
    while space.count < space.capacity and space.step():
        pass
    m, t = space.count, space.projected
    beta = backend.cpu.append(t.diagonal(1)[: m - 1], space.rest)
    return space.vectors[:m].T, t.diagonal()[:m].copy(), beta


def tridiagonal(alpha: Array, beta: Array) -> Array:
    """Return the m × m matrix T of `lanczos`'s α and β."""
    xp = backend.cpu
    beside = beta[: len(alpha) - 1]
    return xp.diag(alpha) + xp.diag(beside, 1) + xp.diag(beside, -1)


def norm(vector: Array) -> float:
    """Return ‖v‖, also where the squares of its numbers are beyond the range of their dtype."""
    xp = backend.of((vector,))
    square = xp.sum_of_squares(vector)
    if 1e-30 < square < math.inf or not vector.size:
        return math.sqrt(square)
    largest = float(abs(vector).max())
    if not 0 < largest < math.inf:
        return largest
    return largest * math.sqrt(xp.sum_of_squares(vector / largest))


class Krylov:
    """A Krylov space that grows by one vector a step, and may be restarted with some of it.

    - ``vectors``: the basis as rows, ``count`` of them and the next one;
    - ``projected``: Q A Qᵀ, of which ``[:count, :count]`` is known;
    - ``rest``: the norm of the part of the last product that lies outside the space, 0 if the
      space is invariant.
    """

    def __init__(self, matvec: Matvec, start: Array, capacity: int) -> None:
        self.xp = backend.of((start,))
        self.matvec = matvec
        self.capacity = capacity
        self.epsilon = float(self.xp.finfo(start.dtype).eps)
        self.vectors = self.xp.empty_like(start, shape=(capacity + 1, start.size))
        self.projected = backend.cpu.zeros((capacity, capacity))
        self.count = 0
        self.rest = 0.0
        self.products = 0
        length = norm(start)
        if not 0 < length < math.inf:
            raise ValueError(
                f"lanczos: the start's norm is {length}, and must be positive and finite"
            )
        self.vectors[0] = start / length

    def step(self) -> bool:
        """Multiply the newest vector, and append what is new in the product; say if there is any.

        Where there is none the space is invariant, and only `inject` can make it grow.
        """
        n = self.count
        product = self.matvec(self.vectors[n])
        self.products += 1
        self.count = n + 1
        new, overlaps = self._orthogonal(product)
        column = backend.of((overlaps,)).to_host(overlaps)
        self.projected[: n + 1, n] = self.projected[n, : n + 1] = column
        self.rest = norm(new)
        if not math.isfinite(self.rest):
            raise ArithmeticError(
                "the product of the matrix with a vector holds NaN or infinity; look for them in "
                "the parameters and the loss, with mg.detect_anomaly()"
            )
        scale = float(abs(self.projected[: n + 1, : n + 1]).max())
        if self.count == self.vectors.shape[1] or self.rest <= 10 * self.epsilon * scale:
            self.rest = 0.0
            return False
        self.vectors[n + 1] = new / self.rest
        return True

    def inject(self, vector: Array) -> None:
        """Go on with the part of a vector that is orthogonal to the basis, instead of the rest."""
        new, _ = self._orthogonal(vector)
        self.vectors[self.count] = new / norm(new)

    def restart(self, values: Array, coefficients: Array) -> None:
        """Keep k vectors of the space, eigenvectors of the projected matrix, and the next vector.

        `values` (k,) are the eigenvalues, `coefficients` (count, k) the eigenvectors in the basis:
        a thick restart (Wu and Simon 2000, SIAM J. Matrix Anal. Appl. 22).
        """
        k, n = len(values), self.vectors.shape[1]
        small = self.on_device(coefficients).T
        for first in range(0, n, _COLUMNS):  # in place: a second basis would double the memory
            part = self.vectors[: self.count, first : first + _COLUMNS]
            self.vectors[:k, first : first + _COLUMNS] = small @ part
        self.vectors[k] = self.vectors[self.count]
        self.projected[...] = 0
        self.projected[range(k), range(k)] = values
        self.count = k

    def on_device(self, array: Array) -> Array:
        """Return an array of host memory beside the vectors, in their dtype."""
        host = array.astype(self.vectors.dtype)
        return self.xp.from_host(host, backend.device_of(self.vectors))

    def _orthogonal(self, vector: Array) -> tuple[Array, Array]:
        """Return a vector without its part in the space, and its overlaps with the basis."""
        basis = self.vectors[: self.count]
        overlaps = basis @ vector
        vector = vector - overlaps @ basis
        again = basis @ vector  # rounding left some: twice is enough (Kahan, in Parlett's book)
        return vector - again @ basis, overlaps + again
