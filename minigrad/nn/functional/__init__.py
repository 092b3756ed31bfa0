"""The functions beneath the modules, without state; names and conventions are PyTorch's.

Where PyTorch says `dim`, this library says `axis`. `layers.py` has layers, activations, norms and
dropout, `numbers.py` the losses of numbers, `classes.py` those of classes, and `reduction.py` what
these share. Their modules are in `nn/losses.py`; what is here says shapes and formulas. A
`reduction` is ``"mean"``, ``"sum"`` or ``"none"``.
"""

from typing import TYPE_CHECKING

from minigrad import calls, elsewhere
from minigrad.nn.functional.classes import cross_entropy, nll_loss
from minigrad.nn.functional.layers import (
    batch_norm,
    dropout,
    elu,
    gelu,
    layer_norm,
    leaky_relu,
    linear,
    prelu,
    selu,
    softplus,
)
from minigrad.nn.functional.numbers import (
    binary_cross_entropy_with_logits,
    huber_loss,
    kl_div,
    l1_loss,
    mse_loss,
)
from minigrad.ops import log_softmax, relu, sigmoid, softmax, tanh
from minigrad.ops.neural import lecun_tanh, silu

__all__ = [
    "batch_norm", "binary_cross_entropy_with_logits", "cross_entropy", "dropout", "elu", "gelu",
    "huber_loss", "kl_div", "l1_loss", "layer_norm", "leaky_relu", "lecun_tanh", "linear",
    "log_softmax", "mse_loss", "nll_loss", "prelu", "relu", "selu", "sigmoid", "silu", "softmax",
    "softplus", "tanh",
]  # fmt: skip

calls.tell(globals(), __all__)
if not TYPE_CHECKING:  # else every name would be one to a checker of types
    __getattr__ = elsewhere.missing(__name__)
