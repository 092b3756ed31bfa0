"""Modules: layers with their parameters, initialization, regularization, losses."""

from typing import TYPE_CHECKING

from minigrad import calls, elsewhere
from minigrad.nn import functional, init
from minigrad.nn.activations import (
    ELU,
    GELU,
    SELU,
    LeakyReLU,
    LeCunTanh,
    LogSoftmax,
    PReLU,
    ReLU,
    Sigmoid,
    SiLU,
    Softmax,
    Softplus,
    Tanh,
)  # fmt: skip
from minigrad.nn.containers import ModuleList, Sequential
from minigrad.nn.linear import Flatten, Linear
from minigrad.nn.losses import (
    BCEWithLogitsLoss,
    CrossEntropyLoss,
    HuberLoss,
    KLDivLoss,
    L1Loss,
    MSELoss,
    NLLLoss,
)  # fmt: skip
from minigrad.nn.module import Module, Parameter
from minigrad.nn.norms import BatchNorm, LayerNorm
from minigrad.nn.regularization import Dropout, L1Penalty, L2Penalty
from minigrad.nn.statistics import refresh_statistics

__all__ = [
    "BCEWithLogitsLoss", "BatchNorm", "CrossEntropyLoss", "Dropout", "ELU", "Flatten", "GELU",
    "HuberLoss", "KLDivLoss", "L1Loss", "L1Penalty", "L2Penalty", "LayerNorm", "LeCunTanh",
    "LeakyReLU", "Linear", "LogSoftmax", "MSELoss", "Module", "ModuleList", "NLLLoss", "PReLU",
    "Parameter", "ReLU", "SELU", "Sequential", "SiLU", "Sigmoid", "Softmax", "Softplus", "Tanh",
    "functional", "init", "refresh_statistics",
]  # fmt: skip

calls.tell(globals(), __all__)
if not TYPE_CHECKING:  # else every name would be one to a checker of types
    __getattr__ = elsewhere.missing(__name__)
