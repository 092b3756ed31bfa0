"""The steps of `steps.py` by hand in NumPy, with buffers that are used again: the floor.

Each function returns one step without arguments.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np

NETWORKS = {  # name: (layer sizes, batch, steps in a round)
    "tiny": ((64, 32, 10), 32, 500),
    "medium": ((784, 512, 256, 10), 128, 80),
    "big": ((784, 2048, 2048, 10), 256, 6),
}


def numpy_step(name: str, update: str = "") -> Callable[[], object]:
    """Return one gradient of a network as one would write it by hand in NumPy: the floor.

    The buffers are used again and again. `update` adds a step of Adam: ``"blocks"``, by NumPy in
    pieces that stay in the cache, or ``"compiled"``, one loop compiled by Numba.
    """
    sizes, batch, _ = NETWORKS[name]
    rng = np.random.default_rng(0)
    x = rng.standard_normal((batch, sizes[0])).astype("float32")
    rows, classes = np.arange(batch), np.arange(batch) % sizes[-1]
    weights = [
        (rng.standard_normal(pair) / pair[0] ** 0.5).astype("float32") for pair in pairwise(sizes)
    ]
    biases = [np.zeros(n, "float32") for n in sizes[1:]]
    values = [x] + [np.empty((batch, n), "float32") for n in sizes[1:]]
    back = [np.empty_like(value) for value in values]
    masks = [np.empty(value.shape, bool) for value in values]
    slopes = [np.empty_like(w) for w in weights]
    kinds = {"blocks": _adam_in_blocks, "compiled": _adam_compiled}
    adam = _adam([*weights, *biases], kinds[update]()) if update else None

    def step() -> None:
        for i, (w, b) in enumerate(zip(weights, biases, strict=True)):
            np.matmul(values[i], w, out=values[i + 1])
            values[i + 1] += b
            if i < len(weights) - 1:
                np.maximum(values[i + 1], np.zeros(sizes[i + 1], "float32"), out=values[i + 1])
        logits, g = values[-1], back[-1]
        np.exp(logits - logits.max(1, keepdims=True), out=g)
        g /= g.sum(1, keepdims=True)
        g[rows, classes] -= 1
        g *= 1 / batch
        shifts = []
        for i in reversed(range(len(weights))):
            np.matmul(values[i].T, back[i + 1], out=slopes[i])
            shifts.append(np.ones(batch, "float32") @ back[i + 1])
            if i:
                np.matmul(back[i + 1], weights[i].T, out=back[i])
                np.greater(values[i], 0, out=masks[i])
                back[i] *= masks[i]
        if adam is not None:
            adam([*slopes, *shifts[::-1]])

    return step


Update = Callable[[Any, Any, Any, Any, Any, Any], None]  # p, g, m, v, rate, eps: changes p, m, v


def _adam_in_blocks() -> Update:
    """Return Adam's update by NumPy, 32,768 numbers at a time."""
    length = 1 << 15
    buffer = np.empty(length, "float32")

    def update(p: Any, g: Any, m: Any, v: Any, rate: Any, eps: Any) -> None:
        for start in range(0, p.size, length):
            part = slice(start, start + length)
            pp, gg, mm, vv = p[part], g[part], m[part], v[part]
            t = buffer[: pp.size]
            mm *= np.float32(0.9)
            mm += np.multiply(gg, np.float32(0.1), out=t)
            vv *= np.float32(0.999)
            np.multiply(gg, gg, out=t)
            t *= np.float32(0.001)
            vv += t
            np.sqrt(vv, out=t)
            t += eps
            np.divide(mm, t, out=t)
            t *= rate
            pp -= t

    return update


def _adam_compiled() -> Update:
    """Return Adam's update as one loop compiled by Numba."""
    import numba

    @numba.njit(fastmath=True)  # type: ignore[untyped-decorator]
    def update(p: Any, g: Any, m: Any, v: Any, rate: Any, eps: Any) -> None:
        for i in range(p.size):
            m[i] = np.float32(0.9) * m[i] + np.float32(0.1) * g[i]
            v[i] = np.float32(0.999) * v[i] + np.float32(0.001) * g[i] * g[i]
            p[i] -= rate * m[i] / (np.sqrt(v[i]) + eps)

    return update


