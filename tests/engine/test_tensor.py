"""Making tensors, their attributes, their text, and how they mix with NumPy and Python."""

import math
import operator

import numpy as np
import pytest

import minigrad as mg


@pytest.mark.parametrize(
    ("data", "dtype"),
    [
        (1.5, "float32"),
        (3, "int64"),
        (True, "bool"),
        ([1.0, 2.0], "float32"),
        ([1, 2], "int64"),
        (np.arange(3.0), "float64"),
        (np.arange(3, dtype="int32"), "int32"),
        (np.float32(1.5), "float32"),
        ([mg.tensor(1.0), mg.tensor(2.0)], "float32"),
    ],
)
def test_dtype_of_what_is_given(data, dtype):
    assert mg.tensor(data).dtype == dtype


@pytest.mark.parametrize("layout", ["C", "F"])
def test_bytes_are_in_the_machines_order(layout):
    """As on a GPU, where no other is; and Numba has no type for another."""
    array = np.array([[1.0, 2.0, 3.0]] * 2, np.dtype("float32").newbyteorder(), order=layout)
    for x in (mg.tensor(array), mg.ones(2, 3, dtype=array.dtype) * array[0]):
        assert x.dtype == "float32"
        assert x.dtype.isnative
        assert x.tolist() == array.tolist()
    assert mg.tensor(array).data.strides == array.strides


def test_tensor_copies():
    array = np.zeros(3)
    x = mg.tensor(array)
    array[0] = 1
    assert x.tolist() == [0, 0, 0]
    y = mg.tensor(x)
    y[0] = 5.0
    assert x.tolist() == [0, 0, 0]


@pytest.mark.parametrize(
    ("a", "b", "dtype"),
    [
        (mg.ones(2), 2.5, "float32"),
        (mg.ones(2), np.float64(2.5), "float32"),  # a number is a number
        (mg.ones(2), np.ones(2, "float32"), "float32"),
        (mg.ones(2), np.ones(2), "float64"),  # an array of float64 is a wish
        (mg.ones(2, dtype="float64"), mg.ones(2), "float64"),
        (mg.tensor([1, 2]), 2.5, "float32"),
        (mg.tensor([1, 2]), mg.ones(2), "float32"),
        (mg.tensor([1, 2]), 2, "int64"),
        (mg.ones(2, dtype="float16"), 2.5, "float16"),
        (mg.ones(2), [1.0, 2.0], "float32"),
    ],
)
def test_promotion_makes_float64_only_from_float64(a, b, dtype):
    assert (a * b).dtype == dtype
    assert (b * a).dtype == dtype
    assert isinstance(b * a, mg.Tensor)


OPERATORS = [
    "add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "matmul", "lt", "le", "gt", "ge",
    "eq", "ne", "and_", "or_",
]  # fmt: skip


@pytest.mark.parametrize("name", OPERATORS)
def test_an_array_on_the_left_of_an_operator_makes_a_tensor(name):
    values = [True, False] if name.endswith("_") else [2.0, 3.0]
    left, right = np.array(values), np.array(values[::-1])
    expected = getattr(operator, name)(left, right)
    for made in (
        getattr(operator, name)(left, mg.tensor(right)),
        getattr(operator, name)(mg.tensor(left), right),
    ):
        assert isinstance(made, mg.Tensor)
        np.testing.assert_array_equal(made.numpy(), expected)
    x = mg.tensor(3.0, requires_grad=True)
    (np.float32(2) * x).backward()
    assert x.grad.item() == 2


def test_integers_become_float32():
    x = mg.tensor([1, 2, 4])
    assert (x / 2).dtype == "float32"
    assert mg.exp(x).dtype == "float32"
    assert x.mean().dtype == "float32"


def test_a_shape_is_given_as_sizes_or_as_one_tuple():
    for make in (mg.zeros, mg.ones, mg.rand, mg.randn):
        assert [make(*shape).shape for shape in ((), (3,), (3, 2), ((3, 2),), ([3, 2],))] == [
            (), (3,), (3, 2), (3, 2), (3, 2),
        ]  # fmt: skip
    assert mg.ones(2, np.int64(1)).tolist() == [[1], [1]]


