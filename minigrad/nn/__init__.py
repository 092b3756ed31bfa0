"""Modules: layers with their parameters, initialization, regularization, losses."""

from minigrad.nn import functional, init
from minigrad.nn.activations import ReLU
from minigrad.nn.containers import ModuleList, Sequential
from minigrad.nn.linear import Flatten, Linear
from minigrad.nn.losses import CrossEntropyLoss
from minigrad.nn.module import Module, Parameter

__all__ = [
    "CrossEntropyLoss", "Flatten", "Linear", "Module", "ModuleList", "Parameter", "ReLU",
    "Sequential", "functional", "init",
]  # fmt: skip
