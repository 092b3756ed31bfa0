"""Optimizers, schedules, clipping, averages of weights: ``from minigrad import optim``.

`METHODS` has every optimizer by the name that the command line calls it.
"""

from minigrad.optim.adam import Adam, Adamax, AdamW, AMSGrad, NAdam
from minigrad.optim.adaptive import Adadelta, Adagrad, RMSprop
from minigrad.optim.hyper import HyperparameterError
from minigrad.optim.momentum import NAG, SGD, Momentum
from minigrad.optim.optimizer import Optimizer

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
    "METHODS",
    "NAG",
    "SGD",
    "AMSGrad",
    "Adadelta",
    "Adagrad",
    "Adam",
    "AdamW",
    "Adamax",
    "HyperparameterError",
    "Momentum",
    "NAdam",
    "Optimizer",
    "RMSprop",
]
