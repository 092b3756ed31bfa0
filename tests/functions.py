"""What the tests of functions of functions differentiate: two functions, and where."""

import numpy as np

import minigrad as mg

RNG = np.random.default_rng(0)
X, Y = RNG.uniform(0.5, 1.5, 3), RNG.uniform(0.5, 1.5, (2, 3))
V, W = RNG.uniform(-1, 1, 3), RNG.uniform(-1, 1, (2, 3))


def t(x, requires_grad=False):
    return mg.tensor(np.asarray(x, dtype=np.float64), requires_grad=requires_grad)


def f(x, y):
    """Return a scalar of a (3,) and a (2, 3), not symmetric in anything."""
    return (mg.sin(x * y) * mg.exp(y)).sum() + (x**3).sum() * (y @ x).prod()


def g(x):
    """Return a vector of a vector."""
    return mg.stack([x[0] * x[1], mg.exp(x[2]) * x[0], (x * x).sum(), x[1] / x[2]])


def close(a, b, rtol=1e-6, atol=1e-8):
    a, b = (x.numpy() if isinstance(x, mg.Tensor) else np.asarray(x) for x in (a, b))
    np.testing.assert_allclose(a, b, rtol=rtol, atol=atol)
