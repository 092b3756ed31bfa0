"""Every test that every operation passes, derived from its row of the table.

Derivatives of order k are those of t ↦ Σ w·f(x + t v) at 0, for random w and v, so that one number
depends on every element of the k-th derivative. minigrad computes it by k reverse sweeps, the
oracle by Cauchy's integral of the NumPy reference over a circle in the complex plane.
"""

import math
from dataclasses import replace

import numpy as np
import pytest

import minigrad as mg
from minigrad import forward
from minigrad.batch import Batch
from minigrad.curvature import Curvature
from tests.ops.row import listed
from tests.ops.table import ROWS

SMOOTH = [row for row in ROWS if row.differentiable]
RADIUS, POINTS = 0.1, 24


def named(rows):
    return pytest.mark.parametrize("row", rows, ids=lambda row: row.name)


def leaf(x, dtype=None, grad=True):
    """Return a tensor that requires a gradient if it can."""
    y = mg.tensor(x, dtype=dtype if x.dtype.kind == "f" else None)
    y.data = x.astype(y.dtype, copy=False)  # in x's own memory order
    return y.requires_grad_(grad and x.dtype.kind == "f")


def contour(function, order):
    """Return the derivative of an analytic function of one variable at 0, real on the real line."""
    if order == 0:
        return function(0.0)
    angles = (np.arange(POINTS // 2) + 0.5) * (2 * np.pi / POINTS)
    values = [function(RADIUS * np.exp(1j * a)) * np.exp(-1j * order * a) for a in angles]
    return 2 * math.factorial(order) / (POINTS * RADIUS**order) * np.sum(values).real


def weights(row, outputs, seed):
    rng = np.random.default_rng(seed)
    return [rng.uniform(-1, 1, np.shape(y)) for y in outputs]


def total(parts):
    """Return the sum of a list of tensors, 0-d."""
    parts = [part.sum() for part in parts]
    out = mg.zeros((), dtype=mg.float64)
    for part in parts:
        out = out + part
    return out


def along(row, case):
    """Return what requires a gradient, the results, random w and v, and t ↦ Σ w·f(x + t v)."""
    arrays = row.inputs(case)
    xs = [leaf(x) for x in arrays]
    free = [x for x in xs if x.requires_grad]
    outputs = listed(row.mg(*xs, **case.params))
    ws = weights(row, outputs, 1)
    vs = weights(row, free, 2)
    directions = iter(vs)
    steps = [next(directions) if x.requires_grad else None for x in xs]

    def reference(t):
        moved = [a if v is None else a + t * v for a, v in zip(arrays, steps, strict=True)]
        ys = listed(row.np(*moved, **case.params))
        return sum((w * y).sum() for w, y in zip(ws, ys, strict=True))

    return free, outputs, ws, vs, reference


@named(ROWS)
def test_values(row):
    def check(case):
        inputs = row.inputs(case)
        expected = listed(row.np(*inputs, **case.params))
        for wrap in (leaf, mg.tensor):
            results = listed(row.mg(*map(wrap, inputs), **case.params))
            assert len(results) == len(expected)
            for y, z in zip(results, expected, strict=True):
                assert type(y) is mg.Tensor
                assert type(y.data) is np.ndarray
                assert y.dtype == np.asarray(z).dtype
                np.testing.assert_allclose(y.data, z, rtol=1e-12, atol=1e-13, strict=True)

    row.each(check)


@named(SMOOTH)
def test_derivatives_of_orders_1_2_3(row):
    def check(case):
        free, outputs, ws, vs, reference = along(row, case)
        value = total([w * y for w, y in zip(ws, outputs, strict=True)])
        scale = 1 + abs(value.item())
        for order in (1, 2, 3):
            expected = contour(reference, order)
            scale = max(scale, abs(expected))
            if not value.requires_grad:  # all further derivatives are 0
                value = total([])
                assert expected == pytest.approx(0, abs=1e-9 * scale)
                continue
            plain = mg.autograd.grad(value, free, retain_graph=True, allow_unused=True)
            recorded = mg.autograd.grad(value, free, create_graph=True, allow_unused=True)
            parts = []
            for x, v, g, h in zip(free, vs, plain, recorded, strict=True):
                assert (g is None) == (h is None)
                if g is None:
                    continue
                assert g.shape == h.shape == x.shape
                assert g.dtype == h.dtype == x.dtype
                assert type(g.data) is type(h.data) is np.ndarray
                assert not g.requires_grad
                np.testing.assert_allclose(g.data, h.data, rtol=1e-11, atol=1e-12)
                parts.append(h * v)
            value = total(parts)
            assert value.item() == pytest.approx(expected, rel=1e-9, abs=1e-9 * scale)

    row.each(check, count=8)


@named(SMOOTH)
def test_forward_mode(row):
    """J v, H v forward over reverse, and the third derivative of that, by the same oracle."""

    def check(case):
        free, outputs, ws, vs, reference = along(row, case)
        first, second, third = (contour(reference, order) for order in (1, 2, 3))
        scale = 1 + max(abs(first), abs(second), abs(third))
        pushed = forward.jvp(outputs, free, vs)
        for y, tangent in zip(outputs, pushed, strict=True):
            assert tangent is None or (tangent.shape, tangent.dtype) == (y.shape, y.dtype)
        slope = sum((w * t).sum() for w, t in zip(ws, pushed, strict=True) if t is not None)
        assert slope == pytest.approx(first, rel=1e-9, abs=1e-9 * scale)

        value = total([w * y for w, y in zip(ws, outputs, strict=True)])
        if not value.requires_grad:
            return
        tensors = [mg.tensor(v) for v in vs]
        plain = Curvature(value, free).hvp(tensors)
        recorded = Curvature(value, free, create_graph=True).hvp(tensors)
        for x, a, b in zip(free, plain, recorded, strict=True):
            assert (a.shape, a.dtype) == (b.shape, b.dtype) == (x.shape, x.dtype)
            np.testing.assert_allclose(a.data, b.data, rtol=1e-11, atol=1e-11 * scale)
        whole = Curvature(value, free).hessian().data  # many columns in one sweep
        flat = [np.concatenate([np.ravel(z) for z in some] or [[]]) for some in (vs, plain)]
        np.testing.assert_allclose(whole @ flat[0], flat[1], rtol=1e-9, atol=1e-9 * scale)
        bend = total([h * v for h, v in zip(recorded, vs, strict=True)])
        assert bend.item() == pytest.approx(second, rel=1e-9, abs=1e-9 * scale)
        if bend.requires_grad:
            last = mg.autograd.grad(bend, free, allow_unused=True)
            twist = total([g * v for g, v in zip(last, vs, strict=True) if g is not None])
            assert twist.item() == pytest.approx(third, rel=1e-8, abs=1e-8 * scale)

    row.each(check, count=4)


@named(SMOOTH)
def test_a_batch_is_its_values_one_by_one(row):
    def check(case):
        draws = [row.inputs(replace(case, seed=case.seed + k)) for k in range(3)]
        floats = [n for n, x in enumerate(draws[0]) if x.dtype.kind == "f"]
        for batched in [floats, floats[:1], floats[-1:]]:
            inputs = [
                Batch(np.stack([draw[n] for draw in draws])) if n in batched else x
                for n, x in enumerate(draws[0])
            ]
            found = listed(row.mg(*inputs, **case.params))
            for k, draw in enumerate(draws):
                one = [draw[n] if n in batched else x for n, x in enumerate(draws[0])]
                for y, z in zip(found, listed(row.np(*one, **case.params)), strict=True):
                    assert y.shape == np.shape(z)
                    np.testing.assert_allclose(y.array[k], z, rtol=1e-12, atol=1e-13)

    row.each(check, count=4)


@named(SMOOTH)
def test_a_gradient_does_not_depend_on_who_else_wants_one(row):
    """What a node keeps depends on which inputs require a gradient."""

    def check(case):
        arrays = row.inputs(case)
        xs = [leaf(x) for x in arrays]
        free = [n for n, x in enumerate(xs) if x.requires_grad]
        if len(free) < 2:
            return
        outputs = listed(row.mg(*xs, **case.params))
        ws = weights(row, outputs, 1)
        value = total([w * y for w, y in zip(ws, outputs, strict=True)])
        together = mg.autograd.grad(value, [xs[n] for n in free])
        for n, expected in zip(free, together, strict=True):
            xs = [leaf(x, grad=i == n) for i, x in enumerate(arrays)]
            outputs = listed(row.mg(*xs, **case.params))
            total([w * y for w, y in zip(ws, outputs, strict=True)]).backward()
            np.testing.assert_array_equal(xs[n].grad.data, expected.data)
            assert all(x.grad is None for i, x in enumerate(xs) if i != n)

    row.each(check, count=3)


@named([row for row in SMOOTH if row.name != "astype"])
def test_float32_stays_float32(row):
    def check(case):
        arrays = row.inputs(case)
        gradients = []
        for dtype in (mg.float32, mg.float64):
            xs = [leaf(x, dtype) for x in arrays]
            outputs = listed(row.mg(*xs, **case.params))
            assert all(y.dtype == dtype for y in outputs)
            ws = weights(row, outputs, 1)
            free = [x for x in xs if x.requires_grad]
            value = [(y * w.astype(dtype)).sum() for w, y in zip(ws, outputs, strict=True)]
            found = mg.autograd.grad(value, free, create_graph=True, allow_unused=True)
            assert all(g.dtype == dtype for g in found if g is not None)
            gradients.append(found)
        for single, double in zip(*gradients, strict=True):
            if single is not None:
                np.testing.assert_allclose(single.data, double.data, rtol=2e-4, atol=2e-4)

    row.each(check, count=3)


@named([row for row in ROWS if row.integers])
def test_integers_become_float32_if_anything(row):
    def check(case):
        arrays = [
            x if x.dtype.kind == "b" else np.rint(abs(x) * 2).astype(int) + 1
            for x in row.inputs(case)
        ]
        if "det" in row.name or row.name in ("inv", "solve", "solve, a batch with one vector"):
            arrays[0] += 5 * np.eye(arrays[0].shape[-1], dtype=int)
        results = listed(row.mg(*map(mg.tensor, arrays), **case.params))
        for y, z in zip(results, listed(row.np(*arrays, **case.params)), strict=True):
            kind = np.asarray(z).dtype
            assert y.dtype == (kind if kind.kind in "ib" else np.float32)
            assert not y.requires_grad
            np.testing.assert_allclose(y.data, z, rtol=1e-5, atol=1e-6)

    row.each(check, count=3)


@named([row for row in ROWS if not row.differentiable])
def test_what_has_no_derivative_has_no_graph(row):
    def check(case):
        xs = [leaf(x) for x in row.inputs(case)]
        for y in listed(row.mg(*xs, **case.params)):
            assert not y.requires_grad
            assert y.node is None
            with pytest.raises(mg.GraphError, match="no graph"):
                y.backward()

    row.each(check, count=3)


@pytest.mark.parity
@named([row for row in ROWS if row.torch is not None])
def test_parity_with_pytorch(row):
    torch = pytest.importorskip(
        "torch", reason="needs the parity extra: pip install minigrad[parity]"
    )

    def check(case):
        arrays = row.inputs(case, order="C")
        xs = [leaf(x) for x in arrays]
        ts = [torch.tensor(x, requires_grad=x.dtype.kind == "f") for x in arrays]
        outputs = listed(row.mg(*xs, **case.params))
        theirs = listed(row.by_torch(torch, *ts, **case.params))
        for y, t in zip(outputs, theirs, strict=True):
            np.testing.assert_allclose(y.data, t.detach().numpy(), rtol=1e-11, atol=1e-12)
        if not row.differentiable:
            return
        ws = weights(row, outputs, 1)
        ours = total([w * y for w, y in zip(ws, outputs, strict=True)])
        their = sum((torch.tensor(w) * t).sum() for w, t in zip(ws, theirs, strict=True))
        free, leaves = ([x for x in some if x.requires_grad] for some in (xs, ts))
        vs = weights(row, free, 2)
        for _order in (1, 2):
            if not ours.requires_grad or not their.requires_grad:
                break
            g = mg.autograd.grad(ours, free, create_graph=True, allow_unused=True)
            h = torch.autograd.grad(their, leaves, create_graph=True, allow_unused=True)
            for a, b in zip(g, h, strict=True):
                left = 0.0 if a is None else a.data
                right = 0.0 if b is None else b.numpy(force=True)
                np.testing.assert_allclose(left, right, rtol=1e-9, atol=1e-10)
            ours = total([a * v for a, v in zip(g, vs, strict=True) if a is not None])
            parts = [
                (b * torch.tensor(v)).sum() for b, v in zip(h, vs, strict=True) if b is not None
            ]
            their = sum(parts, torch.zeros((), dtype=torch.float64))

    row.each(check, count=3)
