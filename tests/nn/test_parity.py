"""Every module against PyTorch's: one table drives values, gradients, second derivatives, states.

The table is in `table.py`. Parameters go over by `state_dict`, whose names are PyTorch's.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import minigrad as mg
from minigrad import forward, nn
from minigrad.curvature import Curvature
from tests.nn.table import CASES, LAYERS, TABLE, Row

torch = pytest.importorskip("torch", reason="needs the parity extra: pip install minigrad[parity]")
pytestmark = [
    pytest.mark.parity,
    pytest.mark.filterwarnings("ignore:reduction. 'mean' divides the total loss by both"),
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
