"""What silently goes wrong elsewhere is an error here that explains itself: one table."""

import operator
from functools import partial

import numpy as np
import pytest

import minigrad as mg


def leaf(*shape):
    return mg.ones(shape, requires_grad=True)


def nonscalar_backward():
    (leaf(3) * 2).backward()


def backward_without_graph():
    mg.ones(()).backward()


def backward_under_no_grad():
    with mg.no_grad():
        y = leaf().exp()
    y.backward()


def freed_graph():
    x = leaf()
    y = x.exp()
    y.backward()
    y.backward()


def kept_input_modified():
    x, w = leaf(3), leaf(3)
    y = (x * w).sum()
    with mg.no_grad():
        w -= 0.1
    y.backward()


def kept_constant_modified():
    x, c = leaf(3), mg.ones(3)
    y = (x * c).sum()
    c[0] = 5.0
    y.backward()


def kept_output_modified():
    x = leaf(3)
    h = x.exp()
    y = h.sum()
    with mg.no_grad():
        h *= 2
    y.backward()


def view_of_kept_modified():
    x, w = leaf(2, 3), leaf(3, 2)
    y = (x @ w.T.T).sum()
    with mg.no_grad():
        w[0] = 9.0
    y.backward()


def higher_order_after_change():
    x = leaf()
    (g,) = mg.autograd.grad(x * x * x, x, create_graph=True)
    with mg.no_grad():
        x += 1.0
    g.backward()


def item_assignment_in_graph():
    y = leaf(3) * 2
    y[0] = 1.0


def item_assignment_on_leaf():
    leaf(3)[0] = 1.0


def item_assignment_of_graph_value():
    x = mg.zeros(3)
    x[0] = leaf() * 2


def in_place_on_leaf():
    x = leaf(3)
    x += 1.0


def integer_gradient():
    mg.tensor([1, 2], requires_grad=True)


def integer_gradient_later():
    mg.tensor([1, 2]).requires_grad_()


def boolean_gradient():
    mg.tensor([True], requires_grad=True)


def requires_grad_of_intermediate():
    (leaf(3) * 2).requires_grad_(False)


def wrong_gradient_shape():
    (leaf(3) * 2).backward(mg.ones(2))


def truth_of_many():
    bool(mg.ones(3) > 0)


def item_of_many():
    mg.ones(3).item()


def unknown_device():
    mg.tensor([1.0], device="tpu")


def ragged():
    mg.tensor([[1.0], [2.0, 3.0]])


def text():
    mg.tensor("abc")


def complex_numbers():
    mg.tensor([1j])


def strange_operand():
    mg.ones(3) + {"a": 1}


def index_of_float():
    [1, 2, 3][mg.tensor(1.0)]


def float_mask():
    mg.ones(3)[mg.tensor([0.0, 1.0])]


def length_of_scalar():
    len(mg.tensor(1.0))


def hook_without_gradient():
    mg.ones(3).register_hook(print)


def grad_of_constant():
    mg.autograd.grad(leaf(), mg.ones(()))


def loss_is_a_number():
    mg.autograd.grad(3.0, leaf())


def not_differentiable():
    x = leaf(3)
    y = mg.argmax(x).astype(mg.float32)
    y.backward()


def nested(depth):
    """Return a number in so many lists."""
    data = 1.0
    for _ in range(depth):
        data = [data]
    return data


def flot32(make):
    """Return a call of `make` with a dtype that is none."""
    return lambda: make(dtype="flot32")


