"""Optimizers, schedules, clipping, averages of weights: ``from minigrad import optim``.

`METHODS` has every optimizer by the name that the command line calls it.
"""

from typing import TYPE_CHECKING

from minigrad import calls, elsewhere
from minigrad.optim.adam import Adam, Adamax, AdamW, AMSGrad, NAdam
from minigrad.optim.adaptive import Adadelta, Adagrad, RMSprop
from minigrad.optim.clip import (
    clip_grad_norm_,
    clip_grad_norm_per_parameter_,
    clip_grad_value_,
)
from minigrad.optim.ema import EMA
from minigrad.optim.hyper import HyperparameterError
from minigrad.optim.minimize import Result, minimize
from minigrad.optim.momentum import NAG, SGD, Momentum
from minigrad.optim.optimizer import Optimizer
from minigrad.optim.plateau import ReduceLROnPlateau
from minigrad.optim.schedules import (
    ChainedScheduler,
    ConstantLR,
    CosineAnnealingLR,
    ExponentialLR,
    InverseSqrtLR,
    LambdaLR,
    LinearLR,
    LinearWarmup,
    MultiStepLR,
    OneCycleLR,
    PolynomialLR,
    Schedule,
    SequentialLR,
    StepLR,
)
from minigrad.optim.second_order import (
    BFGS,
    LBFGS,
    Armijo,
    ClosureError,
    ConjugateGradient,
    DerivativeFreeCG,
    Fixed,
    GaussNewton,
    HessianFree,
    LevenbergMarquardt,
    Newton,
    NewtonCG,
    Nonmonotone,
    Report,
    SaddleFreeNewton,
    SecondOrder,
    StochasticDiagonalLM,
    StrongWolfe,
    TrustRegion,
)

#: Every optimizer by the name that the command line calls it.
METHODS: dict[str, type[Optimizer]] = {
    "sgd": SGD,
    "momentum": Momentum,
    "nag": NAG,
    "adagrad": Adagrad,
    "adadelta": Adadelta,
    "rmsprop": RMSprop,
    "adam": Adam,
    "adamw": AdamW,
    "adamax": Adamax,
    "amsgrad": AMSGrad,
    "nadam": NAdam,
    "cg": ConjugateGradient,
    "derivative-free-cg": DerivativeFreeCG,
    "bfgs": BFGS,
    "lbfgs": LBFGS,
    "newton": Newton,
    "newton-cg": NewtonCG,
    "saddle-free-newton": SaddleFreeNewton,
    "stochastic-diagonal-lm": StochasticDiagonalLM,
    "gauss-newton": GaussNewton,
    "levenberg-marquardt": LevenbergMarquardt,
    "hessian-free": HessianFree,
}

__all__ = [
    "AMSGrad", "Adadelta", "Adagrad", "Adam", "AdamW", "Adamax", "Armijo", "BFGS",
    "ChainedScheduler", "ClosureError", "ConjugateGradient", "ConstantLR", "CosineAnnealingLR",
    "DerivativeFreeCG", "EMA", "ExponentialLR", "Fixed", "GaussNewton", "HessianFree",
    "HyperparameterError", "InverseSqrtLR", "LBFGS", "LambdaLR", "LevenbergMarquardt", "LinearLR",
    "LinearWarmup", "METHODS", "Momentum", "MultiStepLR", "NAG", "NAdam", "Newton", "NewtonCG",
    "Nonmonotone", "OneCycleLR", "Optimizer", "PolynomialLR", "RMSprop", "ReduceLROnPlateau",
    "Report", "Result", "SGD", "SaddleFreeNewton", "Schedule", "SecondOrder", "SequentialLR",
    "StepLR", "StochasticDiagonalLM", "StrongWolfe", "TrustRegion", "clip_grad_norm_",
    "clip_grad_norm_per_parameter_", "clip_grad_value_", "minimize",
]  # fmt: skip

calls.tell(globals(), __all__)
if not TYPE_CHECKING:  # else every name would be one to a checker of types
    __getattr__ = elsewhere.missing(__name__)
