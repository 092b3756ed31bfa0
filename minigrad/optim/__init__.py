"""Optimizers, schedules, clipping, averages of weights: ``from minigrad import optim``.

`METHODS` has every optimizer by the name that the command line calls it.
"""

from minigrad.optim.adam import Adam, Adamax, AdamW, AMSGrad, NAdam
from minigrad.optim.adaptive import Adadelta, Adagrad, RMSprop
from minigrad.optim.clip import (
    clip_grad_norm_,
    clip_grad_norm_per_parameter_,
    clip_grad_value_,
)
from minigrad.optim.ema import EMA
from minigrad.optim.hyper import HyperparameterError
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
}

__all__ = [
    "EMA", "METHODS", "NAG", "SGD", "AMSGrad", "Adadelta", "Adagrad", "Adam", "AdamW", "Adamax",
    "ChainedScheduler", "ConstantLR", "CosineAnnealingLR", "ExponentialLR", "HyperparameterError",
    "InverseSqrtLR", "LambdaLR", "LinearLR", "LinearWarmup", "Momentum", "MultiStepLR", "NAdam",
    "OneCycleLR", "Optimizer", "PolynomialLR", "RMSprop", "ReduceLROnPlateau", "Schedule",
    "SequentialLR", "StepLR", "clip_grad_norm_", "clip_grad_norm_per_parameter_",
    "clip_grad_value_",
]  # fmt: skip