def _adam(parameters: list[Any], update: Update) -> Callable[[list[Any]], None]:
    """Return a step of Adam over arrays, given its update."""
    flat = [p.reshape(-1) for p in parameters]
    states = [(np.zeros_like(p), np.zeros_like(p)) for p in flat]
    t = 0

    def step(gradients: list[Any]) -> None:
        nonlocal t
        t += 1
        root = (1 - 0.999**t) ** 0.5
        rate, eps = np.float32(1e-3 * root / (1 - 0.9**t)), np.float32(1e-8 * root)
        for p, g, (m, v) in zip(flat, gradients, states, strict=True):
            update(p, g.reshape(-1), m, v, rate, eps)

    return step


def numpy_hvp(name: str) -> Callable[[], list[Any]]:
    """Return one Hessian-vector product of a network by hand, from the beginning.

    That is Pearlmutter's operator, forward and back: for a hidden layer eight products of matrices.
    The step returns the weights' parts of the product.
    """
    sizes, batch, _ = NETWORKS[name]
    rng = np.random.default_rng(0)

    def normal(*shape: int) -> Any:
        return rng.standard_normal(shape).astype("float32")

    def buffers(dtype: Any = "float32") -> list[Any]:
        return [np.empty((batch, n), dtype) for n in sizes]

    weights = [normal(*pair) / np.float32(pair[0] ** 0.5) for pair in pairwise(sizes)]
    biases = [np.zeros(n, "float32") for n in sizes[1:]]
    w_dots, b_dots = [normal(*pair) for pair in pairwise(sizes)], [normal(n) for n in sizes[1:]]
    rows, classes = np.arange(batch), np.arange(batch) % sizes[-1]
    values, dots = buffers(), buffers()  # of the layers, and their tangents
    back, back_dots = buffers(), buffers()  # their gradients, and the tangents of these
    others, masks = buffers(), buffers(bool)
    values[0] = normal(batch, sizes[0])
    slopes, more = [np.empty_like(w) for w in weights], [np.empty_like(w) for w in weights]
    zeros, last = [np.zeros(n, "float32") for n in sizes], len(weights)

    def step() -> list[Any]:
        for i, (w, b, w_dot, b_dot) in enumerate(zip(weights, biases, w_dots, b_dots, strict=True)):
            h, h_dot = values[i + 1], dots[i + 1]
            np.matmul(values[i], w, out=h)
            h += b
            np.matmul(values[i], w_dot, out=h_dot)
            if i:
                h_dot += np.matmul(dots[i], w, out=others[i + 1])
            h_dot += b_dot
            if i + 1 < last:
                np.maximum(h, zeros[i + 1], out=h)
                h_dot *= np.greater(h, 0, out=masks[i + 1])
        g, g_dot = back[last], back_dots[last]
        np.exp(values[last] - values[last].max(1, keepdims=True), out=g)
        g /= g.sum(1, keepdims=True)
        np.multiply(g, dots[last], out=g_dot)
        g_dot -= g * g_dot.sum(1, keepdims=True)
        g_dot *= 1 / batch
        g[rows, classes] -= 1
        g *= 1 / batch
        shifts = []
        for i in reversed(range(last)):
            g, g_dot = back[i + 1], back_dots[i + 1]
            np.matmul(values[i].T, g_dot, out=slopes[i])
            shifts.append(np.ones(batch, "float32") @ g_dot)
            if i:
                slopes[i] += np.matmul(dots[i].T, g, out=more[i])
                np.matmul(g_dot, weights[i].T, out=back_dots[i])
                back_dots[i] += np.matmul(g, w_dots[i].T, out=others[i])
                back_dots[i] *= masks[i]
                np.matmul(g, weights[i].T, out=back[i])
                back[i] *= masks[i]
        return slopes

    return step
