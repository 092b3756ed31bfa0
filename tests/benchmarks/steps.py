"""The steps that `run.py` times: the same network in minigrad, NumPy by hand, PyTorch and JAX.

Each function returns one step without arguments, and imports only the library that it times.
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


def network(nn: Any, name: str) -> Any:
    """Return a network, of minigrad's modules or of PyTorch's."""
    pairs = pairwise(NETWORKS[name][0])
    layers = [layer for a, b in pairs for layer in (nn.Linear(a, b), nn.ReLU())]
    return nn.Sequential(*layers[:-1])


def minigrad_batch(name: str, device: str = "cpu") -> tuple[Any, Any]:
    """Return inputs and classes for a network in minigrad."""
    import minigrad as mg

    sizes, batch, _ = NETWORKS[name]
    classes = np.arange(batch) % sizes[-1]
    return mg.randn(batch, sizes[0], device=device), mg.tensor(classes, device=device)


def torch_batch(name: str, device: str = "cpu") -> tuple[Any, Any]:
    """Return inputs and classes for a network in PyTorch."""
    import torch

    sizes, batch, _ = NETWORKS[name]
    return torch.randn(batch, sizes[0]).to(device), torch.arange(batch).to(device) % sizes[-1]


def minigrad_step(name: str, train: bool, device: str = "cpu") -> Callable[[], object]:
    """Return one gradient (and, to train, one step of Adam) of a network in minigrad."""
    from minigrad import nn, optim

    model, (x, y) = network(nn, name).to(device), minigrad_batch(name, device)
    loss = nn.CrossEntropyLoss()
    optimizer = optim.Adam(model.parameters()) if train else None

    def step() -> None:
        model.zero_grad()
        loss(model(x), y).backward()
        if optimizer is not None:
            optimizer.step()

    return step


def torch_step(
    name: str, train: bool, fused: bool = False, device: str = "cpu"
) -> Callable[[], object]:
    """Return the same in PyTorch, with the optimizer's default implementation or the fused one."""
    import torch

    model, (x, y) = network(torch.nn, name).to(device), torch_batch(name, device)
    loss = torch.nn.CrossEntropyLoss()
    options = {"fused": True} if fused else {}
    optimizer = torch.optim.Adam(model.parameters(), **options) if train else None

    def step() -> None:
        model.zero_grad()
        loss(model(x), y).backward()
        if optimizer is not None:
            optimizer.step()

    return step


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


def jax_step(name: str, train: bool, waiting: bool = True) -> Callable[[], object]:
    """Return one gradient (and, to train, one step of optax's Adam), compiled by jit.

    On JAX's default device. Without `waiting` a step returns before it is done, what it computes.
    """
    import jax
    import jax.numpy as jnp
    import optax

    sizes, batch, _ = NETWORKS[name]
    keys = jax.random.split(jax.random.key(0), len(sizes))
    x, y = jax.random.normal(keys[-1], (batch, sizes[0])), jnp.arange(batch) % sizes[-1]
    parameters = [
        (jax.random.normal(key, pair) / pair[0] ** 0.5, jnp.zeros(pair[1]))
        for key, pair in zip(keys, pairwise(sizes), strict=False)
    ]
    method = optax.adam(1e-3)

    def loss(parameters: Any) -> Any:
        h = x
        for i, (w, b) in enumerate(parameters):
            h = h @ w + b
            h = jax.nn.relu(h) if i < len(parameters) - 1 else h
        return optax.softmax_cross_entropy_with_integer_labels(h, y).mean()

    gradient = jax.jit(jax.grad(loss))

    @jax.jit
    def advance(parameters: Any, state: Any) -> Any:
        updates, state = method.update(jax.grad(loss)(parameters), state)
        return optax.apply_updates(parameters, updates), state

    state = (parameters, method.init(parameters))

    def step() -> Any:
        nonlocal state
        if train:
            state = advance(*state)
        result = state if train else gradient(parameters)
        return jax.block_until_ready(result) if waiting else result

    return step


def minigrad_hvp(name: str, kept: bool = False) -> Callable[[], object]:
    """Return one Hessian-vector product of a network; with `kept`, one more at the same point."""
    import minigrad as mg
    from minigrad import nn

    model, (x, y), loss = network(nn, name), minigrad_batch(name), nn.CrossEntropyLoss()
    parameters = list(model.parameters())
    vectors = [mg.randn(*p.shape) for p in parameters]
    curvature = mg.curvature.Curvature(loss(model(x), y), parameters)

    def once() -> None:
        mg.curvature.Curvature(loss(model(x), y), parameters, keep=False).hvp(vectors)

    return (lambda: curvature.hvp(vectors)) if kept else once


def torch_hvp(name: str) -> Callable[[], object]:
    """Return the same in PyTorch, by its faster way: the gradient's graph differentiated."""
    import torch

    model, (x, y), loss = network(torch.nn, name), torch_batch(name), torch.nn.CrossEntropyLoss()
    parameters = list(model.parameters())
    vectors = [torch.randn_like(p) for p in parameters]

    def step() -> None:
        first = torch.autograd.grad(loss(model(x), y), parameters, create_graph=True)
        torch.autograd.grad(first, parameters, vectors)

    return step


def minigrad_hessian() -> Callable[[], object]:
    """Return the exact Hessian of a network of 508 parameters, 64 cases."""
    import minigrad as mg
    from minigrad import nn

    model = nn.Sequential(nn.Linear(16, 20), nn.Tanh(), nn.Linear(20, 8))
    x, y = mg.randn(64, 16), mg.tensor(np.arange(64) % 8)
    loss, parameters = nn.CrossEntropyLoss(), list(model.parameters())
    return lambda: mg.curvature.Curvature(loss(model(x), y), parameters).hessian()


def torch_hessian() -> Callable[[], object]:
    """Return the same in PyTorch, by its fastest way: torch.func, all columns at once."""
    import torch

    model = torch.nn.Sequential(torch.nn.Linear(16, 20), torch.nn.Tanh(), torch.nn.Linear(20, 8))
    x, y = torch.randn(64, 16), torch.arange(64) % 8
    shapes = {name: p.shape for name, p in model.named_parameters()}
    flat = torch.cat([p.detach().reshape(-1) for p in model.parameters()])

    def loss(v: torch.Tensor) -> torch.Tensor:
        parts = torch.split(v, [shape.numel() for shape in shapes.values()])
        state = {name: part.view(shapes[name]) for name, part in zip(shapes, parts, strict=True)}
        logits = torch.func.functional_call(model, state, (x,))
        return torch.nn.functional.cross_entropy(logits, y)

    return lambda: torch.func.hessian(loss)(flat)