ERRORS = [
    *(
        (flot32(make), TypeError, "'flot32' is no dtype.*legal are float32.*mg.float32")
        for make in (
            partial(mg.zeros, 3),
            partial(mg.full, 3, 1),
            partial(mg.eye, 3),
            partial(mg.arange, 3),
            partial(mg.linspace, 0, 1, 3),
            partial(mg.randn, 3),
            partial(mg.rand, 3),
            partial(mg.tensor, [1.0]),
            partial(mg.astype, mg.ones(3)),
        )
    ),
    (lambda: mg.zeros(3, dtype=complex), TypeError, "no dtype of real numbers"),
    (lambda: mg.ones(3).to("gpu"), TypeError, "'gpu' is no dtype.*no device"),
    (lambda: mg.ones(2.5), TypeError, "ones: every size must be an integer, not 2.5"),
    (lambda: mg.ones(2, "float64"), TypeError, "every size must be an integer, not 'float64'"),
    (lambda: mg.randn(3, -1), mg.ShapeError, "randn: every size must be at least 0, not -1"),
    (lambda: mg.ones(3).view(3, 1), AttributeError, r"no \.view, as PyTorch's.*\.reshape\(...\)"),
    (lambda: mg.ones(3).cpu(), AttributeError, r'\.to\("cpu"\)'),
    (lambda: mg.ones((2, 3)).t(), AttributeError, r"use \.T"),
    (lambda: mg.ones(3).sun(), AttributeError, "no attribute 'sun'"),
    (lambda: np.sin(mg.ones(3)), TypeError, r"np\.sin into an array.*mg\.sin for np\.sin.*\.numpy"),
    (lambda: np.add.reduce(mg.ones(3)), TypeError, r"np\.add into an array"),
    (lambda: operator.iadd(np.ones(3), mg.ones(3)), TypeError, r"np\.add into an array"),
    (lambda: mg.ones(3).sum(dim=0), TypeError, "sum has no dim=; use axis="),
    (lambda: mg.ones(3).mean(0, keepdim=True), TypeError, "mean has no keepdim=; use keepdims="),
    (lambda: mg.softmax(mg.ones(3), dim=0), TypeError, "softmax has no dim=; use axis="),
    (lambda: mg.stack([mg.ones(3)], dim=0), TypeError, "stack has no dim=; use axis="),
    (lambda: mg.nn.LogSoftmax(dim=1), TypeError, "Softmax has no dim=; use axis="),
    (lambda: mg.sum(mg.ones(3), keepdim=True), TypeError, "sum has no keepdim=; use keepdims="),
    (lambda: mg.sum(mg.ones(3), along=0), TypeError, "has no along=; it takes x, axis, keepdims"),
    (lambda: mg.full(2, 300, dtype="int8"), OverflowError, "300 is no number of int8.*-128 to 127"),
    (lambda: mg.full(2, None), TypeError, "holds real numbers or booleans, .* not NoneType"),
    (lambda: mg.arange(300, dtype="int8"), OverflowError, "299 is no number of int8"),
    (lambda: mg.arange(10**30), OverflowError, "is no number of int64"),
    (lambda: mg.arange(0, 5, 0), ValueError, "arange from 0 to 5 in steps of 0 has no end; legal"),
    (lambda: mg.arange(float("inf")), ValueError, "from 0 to inf .* has no end; legal are finite"),
    (lambda: mg.arange(1e300), MemoryError, "too many numbers .* try a larger step"),
    (lambda: mg.ones(3).sum(along=0), TypeError, "sum has no along=; it takes axis, keepdims"),
    (nonscalar_backward, mg.GraphError, r"\(3,\).*\.sum\(\).*backward\(gradient\)"),
    (backward_without_graph, mg.GraphError, "no graph.*requires a gradient"),
    (backward_under_no_grad, mg.GraphError, "no_grad"),
    (freed_graph, mg.GraphError, "freed.*exp.*retain_graph=True"),
    (kept_input_modified, mg.GraphError, "mul kept.*modified in place.*optimizer.step"),
    (kept_constant_modified, mg.GraphError, "modified in place"),
    (kept_output_modified, mg.GraphError, "exp kept.*modified in place"),
    (view_of_kept_modified, mg.GraphError, "modified in place"),
    (higher_order_after_change, mg.GraphError, "modified in place"),
    (item_assignment_in_graph, mg.GraphError, "mg.where"),
    (item_assignment_on_leaf, mg.GraphError, "mg.no_grad"),
    (item_assignment_of_graph_value, mg.GraphError, "item assignment"),
    (in_place_on_leaf, mg.GraphError, "mg.no_grad"),
    (integer_gradient, TypeError, r"int64.*astype\(mg.float32\)"),
    (integer_gradient_later, TypeError, "int64"),
    (boolean_gradient, TypeError, "bool"),
    (requires_grad_of_intermediate, mg.GraphError, "detach"),
    (wrong_gradient_shape, mg.ShapeError, r"\(2,\).*\(3,\)"),
    (truth_of_many, ValueError, r"\(3,\).*\.any\(\), \.all\(\)"),
    (item_of_many, ValueError, r"one element.*\(3,\)"),
    (unknown_device, mg.DeviceError, "tpu.*cpu.*cuda"),
    (ragged, mg.ShapeError, "ragged"),
    (text, TypeError, "real numbers"),
    (complex_numbers, TypeError, "real numbers .* not complex; try the real and the imaginary"),
    (lambda: mg.tensor([[1.0], [None]]), TypeError, "real numbers or booleans, .* not NoneType$"),
    (lambda: mg.tensor([1, "2"]), TypeError, r"not str; try float\(...\) of each"),
    (lambda: mg.tensor({1.0}), TypeError, r"not set; try list\(...\) of it"),
    (lambda: mg.tensor(i for i in range(3)), TypeError, r"not generator; try list\(...\) of it"),
    (lambda: mg.tensor(np.array(["a"])), TypeError, "not an array of <U1"),
    (lambda: mg.tensor(nested(70)), mg.ShapeError, "too deep .* at most 64 axes"),
    (lambda: mg.tensor(nested(9000)), mg.ShapeError, "too deep .* at most 64 axes"),
    (lambda: mg.tensor([1, 10**400]), OverflowError, "^a number of about 400 digits is no number"),
    (lambda: mg.tensor(-(10**5000)), OverflowError, "^a number of about 5000 digits is no number"),
    (
        lambda: mg.tensor([2**40], dtype="int32"),
        OverflowError,
        "1099511627776 is no number of int32",
    ),
    (strange_operand, TypeError, "dict"),
    (index_of_float, TypeError, "float32"),
    (float_mask, IndexError, "float32"),
    (length_of_scalar, TypeError, "no length"),
    (hook_without_gradient, mg.GraphError, "hook"),
    (grad_of_constant, mg.GraphError, "requires_grad=True"),
    (loss_is_a_number, TypeError, "Tensor, not float"),
    (not_differentiable, mg.GraphError, "no graph"),
]


