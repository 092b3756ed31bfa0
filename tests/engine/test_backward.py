"""The sweep: accumulation, retained and freed graphs, hooks, inputs that are not reached."""

import itertools

import numpy as np
import pytest

import minigrad as mg
from minigrad import backend


def test_backward_accumulates_into_leaves_only():
    x = mg.tensor([1.0, 2.0, 3.0], requires_grad=True)
    y = x * x
    y.sum().backward()
    (x * 3).sum().backward()
    np.testing.assert_array_equal(x.grad.numpy(), [2 + 3, 4 + 3, 6 + 3])
    assert y.grad is None


def test_a_tensor_used_twice_gets_both_gradients():
    x = mg.tensor(2.0, requires_grad=True)
    y = x * x
    (y * y + y).backward()
    assert x.grad.item() == pytest.approx(4 * 8 + 4)


def test_gradients_of_two_leaves_do_not_share_memory():
    a, b = (mg.zeros(3, requires_grad=True) for _ in range(2))
    c = mg.zeros((3, 1), requires_grad=True)
    (a + b + c.reshape(3)).backward(mg.ones(3))
    a.grad[0] = 7.0
    assert b.grad.tolist() == [1, 1, 1]
    assert c.grad.tolist() == [[1], [1], [1]]


def test_the_gradient_of_a_sum_can_be_written_to():
    x = mg.zeros((2, 3), requires_grad=True)
    x.sum().backward()
    x.grad[0, 0] = 5.0
    assert x.grad.tolist() == [[5, 1, 1], [1, 1, 1]]


def test_the_seed_is_the_users_memory_and_stays_it():
    x = mg.zeros(2, requires_grad=True)
    seed = mg.ones(2)
    x.backward(seed)
    x.grad[0] = 9.0
    assert seed.tolist() == [1, 1]


def apart(*tensors):
    arrays = [x.numpy() for x in tensors]
    return not any(np.shares_memory(x, y) for x, y in itertools.combinations(arrays, 2))


def test_what_passes_a_chain_unchanged_is_nobody_elses_memory():
    x, y = (mg.zeros(3, requires_grad=True) for _ in range(2))
    h = x + 0
    seed = mg.ones(3)
    found = mg.autograd.grad(h + 0 + y, [x, h, y], seed)
    assert apart(*found, seed)
    assert [g.tolist() for g in found] == [[1, 1, 1]] * 3


@pytest.mark.parametrize("returned", [None, mg.full((3,), 4.0)], ids=["looks", "replaces"])
@pytest.mark.parametrize("hooked", ["leaf", "node", "both"])
@pytest.mark.parametrize("create_graph", [False, True])
def test_what_a_hook_keeps_is_nobody_elses_memory(create_graph, hooked, returned):
    x = mg.zeros(3, requires_grad=True)
    h = x + 0
    seed, kept = mg.ones(3), []
    for name, tensor in (("leaf", x), ("node", h)):
        if hooked in (name, "both"):
            tensor.register_hook(lambda g: (kept.append(g), returned)[1])
    (h + 0).backward(seed, create_graph=create_graph)
    others = kept if returned is None else [*kept, returned]
    assert apart(x.grad, seed, *others)
    assert x.grad.tolist() == [4.0 if returned is not None else 1.0] * 3


def test_a_part_of_a_gradient_does_not_keep_the_whole():
    a, b = mg.zeros(300, requires_grad=True), mg.zeros(9_000, requires_grad=True)
    mg.concatenate([a, b]).backward(mg.ones(9_300))
    assert backend.owner(a.grad.data).nbytes < 2_000


@pytest.mark.parametrize("create_graph", [False, True])
@pytest.mark.parametrize(
    "result",
    [
        lambda x, y: (x + y).mean(),
        lambda x, y: x.mean() + mg.sum_to(y, shape=y.shape).sum() * 2.0,
        lambda x, y: (x.T + y.T).reshape(-1)[None].sum(),
    ],
    ids=["mean", "the shape it has", "views"],
)
def test_gradients_can_be_changed_each_for_itself(result, create_graph):
    x, y = (mg.ones(3, 4, requires_grad=True) for _ in range(2))
    result(x, y).backward(create_graph=create_graph)
    before = y.grad.tolist()
    x.grad.detach()[...] = 7
    y.grad.detach()[0] *= 1
    assert y.grad.tolist() == before
    assert apart(x.grad, y.grad)


@pytest.mark.parametrize("create_graph", [False, True])
def test_an_input_given_twice_has_two_gradients(create_graph):
    x = mg.ones(3, requires_grad=True)
    found = mg.autograd.grad((x * x * x).sum(), [x, x], create_graph=create_graph)
    assert apart(*found)
    if create_graph:  # the copy is a graph, too
        for g in found:
            (second,) = mg.autograd.grad(g.sum(), x, retain_graph=True)
            assert second.tolist() == [6] * 3


@pytest.mark.parametrize("shape", [(4,), (2, 2)])
@pytest.mark.parametrize("lent", [bytearray, bytes], ids=["bytearray", "bytes"])
def test_a_seed_may_be_memory_that_is_no_array(lent, shape):
    memory = lent(np.ones(4, "float32").tobytes())
    seed = mg.Tensor(np.frombuffer(memory, "float32"))
    x = mg.zeros(shape, requires_grad=True)
    x.reshape(4).backward(seed)
    x.grad *= 3
    assert seed.tolist() == [1] * 4
    assert x.grad.tolist() == np.full(shape, 3.0).tolist()


