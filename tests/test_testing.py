"""gradcheck and gradgradcheck: what they pass, what they find, what they say."""

import numpy as np
import pytest

import minigrad as mg
from minigrad.primitive import elementwise
from minigrad.testing import GradcheckError, gradcheck, gradgradcheck


def leaf(*values, dtype=mg.float64):
    return mg.tensor(np.array(values), dtype=dtype, requires_grad=True)


@elementwise(lambda x: 3 * x)  # should be 3 x²
def wrong_cube(xp, x):
    return x**3


@elementwise(lambda x: 3 * x * x.detach() if isinstance(x, mg.Tensor) else 3 * x * x)
def cube_once(xp, x):
    """Return x³, with a derivative that is right once and wrong twice."""
    return x**3


@pytest.mark.parametrize("check", [gradcheck, gradgradcheck])
def test_right_derivatives_pass(check):
    a, b = leaf(1.0, 2.0, -0.5), leaf(0.3, 1.5, 2.5)
    assert check(lambda a, b: mg.tanh(a) * b**3, [a, b]) is True
    assert check(mg.exp, a) is True
    assert check(lambda x: [x * 2, (x * x).sum(), x > 0], a) is True
    assert check(lambda x, n: x**n, [a, 2]) is True
    assert check(lambda x: mg.tensor([1.0]), a) is True
    assert check(lambda m: mg.inv(m).sum(0), leaf([2.0, 0.3], [0.1, 1.5])) is True
    assert a.grad is None


def test_a_wrong_derivative_is_named_with_both_numbers():
    with pytest.raises(GradcheckError) as caught:
        gradcheck(lambda a, b: a + wrong_cube(b), [leaf(1.0, 1.0), leaf(1.0, 2.0)])
    assert issubclass(GradcheckError, AssertionError)
    assert "output 0[1] by input 1[1]" in str(caught.value)
    assert "is 6.0 by reverse mode and 12.0" in str(caught.value)


def test_a_second_derivative_that_is_wrong_is_found_by_gradgradcheck_only():
    x = leaf(1.0, 2.0)
    assert gradcheck(cube_once, x)
    with pytest.raises(GradcheckError, match="by input 0"):
        gradgradcheck(cube_once, x)


def test_grad_outputs_are_the_vector():
    x = leaf(1.0, 2.0)
    zero = mg.zeros(2, dtype=mg.float64)
    assert gradgradcheck(mg.sin, x, [leaf(0.5, -1.0)])
    assert gradgradcheck(mg.sin, x, zero)
    with pytest.raises(mg.ShapeError, match=r"\(3,\).*\(2,\)"):
        gradgradcheck(mg.sin, x, leaf(1.0, 2.0, 3.0))


@pytest.mark.parametrize("check", [gradcheck, gradgradcheck])
def test_inputs_that_cannot_be_checked(check):
    with pytest.raises(TypeError, match=r"input 1 is float32.*float64"):
        check(mg.add, [leaf(1.0), leaf(1.0, dtype=mg.float32)])
    with pytest.raises(ValueError, match="no input requires a gradient"):
        check(mg.exp, mg.ones(2))
    with pytest.raises(TypeError, match="not float"):
        check(lambda x: 1.0, leaf(1.0))


def test_the_global_generator_is_left_alone():
    mg.manual_seed(0)
    before = mg.random.get_state()
    gradgradcheck(mg.exp, leaf(1.0))
    assert mg.random.get_state() == before
