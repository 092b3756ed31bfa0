"""What all optimizers share: the vector of the parameters, closures, what is added to formulas."""

from __future__ import annotations

import gc
import weakref

import numpy as np
import pytest

import minigrad as mg
from minigrad import optim
from minigrad.fuse import BLOCK
from tests.optim.leaves import leaf

# The vector --------------------------------------------------------------------------------------


def test_parameters_are_views_of_one_vector_in_their_own_layout():
    rng = np.random.default_rng(0)
    values = [rng.standard_normal(s) for s in [(3, 4), (4, 3), (), (0, 2), (2, 3, 4), (5,)]]
    orders = ["C", "F", "C", "C", "F", "C"]
    params = [leaf(value, order=order) for value, order in zip(values, orders, strict=True)]
    params.append(leaf(rng.standard_normal((4, 6)))[::2, ::3].detach().requires_grad_())
    before = [p.numpy().copy() for p in params]
    optim.SGD(params)
    assert len({id(p.data.base) for p in params}) == 1
    for p, value, order in zip(params, before, [*orders, "C"], strict=True):
        np.testing.assert_array_equal(p.data, value)
        assert p.data.flags.f_contiguous if order == "F" else p.data.flags.c_contiguous


FULL = BLOCK // 4  # float32 elements of a block


@pytest.mark.parametrize("sizes", [[3 * FULL + 5, 4, FULL, FULL + 1, 3], [7, 5, 0, 2], [FULL]])
def test_blocks_change_no_bit(sizes):
    """The step over cache-sized blocks equals the formula over the whole vector."""
    rng = np.random.default_rng(1)
    params = [leaf(rng.standard_normal(size)) for size in sizes]
    theta = np.concatenate([p.data for p in params])
    m, v = np.zeros_like(theta), np.zeros_like(theta)
    optimizer = optim.Adam(params, lr=0.1)
    for t in (1, 2, 3):
        g = rng.standard_normal(theta.size).astype(np.float32)
        for p, part in zip(params, np.split(g, np.cumsum(sizes)[:-1]), strict=True):
            p.grad = part
        optimizer.step()
        theta, m, v = optim.Adam.update(t, theta, g, m, v, lr=0.1)
    np.testing.assert_array_equal(np.concatenate([p.data for p in params]), theta)


def test_gradients_of_another_layout_find_their_places():
    rng = np.random.default_rng(2)
    p, q = leaf(np.zeros((3, 5)), order="F"), leaf(np.zeros((3, 5)))
    g = rng.standard_normal((3, 5)).astype(np.float32)
    p.grad, q.grad = np.ascontiguousarray(g), np.asfortranarray(g)
    optim.SGD([p, q], lr=1.0).step()
    np.testing.assert_array_equal(p.data, -g)
    np.testing.assert_array_equal(q.data, -g)


def test_dtypes_may_be_mixed_in_a_group():
    params = [leaf([1.0, 2.0], dtype) for dtype in (np.float64, np.float32, np.float64)]
    optimizer = optim.Adam(params, lr=0.1)
    for p in params:
        p.grad = [1.0, -1.0]
    optimizer.step()
    assert [p.dtype for p in params] == [np.float64, np.float32, np.float64]
    for p in params:
        np.testing.assert_allclose(p.data, [0.9, 2.1], rtol=1e-6)


def test_a_parameter_without_a_gradient_keeps_its_state_and_its_count():
    p, q, r = (leaf([1.0]) for _ in range(3))
    optimizer = optim.Adam([p, q, r])
    for step in range(5):
        p.grad, q.grad, r.grad = [1.0], None if step % 2 else [1.0], [1.0]
        optimizer.step()
    state = optimizer.state_dict()["state"]
    assert [state[i]["t"] for i in range(3)] == [5, 3, 5]
    alone = leaf([1.0])
    other = optim.Adam([alone])
    for _ in range(3):
        alone.grad = [1.0]
        other.step()
    assert q.item() == alone.item()
    before = q.item()
    q.grad = None
    optimizer.step()
    assert q.item() == before


def test_frozen_parameters_are_left_alone_until_they_thaw():
    p, q = leaf([1.0]), leaf([1.0])
    q.requires_grad_(False)
    optimizer = optim.SGD([p, q], lr=0.5)
    p.grad = q.grad = [1.0]
    optimizer.step()
    assert (p.item(), q.item()) == (0.5, 1.0)
    q.requires_grad_()
    optimizer.step()
    assert (p.item(), q.item()) == (0.0, 0.5)


def test_a_shared_parameter_gets_one_step_of_both_gradients():
    w = leaf([2.0])
    optimizer = optim.SGD([w], lr=0.1)
    optimizer.step(lambda: (w * w + 3 * w).sum())
    assert w.item() == pytest.approx(2 - 0.1 * (4 + 3))


def test_a_step_makes_older_graphs_refuse():
    p = leaf([1.0, 2.0])
    optimizer = optim.SGD([p], lr=0.1)
    loss = (p * p).sum()
    loss.backward(retain_graph=True)
    optimizer.step()
    with pytest.raises(mg.GraphError, match=r"modified in place"):
        loss.backward()