def test_a_gradient_is_not_copied_without_need(monkeypatch):
    def refuse(array):
        raise AssertionError(f"{array.shape} is copied")

    x, b = mg.zeros((50, 40), requires_grad=True), mg.zeros(40, requires_grad=True)
    y = mg.relu(x + b)
    seed = mg.ones(50, 40)
    monkeypatch.setattr(backend, "copied", refuse)
    y.backward(seed)
    assert apart(x.grad, b.grad, seed)


def test_grad_of_an_intermediate_and_of_leaves_leaves_grad_alone():
    x = mg.tensor(3.0, requires_grad=True)
    y = x * x
    z = y * y
    dy, dx = mg.autograd.grad(z, [y, x])
    assert (dy.item(), dx.item()) == (18, 108)
    assert x.grad is None


def test_grad_with_several_outputs_and_vectors():
    x = mg.tensor([1.0, 2.0], requires_grad=True)
    (g,) = mg.autograd.grad([x * x, x.sum()], x, [mg.tensor([1.0, 10.0]), mg.tensor(100.0)])
    assert g.tolist() == [102, 140]


def test_unused_input_is_an_error_or_none():
    x, unused = (mg.tensor(1.0, requires_grad=True) for _ in range(2))
    with pytest.raises(mg.GraphError, match="do not depend on input 1"):
        mg.autograd.grad(x * 2, [x, unused])
    assert mg.autograd.grad(x * 2, [x, unused], allow_unused=True)[1] is None


def test_the_sweep_does_not_visit_what_leads_to_no_wanted_input():
    visited = []
    x, w = (mg.tensor(1.0, requires_grad=True) for _ in range(2))
    side = w * 2
    side.register_hook(lambda g: visited.append(g))
    mg.autograd.grad(x * side, x)
    assert visited == []


def test_derivatives_of_every_order_of_one_expression():
    x = mg.tensor(0.7, requires_grad=True, dtype="float64")
    y = mg.sin(x)
    for expected in [np.cos, lambda t: -np.sin(t), lambda t: -np.cos(t), np.sin, np.cos]:
        (y,) = mg.autograd.grad(y, x, create_graph=True)
        assert y.item() == pytest.approx(expected(0.7), rel=1e-14)


def test_create_graph_makes_grad_differentiable():
    x = mg.tensor(3.0, requires_grad=True)
    (x * x * x).backward(create_graph=True)
    first = x.grad
    x.grad = None
    first.backward()
    assert x.grad.item() == 18


def test_retain_graph_allows_a_second_time_and_freed_graphs_explain_themselves():
    x = mg.tensor(2.0, requires_grad=True)
    y = (x * x).exp()
    y.backward(retain_graph=True)
    y.backward()
    with pytest.raises(mg.GraphError, match="retain_graph=True"):
        y.backward()


def test_hooks_see_the_complete_gradient_and_may_replace_it():
    x = mg.tensor([1.0, 2.0], requires_grad=True)
    y = x * 2
    seen = []
    y.register_hook(lambda g: seen.append(g.tolist()))
    remove = x.register_hook(lambda g: g * 10)
    (y + y * y).sum().backward()
    assert seen == [[1 + 4, 1 + 8]]
    assert x.grad.tolist() == [100, 180]
    remove()
    x.grad = None
    (x * 2).sum().backward()
    assert x.grad.tolist() == [2, 2]


def test_a_hook_must_return_the_gradients_shape():
    x = mg.ones(2, requires_grad=True)
    x.register_hook(lambda g: g.sum())
    with pytest.raises(mg.ShapeError, match="hook"):
        x.sum().backward()


def test_no_grad_and_enable_grad_as_context_and_decorator():
    x = mg.tensor(1.0, requires_grad=True)
    with mg.no_grad():
        assert not (x * 2).requires_grad
        with mg.enable_grad():
            assert (x * 2).requires_grad

    @mg.no_grad()
    def evaluate():
        return x * 2

    assert not evaluate().requires_grad
    assert not evaluate().requires_grad  # a decorator serves every call
    assert mg.is_grad_enabled()


def test_no_grad_ends_with_an_exception():
    with pytest.raises(ZeroDivisionError), mg.no_grad():
        raise ZeroDivisionError
    assert mg.is_grad_enabled()


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_a_gradient_has_its_inputs_dtype(dtype):
    x = mg.ones(3, dtype=dtype, requires_grad=True)
    w = mg.ones(3, dtype="float64")
    (x * w).sum().backward()
    assert x.grad.dtype == dtype


def test_a_gradient_can_be_set_by_hand():
    x = mg.zeros(2, requires_grad=True)
    x.grad = [1.0, 2.0]
    assert x.grad.tolist() == [1, 2]
    x.grad = np.array([3.0, 4.0])
    assert x.grad.dtype == "float32"
    with pytest.raises(mg.ShapeError, match=r"\(3,\).*\(2,\)"):
        x.grad = mg.zeros(3)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_gradient_of_one_element_is_an_array_like_any_other(dtype):
    """NumPy makes a number of an array of shape (); a rule must not notice."""
    x = mg.tensor([2.0, 3.0], requires_grad=True, dtype=dtype)
    (x[0] * x[1]).backward()
    assert x.grad.tolist() == [3, 2]
    assert x.grad.dtype == dtype
    matrix = mg.tensor([[2.0, 1.0], [1.0, 3.0]], requires_grad=True, dtype=dtype)
    mg.det(matrix).backward()
    np.testing.assert_allclose(matrix.grad.numpy(), [[3, -1], [-1, 2]], rtol=1e-6)


def test_a_numpy_number_does_not_make_float64_of_a_result():
    x = mg.tensor([2.0, 3.0], requires_grad=True)
    y = np.float64(2.0) * x * np.sqrt(4.0)
    y.sum().backward()
    assert y.dtype == x.grad.dtype == "float32"
    assert x.grad.tolist() == [4, 4]
