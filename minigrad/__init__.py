"""minigrad: an autograd engine with built-in optimizers, on NumPy and CuPy.

The usual import is ``import minigrad as mg``. This file lists the public names, nothing else.
"""

from typing import TYPE_CHECKING

from minigrad import autograd, curvature, elsewhere, ops, random, testing
from minigrad.backend import DeviceError, empty_cache
from minigrad.backend.numpy import bool_, float16, float32, float64, int32, int64
from minigrad.backend.settings import allow_tf32, deterministic
from minigrad.creation import (
    arange,
    eye,
    full,
    linspace,
    ones,
    ones_like,
    rand,
    randn,
    zeros,
    zeros_like,
)
from minigrad.func import ggn_vp, grad, hessian, hvp, jacobian, jvp, value_and_grad, vhp, vjp
from minigrad.interchange import from_dlpack
from minigrad.machine import tune
from minigrad.mode import (
    AnomalyError,
    GraphError,
    ShapeError,
    detect_anomaly,
    enable_grad,
    is_grad_enabled,
    no_grad,
)
from minigrad.ops import *  # noqa: F403  (the operations, by their names in ops.__all__)
from minigrad.random import manual_seed
from minigrad.tensor import Tensor, tensor

__version__ = "0.1.0"

__all__ = [
    *ops.__all__,
    "AnomalyError", "DeviceError", "GraphError", "ShapeError", "Tensor", "allow_tf32", "arange",
    "autograd", "bool_", "curvature", "detect_anomaly", "deterministic", "enable_grad",
    "empty_cache", "eye", "float16", "float32", "float64", "from_dlpack", "full",
    "ggn_vp", "grad", "hessian", "hvp", "int32", "int64", "is_grad_enabled", "jacobian", "jvp",
    "linspace",
    "manual_seed", "no_grad", "ones", "ones_like", "rand", "randn", "random", "tensor", "testing",
    "tune", "value_and_grad", "vhp", "vjp", "zeros", "zeros_like",
]  # fmt: skip

if not TYPE_CHECKING:  # else every name would be one to a checker of types
    __getattr__ = elsewhere.missing(__name__, ("datasets", "nn", "optim", "training", "viz"))
