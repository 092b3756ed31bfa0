"""Curvature: products with the Hessian and the Gauss–Newton matrix, and what follows from them.

Floor 2. Matrices are never formed unless asked for: all is done by products with vectors.
"""

from minigrad.curvature.lanczos import lanczos, tridiagonal
from minigrad.curvature.operators import (
    FisherOperator,
    GaussNewtonOperator,
    HessianOperator,
    LinearOperator,
    as_operator,
)
from minigrad.forward import Curvature

__all__ = [
    "Curvature", "FisherOperator", "GaussNewtonOperator", "HessianOperator", "LinearOperator",
    "as_operator", "lanczos", "tridiagonal",
]  # fmt: skip