def test_attributes():
    x = mg.zeros((2, 3))
    assert (x.shape, x.ndim, x.size, len(x), x.device, x.is_leaf) == ((2, 3), 2, 6, 2, "cpu", True)
    assert [row.shape for row in x] == [(3,), (3,)]
    assert x.T.shape == (3, 2)


def test_conversions():
    x = mg.tensor(2.5)
    assert (float(x), int(x), x.item(), bool(x)) == (2.5, 2, 2.5, True)
    assert f"{x:.3f}" == "2.500"
    assert [10, 20, 30][mg.tensor(1)] == 20
    assert np.asarray(mg.ones(2)).tolist() == [1, 1]
    assert np.asarray(mg.ones(2), dtype="float64").dtype == "float64"
    assert x.to("float64").dtype == "float64"
    assert x.to("cpu") is x


@pytest.mark.parametrize(
    ("x", "text"),
    [
        (mg.tensor([1.0, 2.0]), "tensor([1., 2.])"),
        (mg.tensor([1, 2]), "tensor([1, 2], int64)"),
        (mg.tensor(1.0, requires_grad=True), "tensor(1., requires_grad=True)"),
        (mg.tensor([1.0], requires_grad=True) * 2, "tensor([2.], op=mul)"),
    ],
)
def test_repr(x, text):
    assert repr(x) == text


def test_astype_and_detach_and_clone():
    x = mg.tensor([1.0, 2.0], requires_grad=True)
    x.astype("float64").sum().backward()
    assert x.grad.dtype == "float32"
    assert x.detach().data is x.data
    assert not x.detach().requires_grad
    copy = x.clone()
    assert copy.data is not x.data
    assert copy.requires_grad


def test_random_numbers_follow_the_seed():
    mg.manual_seed(3)
    first = mg.randn(4).tolist(), mg.rand(2, 2).tolist()
    mg.manual_seed(3)
    state = mg.random.get_state()
    assert (mg.randn(4).tolist(), mg.rand((2, 2)).tolist()) == first
    mg.random.set_state(state)
    assert mg.randn(4).tolist() == first[0]
    assert mg.randn(2).dtype == "float32"
    with pytest.raises(ValueError, match="seed"):
        mg.manual_seed(-1)


def test_equal_tensors_can_be_keys():
    a, b = mg.ones(2), mg.ones(2)
    assert len({a: 1, b: 2}) == 2
    assert (a == b).tolist() == [True, True]


OUTSIDE = [
    ([2**40], mg.int32), (2**31, mg.int32), ([[1, 2], [3, -(2**31) - 1]], mg.int32),
    ([2**63], mg.int64), ([2**70], None), ([2**70], mg.float32), ([1.5, 2**70], None),
    ([2.0**31], mg.int32), ([2.0**63], mg.int64), ([1e20], mg.int64), ([math.nan], mg.int64),
    ([-math.inf], mg.int32), ([-1], np.uint8), ([256], np.uint8),
]  # fmt: skip
INSIDE = [
    ([2**31 - 1, -(2**31)], mg.int32), ([2**63 - 1, -(2**63)], mg.int64), ([1.75], mg.int32),
    ([-(2.0**31), 2.0**31 - 1], mg.int32), ([-(2.0**63)], mg.int64), ([True], mg.int32),
    ([0, 255], np.uint8), ([], mg.int32), ([2**31], mg.float16),
]  # fmt: skip


@pytest.mark.parametrize(("data", "dtype"), OUTSIDE)
def test_a_number_that_the_integers_do_not_hold_is_refused(data, dtype):
    with pytest.raises(OverflowError, match=r"is no number of u?int\d+, which holds .*wider dtype"):
        mg.tensor(data, dtype=dtype)


@pytest.mark.parametrize(("data", "dtype"), INSIDE)
@pytest.mark.filterwarnings("ignore:overflow")
def test_a_number_that_the_integers_hold_is_taken(data, dtype):
    expected = np.array(data).astype(dtype)
    np.testing.assert_array_equal(mg.tensor(data, dtype=dtype).numpy(), expected)
