"""Methods that go down along a direction, on values, gradients and Hessian-vector products."""

from minigrad.optim.second_order.conjugate_gradient import ConjugateGradient, DerivativeFreeCG
from minigrad.optim.second_order.descent import Report, SecondOrder
from minigrad.optim.second_order.diagonal import StochasticDiagonalLM
from minigrad.optim.second_order.hessian_free import HessianFree
from minigrad.optim.second_order.least_squares import GaussNewton, LevenbergMarquardt
from minigrad.optim.second_order.newton import Newton, NewtonCG
from minigrad.optim.second_order.objective import ClosureError, Objective
from minigrad.optim.second_order.quasi_newton import BFGS, LBFGS
from minigrad.optim.second_order.saddle_free import SaddleFreeNewton
from minigrad.optim.second_order.step_rules import (
    Armijo,
    Fixed,
    Nonmonotone,
    Rule,
    Step,
    StrongWolfe,
)
from minigrad.optim.second_order.trust_region import TrustRegion

__all__ = [
    "Armijo", "BFGS", "ClosureError", "ConjugateGradient", "DerivativeFreeCG", "Fixed",
    "GaussNewton", "HessianFree", "LBFGS", "LevenbergMarquardt", "Newton", "NewtonCG",
    "Nonmonotone", "Objective", "Report", "Rule", "SaddleFreeNewton", "SecondOrder", "Step",
    "StochasticDiagonalLM", "StrongWolfe", "TrustRegion",
]  # fmt: skip
