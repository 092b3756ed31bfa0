"""Curvature: products with the Hessian and the Gauss–Newton matrix, and what follows from them.

Floor 2. Matrices are never formed unless asked for: all is done by products with vectors.
"""

from minigrad.curvature.diagonal import Estimate, diagonal, estimate_diagonal, trace
from minigrad.curvature.lanczos import lanczos, tridiagonal
from minigrad.curvature.operators import (
    FisherOperator,
    GaussNewtonOperator,
    HessianOperator,
    LinearOperator,
    as_operator,
)
from minigrad.curvature.spectrum import (
    Condition,
    ConvergenceError,
    Eigenpairs,
    SpectralDensity,
    condition_number,
    spectral_density,
    top_eigenvalues,
)
from minigrad.products import Curvature

__all__ = [
    "Condition", "Curvature", "Eigenpairs", "Estimate", "FisherOperator", "GaussNewtonOperator",
    "HessianOperator", "LinearOperator", "ConvergenceError", "SpectralDensity", "as_operator",
    "condition_number", "diagonal", "estimate_diagonal", "lanczos", "spectral_density",
    "top_eigenvalues", "trace", "tridiagonal",
]  # fmt: skip
