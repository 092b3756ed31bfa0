"""The network that the options describe: hidden layers with norm, activation and dropout."""

from __future__ import annotations

import itertools
from typing import Any

from minigrad import nn

ACTIVATIONS = {
    "relu": "ReLU",
    "leaky-relu": "LeakyReLU",
    "prelu": "PReLU",
    "elu": "ELU",
    "selu": "SELU",
    "gelu": "GELU",
    "silu": "SiLU",
    "sigmoid": "Sigmoid",
    "tanh": "Tanh",
    "lecun-tanh": "LeCunTanh",
    "softplus": "Softplus",
}
INITS = {
    "default": "",
    "xavier-uniform": "xavier_uniform_",
    "xavier-normal": "xavier_normal_",
    "he-uniform": "kaiming_uniform_",
    "he-normal": "kaiming_normal_",
    "lecun-uniform": "lecun_uniform_",
    "lecun-normal": "lecun_normal_",
    "orthogonal": "orthogonal_",
}


def build(options: dict[str, Any], features: int, classes: int) -> nn.Sequential:
    """Return the multilayer perceptron from `features` inputs to the logits of `classes`."""
    layers: list[nn.Module] = []
    widths = [features, *options["hidden"]]
    for before, width in itertools.pairwise(widths):
        layers.append(nn.Linear(before, width))
        if options["batch_norm"]:
            layers.append(nn.BatchNorm(width))
        if options["layer_norm"]:
            layers.append(nn.LayerNorm(width))
        layers.append(getattr(nn, ACTIVATIONS[options["activation"]])())
        if options["dropout"]:
            layers.append(nn.Dropout(options["dropout"]))
    layers.append(nn.Linear(widths[-1], classes))
    initialize = INITS[options["init"]]
    if initialize:
        for layer in layers:
            if isinstance(layer, nn.Linear):
                getattr(nn.init, initialize)(layer.weight)
    return nn.Sequential(*layers)
