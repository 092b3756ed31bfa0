"""References in NumPy that take complex numbers and are analytic, where NumPy's own are not."""

import numpy as np


def piece(condition, a, b):
    return np.where(condition, a, b)


def absolute(x):
    return np.where(x.real > 0, x, -x)


def over(function):
    """Make a reduction of (…, n) to (…) one over any axes, with keepdims."""

    def reduction(x, axis=None, keepdims=False, **params):
        gone = tuple(range(x.ndim)) if axis is None else np.atleast_1d(axis) % max(x.ndim, 1)
        kept = [a for a in range(x.ndim) if a not in gone]
        sizes = [x.shape[a] for a in kept]
        count = int(np.prod([x.shape[a] for a in gone], dtype=int))
        y = function(x.transpose([*kept, *sorted(gone)]).reshape(*sizes, count), **params)
        if not keepdims:
            return y
        return y.reshape([1 if a in gone else n for a, n in enumerate(x.shape)])

    return reduction


def _largest(x):
    return np.take_along_axis(x, x.real.argmax(-1)[..., None], -1)[..., 0]


def _norm(x, ord=2):
    if ord == np.inf:
        return _largest(absolute(x)) * 1.0
    if ord == 2:
        return np.sqrt((x * x).sum(-1))
    return (absolute(x) ** ord).sum(-1) ** (1 / ord)


largest = over(_largest)
smallest = over(lambda x: -_largest(-x))
norm = over(_norm)
variance = over(
    lambda x, correction=0: (
        ((x - x.mean(-1, keepdims=True)) ** 2).sum(-1) / (x.shape[-1] - correction)
    )
)
logsumexp = over(lambda x: np.log(np.exp(x).sum(-1)))


def std(x, **params):
    return np.sqrt(variance(x, **params))


def softmax(x, axis=-1):
    return np.exp(x - logsumexp(x, axis=axis, keepdims=True))


def log_softmax(x, axis=-1):
    return x - logsumexp(x, axis=axis, keepdims=True)


def cholesky(x):
    """Return L with L Lᵀ = x + xᵀ, by Cholesky's own loop, without a conjugate."""
    x = x + np.swapaxes(x, -1, -2)
    out = np.zeros_like(x)
    for j in range(x.shape[-1]):
        row = out[..., j, :j]
        out[..., j, j] = np.sqrt(x[..., j, j] - (row * row).sum(-1))
        rest = x[..., j + 1 :, j] - (out[..., j + 1 :, :j] * row[..., None, :]).sum(-1)
        out[..., j + 1 :, j] = rest / out[..., j, j, None]
    return out


def solve(a, b):
    return np.linalg.solve(a, b[..., None])[..., 0] if b.ndim == 1 else np.linalg.solve(a, b)


def slogdet(x):
    d = np.linalg.det(x)
    return np.sign(d.real), np.log(d * np.sign(d.real))


def along(array, index, axis):
    """Return the full index of an index along one axis, as gather and scatter_add read it."""
    grid = list(np.indices(index.shape, sparse=True))
    grid[axis] = index
    return tuple(grid)


def gather(x, index, axis):
    return x[along(x, index, axis)]


def scatter_add(x, values, index, axis):
    out = x.astype(np.result_type(x, values))
    np.add.at(out, along(x, index, axis), values)
    return out


def split(x, sizes, axis=0):
    if isinstance(sizes, int):
        return np.split(x, range(sizes, x.shape[axis], sizes), axis)
    return np.split(x, np.cumsum(sizes)[:-1], axis)


def erf(x):
    from scipy import special

    return special.erf(x)


def softplus_by_torch(torch, x):
    return torch.nn.functional.softplus(x)
