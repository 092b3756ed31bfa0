"""The table of modules: each with PyTorch's, the shapes of its inputs, and a loss's target.

`test_parity.py` holds every row to PyTorch, and `tests/cuda/test_nn.py` a device to the CPU. A new
module is a new row: how it is made here and there, and the shapes to try.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from minigrad import nn


@dataclass
class Row:
    """A module here, the same there, and the shapes to try."""

    name: str
    ours: Callable[[], nn.Module]
    theirs: Callable[[], Any]
    shapes: tuple[tuple[int, ...], ...]
    target: Callable[[np.random.Generator, tuple[int, ...]], Any] | None = None
    prepare: Callable[[Any], Any] | None = (
        None  # what is done to the input first, in either library
    )


class _TorchNN:
    """``torch.nn``, imported when a row asks for a module of it."""

    def __getattr__(self, name: str) -> Any:
        import torch

        return getattr(torch.nn, name)


tnn = _TorchNN()


def torch_lecun() -> Any:
    """Return LeCun's tanh in PyTorch, which has none."""
    import torch

    class LeCunTanh(torch.nn.Module):
        def forward(self, x: Any) -> Any:
            return 1.7159 * torch.tanh(x * 2 / 3)

    return LeCunTanh()


VECTORS = ((4, 5), (3,), (2, 3, 4))
BATCHES = ((6, 4),)
IMAGES = ((3, 4, 2), (2, 4, 3, 2))

LAYERS = [
    Row("Linear", lambda: nn.Linear(5, 3), lambda: tnn.Linear(5, 3), ((4, 5), (5,), (2, 3, 5))),
    Row(
        "Linear without bias",
        lambda: nn.Linear(5, 3, bias=False),
        lambda: tnn.Linear(5, 3, bias=False),
        ((4, 5), (2, 3, 5)),
    ),
    Row("ReLU", nn.ReLU, lambda: tnn.ReLU(), VECTORS),
    Row("LeakyReLU", nn.LeakyReLU, lambda: tnn.LeakyReLU(), VECTORS),
    Row("LeakyReLU 2", lambda: nn.LeakyReLU(2.0), lambda: tnn.LeakyReLU(2.0), VECTORS),
    Row("PReLU", nn.PReLU, lambda: tnn.PReLU(), VECTORS),
    Row("PReLU of channels", lambda: nn.PReLU(4), lambda: tnn.PReLU(4), BATCHES + IMAGES),
    Row("ELU", nn.ELU, lambda: tnn.ELU(), VECTORS),
    Row("ELU 0.5", lambda: nn.ELU(0.5), lambda: tnn.ELU(0.5), VECTORS),
    Row("SELU", nn.SELU, lambda: tnn.SELU(), VECTORS),
    Row("GELU", nn.GELU, lambda: tnn.GELU(), VECTORS),
    Row("GELU tanh", lambda: nn.GELU("tanh"), lambda: tnn.GELU("tanh"), VECTORS),
    Row("SiLU", nn.SiLU, lambda: tnn.SiLU(), VECTORS),
    Row("Sigmoid", nn.Sigmoid, lambda: tnn.Sigmoid(), VECTORS),
    Row("Tanh", nn.Tanh, lambda: tnn.Tanh(), VECTORS),
    Row("LeCunTanh", nn.LeCunTanh, torch_lecun, VECTORS),
    Row("Softplus", nn.Softplus, lambda: tnn.Softplus(), VECTORS),
    Row("Softplus 2", lambda: nn.Softplus(2.0), lambda: tnn.Softplus(2.0), VECTORS),
    Row("Softmax", nn.Softmax, lambda: tnn.Softmax(-1), VECTORS),
    Row("Softmax 0", lambda: nn.Softmax(0), lambda: tnn.Softmax(0), VECTORS),
    Row("LogSoftmax", nn.LogSoftmax, lambda: tnn.LogSoftmax(-1), VECTORS),
    Row("LogSoftmax 1", lambda: nn.LogSoftmax(1), lambda: tnn.LogSoftmax(1), ((4, 5), (2, 3, 4))),
    Row("Flatten", nn.Flatten, lambda: tnn.Flatten(), ((2, 3, 4), (2, 3))),
    Row("BatchNorm", lambda: nn.BatchNorm(4), lambda: tnn.BatchNorm1d(4), ((6, 4), (3, 4, 2))),
    Row("BatchNorm images", lambda: nn.BatchNorm(4), lambda: tnn.BatchNorm2d(4), ((2, 4, 3, 2),)),
    Row(
        "BatchNorm bare",
        lambda: nn.BatchNorm(4, eps=1e-2, affine=False, track_running_stats=False),
        lambda: tnn.BatchNorm1d(4, eps=1e-2, affine=False, track_running_stats=False),
        ((6, 4),),
    ),
    Row(
        "BatchNorm cumulative",
        lambda: nn.BatchNorm(4, momentum=None),
        lambda: tnn.BatchNorm1d(4, momentum=None),
        ((6, 4),),
    ),
    Row("LayerNorm", lambda: nn.LayerNorm(4), lambda: tnn.LayerNorm(4), ((6, 4), (4,), (2, 3, 4))),
    Row(
        "LayerNorm of two axes",
        lambda: nn.LayerNorm((3, 4)),
        lambda: tnn.LayerNorm((3, 4)),
        ((3, 4), (2, 3, 4)),
    ),
    Row(
        "LayerNorm without bias",
        lambda: nn.LayerNorm(4, bias=False),
        lambda: tnn.LayerNorm(4, bias=False),
        ((6, 4),),
    ),
    Row(
        "LayerNorm bare",
        lambda: nn.LayerNorm(4, elementwise_affine=False),
        lambda: tnn.LayerNorm(4, elementwise_affine=False),
        ((6, 4),),
    ),
    Row("Dropout of nothing", lambda: nn.Dropout(0.0), lambda: tnn.Dropout(0.0), VECTORS),
    Row("Dropout of all", lambda: nn.Dropout(1.0), lambda: tnn.Dropout(1.0), VECTORS),
    Row(
        "Sequential",
        lambda: nn.Sequential(
            nn.Linear(4, 6), nn.BatchNorm(6), nn.Tanh(), nn.LayerNorm(6), nn.Linear(6, 2)
        ),
        lambda: tnn.Sequential(
            tnn.Linear(4, 6), tnn.BatchNorm1d(6), tnn.Tanh(), tnn.LayerNorm(6), tnn.Linear(6, 2)
        ),
        BATCHES,
    ),
]