def test_new_memory_is_taken_in_and_the_state_kept():
    """Somebody replaced p.data: by equal memory, by another optimizer, by another dtype."""
    runs = []
    for change in ("none", "copy", "other optimizer", "same values in float64 and back"):
        p, q = leaf([1.0, 2.0]), leaf([[3.0]])
        optimizer = optim.Adam([p, q], lr=0.1)
        for step in range(6):
            if change == "copy":
                p.data = p.data.copy()
            elif change == "other optimizer" and step == 3:
                optim.SGD([q, p])
            elif change.startswith("same") and step == 2:
                p.data = p.data.astype(np.float64)
            elif change.startswith("same") and step == 3:
                p.data = p.data.astype(np.float32)
            p.grad, q.grad = p.data * 2, q.data * 3
            optimizer.step()
        assert optimizer.state_dict()["state"][0]["t"] == 6
        runs.append([p.numpy().copy(), q.numpy().copy()])
    for run in runs[1:]:
        for ours, expected in zip(run, runs[0], strict=True):
            np.testing.assert_allclose(ours, expected, rtol=1e-6)


def test_a_change_of_shape_is_an_error():
    p = leaf([1.0, 2.0])
    optimizer = optim.SGD([p])
    p.data = np.zeros(3, np.float32)
    p.grad = np.zeros(3)
    with pytest.raises(mg.ShapeError, match=r"\(2,\).*\(3,\)"):
        optimizer.step()


def test_state_that_a_variant_does_not_use_takes_no_memory():
    p = leaf(np.zeros(1000))
    optimizer = optim.SGD([p], lr=0.1)
    p.grad = np.ones(1000)
    optimizer.step()
    assert optimizer.state_dict()["state"] == {0: {"t": 1}}
    optimizer.param_groups[0]["momentum"] = 0.9
    optimizer.step()
    assert optimizer.state_dict()["state"][0]["v"].shape == (1000,)


def test_an_optimizer_dies_with_its_last_reference():
    gc.disable()
    try:
        p = leaf([1.0])
        optimizer = optim.Adam([p])
        optimizer.step(lambda: (p * p).sum())
        alive = weakref.ref(optimizer)
        del optimizer
        assert alive() is None
    finally:
        gc.enable()


# Closures ----------------------------------------------------------------------------------------


def test_the_closure_may_call_backward_or_leave_it():
    results = []
    for calls in (False, True):
        p = leaf([1.0, -2.0])
        p.grad = [100.0, 100.0]  # of an earlier step
        optimizer = optim.Momentum([p], lr=0.1)

        def closure(p=p, optimizer=optimizer, calls=calls):
            loss = (p**2).sum()
            if calls:
                optimizer.zero_grad()
                loss.backward()
            return loss

        with mg.no_grad():
            losses = [optimizer.step(closure).item() for _ in range(3)]
        assert losses == sorted(losses, reverse=True)
        assert losses[0] == 5.0
        results.append(p.tolist())
    assert results[0] == results[1]


def test_the_closure_may_return_a_number():
    p = leaf([1.0])

    def closure():
        p.grad = [1.0]
        return 7

    assert optim.SGD([p], lr=0.5).step(closure) == 7
    assert p.item() == 0.5


def test_zero_grad():
    p, q = leaf([1.0, 2.0]), leaf([1.0])
    optimizer = optim.SGD([p, q])
    p.grad = [3.0, np.nan]
    optimizer.zero_grad(set_to_none=False)
    assert p.grad.tolist() == [0.0, 0.0]
    assert q.grad is None
    optimizer.zero_grad()
    assert p.grad is None


# What is added to every formula ------------------------------------------------------------------


def test_proximal_l1_makes_exact_zeros():
    """On ½‖x − a‖² + κ‖x‖₁ the minimum is a shrunk by κ, and exactly 0 where abs(a) ≤ κ."""
    a = np.array([2.0, 0.3, -0.3, -1.0, 0.0])
    p = leaf(np.ones(5), np.float64)
    optimizer = optim.SGD([p], lr=0.1, l1=0.5)
    for _ in range(400):
        p.grad = p.data - a
        optimizer.step()
    np.testing.assert_allclose(p.data, [1.5, 0, 0, -0.5, 0], atol=1e-12)
    assert (p.data[[1, 2, 4]] == 0).all()


def test_maximize_climbs():
    p, q = leaf([1.0, 2.0]), leaf([1.0, 2.0])
    up = optim.Adam([p], maximize=True, weight_decay=0.1)
    down = optim.Adam([q], weight_decay=0.1)
    for _ in range(5):
        p.grad, q.grad = [1.0, -1.0], [-1.0, 1.0]
        up.step()
        down.step()
    assert p.tolist() == q.tolist()


def test_hyperparameters_are_read_at_each_step():
    p = leaf([1.0])
    optimizer = optim.SGD([p], lr=0.5)
    p.grad = [1.0]
    optimizer.step()
    optimizer.param_groups[0]["lr"] = np.float64(0.25)
    optimizer.step()
    assert p.item() == 0.25
    assert p.dtype == np.float32
