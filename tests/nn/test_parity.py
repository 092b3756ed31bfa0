"""Every module against PyTorch's: one table drives values, gradients, second derivatives, states.

A new module is a new row: how it is made here and there, and the shapes of its inputs. Parameters
go over by `state_dict`, whose names are PyTorch's.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

import minigrad as mg
from minigrad import forward, nn
from minigrad.curvature import Curvature

torch = pytest.importorskip("torch", reason="needs the parity extra: pip install minigrad[parity]")
tnn = torch.nn
pytestmark = [
    pytest.mark.parity,
    pytest.mark.filterwarnings("ignore:reduction. 'mean' divides the total loss by both"),
]


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


class TorchLeCun(tnn.Module):
    def forward(self, x: Any) -> Any:
        return 1.7159 * torch.tanh(x * 2 / 3)


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
    Row("ReLU", nn.ReLU, tnn.ReLU, VECTORS),
    Row("LeakyReLU", nn.LeakyReLU, tnn.LeakyReLU, VECTORS),
    Row("LeakyReLU 2", lambda: nn.LeakyReLU(2.0), lambda: tnn.LeakyReLU(2.0), VECTORS),
    Row("PReLU", nn.PReLU, tnn.PReLU, VECTORS),
    Row("PReLU of channels", lambda: nn.PReLU(4), lambda: tnn.PReLU(4), BATCHES + IMAGES),
    Row("ELU", nn.ELU, tnn.ELU, VECTORS),
    Row("ELU 0.5", lambda: nn.ELU(0.5), lambda: tnn.ELU(0.5), VECTORS),
    Row("SELU", nn.SELU, tnn.SELU, VECTORS),
    Row("GELU", nn.GELU, tnn.GELU, VECTORS),
    Row("GELU tanh", lambda: nn.GELU("tanh"), lambda: tnn.GELU("tanh"), VECTORS),
    Row("SiLU", nn.SiLU, tnn.SiLU, VECTORS),
    Row("Sigmoid", nn.Sigmoid, tnn.Sigmoid, VECTORS),
    Row("Tanh", nn.Tanh, tnn.Tanh, VECTORS),
    Row("LeCunTanh", nn.LeCunTanh, TorchLeCun, VECTORS),
    Row("Softplus", nn.Softplus, tnn.Softplus, VECTORS),
    Row("Softplus 2", lambda: nn.Softplus(2.0), lambda: tnn.Softplus(2.0), VECTORS),
    Row("Softmax", nn.Softmax, lambda: tnn.Softmax(-1), VECTORS),
    Row("Softmax 0", lambda: nn.Softmax(0), lambda: tnn.Softmax(0), VECTORS),
    Row("LogSoftmax", nn.LogSoftmax, lambda: tnn.LogSoftmax(-1), VECTORS),
    Row("LogSoftmax 1", lambda: nn.LogSoftmax(1), lambda: tnn.LogSoftmax(1), ((4, 5), (2, 3, 4))),
    Row("Flatten", nn.Flatten, tnn.Flatten, ((2, 3, 4), (2, 3))),
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


def pair(row: Row, training: bool, rng: np.random.Generator) -> tuple[nn.Module, Any]:
    """Return the two modules in float64, with the same random state."""
    ours, theirs = row.ours().to("float64"), row.theirs().double()
    state = {}
    for name, value in ours.state_dict().items():
        state[name] = np.asarray(rng.random(value.shape) + 0.5).astype(value.dtype)
    ours.load_state_dict(state)
    theirs.load_state_dict({name: torch.from_numpy(value) for name, value in state.items()})
    return ours.train(training), theirs.train(training)


def scalar(module: Any, row: Row, x: Any, target: Any, weights: Any) -> tuple[Any, Any]:
    """Return the output and a scalar that depends on all of it, and not linearly."""
    x = row.prepare(x) if row.prepare else x
    out = module(x) if row.target is None else module(x, target)
    return out, (out * weights[0] + out * out * weights[1]).sum()


def close(ours: Any, theirs: Any, tolerance: float) -> None:
    theirs = theirs.detach().numpy()
    scale = max(float(np.abs(theirs).max(initial=0)), 1.0)
    assert ours.shape == theirs.shape
    np.testing.assert_allclose(ours.numpy(), theirs, rtol=0, atol=tolerance * scale)


@pytest.mark.parametrize(("row", "shape", "training"), CASES)
def test_values_gradients_and_second_order_products(
    row: Row, shape: tuple[int, ...], training: bool
) -> None:
    rng = np.random.default_rng(len(row.name))
    ours, theirs = pair(row, training, rng)
    data = rng.standard_normal(shape)
    target = None if row.target is None else row.target(rng, shape)
    x = mg.tensor(data, requires_grad=True)
    tx = torch.from_numpy(data).requires_grad_()
    there = None if target is None else torch.from_numpy(target)
    with torch.no_grad():
        inner = tx if row.prepare is None else row.prepare(tx)
        size = (theirs(inner) if target is None else theirs(inner, there)).shape
    ours, theirs = pair(row, training, np.random.default_rng(1))  # that changed running estimates
    weights = [rng.standard_normal(tuple(size)) for _ in range(2)]

    out, total = scalar(ours, row, x, target, weights)
    expected, their_total = scalar(theirs, row, tx, there, [torch.from_numpy(w) for w in weights])
    close(out, expected, 1e-12)

    inputs = [x, *ours.parameters()]
    their_inputs = [tx, *theirs.parameters()]
    curvature = Curvature(total, inputs, out)
    first = mg.autograd.grad(total, inputs, create_graph=True)
    their_first = torch.autograd.grad(their_total, their_inputs, create_graph=True)
    for mine, other in zip(first, their_first, strict=True):
        close(mine, other, 1e-11)

    vectors = [rng.standard_normal(z.shape) for z in inputs]
    product = sum((g * mg.tensor(v)).sum() for g, v in zip(first, vectors, strict=True))
    pairs = zip(their_first, vectors, strict=True)
    their_product = sum((g * torch.from_numpy(v)).sum() for g, v in pairs)
    second = mg.autograd.grad(product, inputs, retain_graph=True, allow_unused=True)
    their_second = torch.autograd.grad(
        their_product, their_inputs, retain_graph=True, allow_unused=True
    )
    their_second = [
        torch.zeros_like(z) if other is None else other
        for other, z in zip(their_second, their_inputs, strict=True)
    ]
    steps = [mg.tensor(v) for v in vectors]
    over = curvature.hvp(steps)
    for mine, also, other in zip(second, over, their_second, strict=True):
        close(mg.zeros(other.shape, "float64") if mine is None else mine, other, 1e-9)
        close(also, other, 1e-9)

    # J v as the transpose of the transpose, and Jᵀ H J v with H the Hessian of `scalar`
    seed = torch.zeros_like(expected, requires_grad=True)
    pulled = torch.autograd.grad(expected, their_inputs, seed, create_graph=True)
    moved = [torch.from_numpy(v) for v in vectors]
    (tangent,) = torch.autograd.grad(pulled, seed, moved)
    close(mg.tensor(forward.jvp([out], inputs, vectors)[0]), tangent, 1e-9)
    bent = 2 * torch.from_numpy(weights[1]) * tangent
    gauss_newton = torch.autograd.grad(expected, their_inputs, bent)
    for mine, other in zip(curvature.ggn_vp(steps), gauss_newton, strict=True):
        close(mine, other, 1e-9)

    for name, value in theirs.state_dict().items():  # running estimates too
        np.testing.assert_allclose(ours.state_dict()[name], value.numpy(), rtol=1e-12)


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.name)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_dtype_of_outputs_and_gradients(row: Row, dtype: str) -> None:
    rng = np.random.default_rng(0)
    module, shape = row.ours().to(dtype), row.shapes[0]
    x = mg.tensor(rng.standard_normal(shape), dtype=dtype, requires_grad=True)
    inner = row.prepare(x) if row.prepare else x
    target = None if row.target is None else row.target(rng, shape)
    if target is not None and target.dtype == "float64":
        target = target.astype(dtype)
    out = module(inner) if target is None else module(inner, target)
    assert out.dtype == dtype
    (out * out).sum().backward()
    assert x.grad.dtype == dtype
    assert all(p.grad.dtype == dtype for p in module.parameters())
    assert all(b.dtype in (dtype, "int64") for b in module.buffers())


@pytest.mark.parametrize("row", LAYERS, ids=lambda row: row.name)
def test_state_dict_goes_there_and_back(row: Row) -> None:
    mg.manual_seed(0)
    ours, theirs = row.ours(), row.theirs()
    assert list(ours.state_dict()) == list(theirs.state_dict())
    theirs.load_state_dict({k: torch.from_numpy(v) for k, v in ours.state_dict().items()})
    again = row.ours()
    again.load_state_dict(theirs.state_dict())
    for name, value in ours.state_dict().items():
        np.testing.assert_array_equal(again.state_dict()[name], value)


def test_every_public_module_is_in_the_table() -> None:
    rows = " ".join(row.name for row in TABLE)
    elsewhere = {"Module", "ModuleList", "L1Penalty", "L2Penalty"}
    names = {
        name
        for name in nn.__all__
        if isinstance(getattr(nn, name), type) and issubclass(getattr(nn, name), nn.Module)
    }
    assert sorted(name for name in names - elsewhere if name not in rows.split()) == []