def numbers(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    return rng.standard_normal(shape)


def halves(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    return rng.random(shape)


def classes(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    target = rng.integers(0, shape[1], shape[:1] + shape[2:])
    target.reshape(-1)[0] = 1  # which one row ignores
    return target


def one_class(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    return np.asarray(rng.integers(0, shape[0]))


def ignored(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    target = classes(rng, shape)
    target.reshape(-1)[::2] = -100
    return target


def probabilities(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    raw = np.exp(rng.standard_normal(shape))
    return raw / raw.sum(1 if len(shape) > 1 else 0, keepdims=True)


def sparse(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    return probabilities(rng, shape) * (rng.random(shape) > 0.4)


def log_probabilities(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    return np.log(probabilities(rng, shape))


def loss(name: str, target: Any, shapes: Any, prepare: Any = None, **keywords: Any) -> list[Row]:
    """Return a row for each reduction."""
    words = ["mean", "sum", "none", *(["batchmean"] if name == "KLDivLoss" else [])]
    notes = [target.__name__, *(f"{key}={value}" for key, value in keywords.items())]
    return [
        Row(
            f"{name} {word} {' '.join(notes)}",
            lambda word=word: getattr(nn, name)(reduction=word, **keywords),
            lambda word=word: getattr(tnn, name)(reduction=word, **keywords),
            shapes,
            target,
            prepare,
        )
        for word in words
    ]


def logp(x: Any) -> Any:
    return x.log_softmax(1)


PLANES = ((5, 4), (2, 4, 3))
LOSSES = [
    *loss("MSELoss", numbers, VECTORS),
    *loss("L1Loss", numbers, VECTORS),
    *loss("HuberLoss", numbers, VECTORS),
    *loss("HuberLoss", numbers, VECTORS, delta=0.3),
    *loss("CrossEntropyLoss", classes, (*PLANES, (2, 4, 3, 2))),
    *loss("CrossEntropyLoss", one_class, ((4,),)),
    *loss("CrossEntropyLoss", ignored, PLANES),
    *loss("CrossEntropyLoss", classes, PLANES, ignore_index=1),
    *loss("CrossEntropyLoss", classes, PLANES, label_smoothing=0.1),
    *loss("CrossEntropyLoss", ignored, PLANES, label_smoothing=0.1),
    *loss("CrossEntropyLoss", probabilities, (*PLANES, (4,))),
    *loss("CrossEntropyLoss", probabilities, PLANES, label_smoothing=0.2),
    *loss("NLLLoss", classes, PLANES, logp),
    *loss("NLLLoss", ignored, PLANES, logp),
    *loss("BCEWithLogitsLoss", halves, VECTORS),
    *loss("KLDivLoss", sparse, PLANES, logp),
    *loss("KLDivLoss", log_probabilities, PLANES, logp, log_target=True),
]
TABLE = LAYERS + LOSSES
MODAL = ("BatchNorm", "Dropout", "Sequential")  # what is not the same in training and evaluation
CASES = [
    pytest.param(row, shape, training, id=f"{row.name}-{shape}-{'train' if training else 'eval'}")
    for row in TABLE
    for shape in row.shapes
    for training in ((True, False) if row.name.split()[0] in MODAL else (True,))
]