@pytest.mark.parametrize(
    ("cause", "error", "message"), ERRORS, ids=lambda e: getattr(e, "__name__", "")
)
def test_errors_explain_themselves(cause, error, message):
    with pytest.raises(error, match=message) as caught:
        cause()
    assert "\n" not in str(caught.value)


def test_what_is_not_kept_may_be_modified():
    x = leaf(3)
    h = x * 2.0  # the rule of a product with a constant reads the constant, not h or x
    y = (h + 1).sum()
    with mg.no_grad():
        h *= 7
        x += 1
    y.backward()
    assert x.grad.tolist() == [2, 2, 2]


def test_in_place_operators_follow_pytorch():
    x = leaf(2)
    with mg.no_grad():
        x -= 0.25
        x *= 2
        x /= 3
        x += 1
    np.testing.assert_allclose(x.numpy(), 1.5)
    total = mg.tensor(0.0)
    total += x.sum()  # on a plain tensor, a graph makes a new tensor
    total.backward()
    assert x.grad.tolist() == [1, 1]
    plain = mg.ones(3)
    alias = plain
    plain += 1
    assert alias.tolist() == [2, 2, 2]


@pytest.mark.parametrize("function", [np.dot, np.linalg.norm, np.asarray])
def test_numpy_does_not_take_a_tensor_out_of_its_graph(function):
    w = mg.tensor([1.0, 2.0], requires_grad=True)
    arguments = (w, np.ones(2)) if function is np.dot else (w,)
    with pytest.raises(mg.GraphError, match=r"outside the graph.*mg\.dot.*\.numpy\(\)"):
        function(*arguments)
    with mg.no_grad():
        function(*arguments)
    function(*(w.detach(), *arguments[1:]))


def test_numpy_view_of_a_parameter_is_read_only():
    with pytest.raises(ValueError, match="read-only"):
        leaf(3).numpy()[0] = 1
    plain = mg.zeros(3)
    plain.numpy()[0] = 1
    assert plain.tolist() == [1, 0, 0]


def test_missing_cupy_is_one_line():
    try:
        import cupy  # noqa: F401
    except ImportError:
        with pytest.raises(mg.DeviceError, match='pip install "cupy-cuda13x') as caught:
            mg.zeros(3, device="cuda")
        assert "\n" not in str(caught.value)
