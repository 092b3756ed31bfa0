"""The steps that `run.py` times: the same network in minigrad, NumPy by hand, PyTorch and JAX.

Each function returns one step without arguments, and imports only the library that it times.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
from by_hand import NETWORKS
from by_hand import numpy_hvp as numpy_hvp
from by_hand import numpy_step as numpy_step


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


def _step(model: Any, loss: Any, optimizer: Any, x: Any, y: Any) -> Callable[[], object]:
    """Return a gradient and, with an optimizer, its step: the same text for both libraries."""

    def step() -> None:
        model.zero_grad()
        loss(model(x), y).backward()
        if optimizer is not None:
            optimizer.step()

    return step


def minigrad_step(name: str, train: bool, device: str = "cpu") -> Callable[[], object]:
    """Return one gradient (and, to train, one step of Adam) of a network in minigrad."""
    from minigrad import nn, optim

    model, (x, y) = network(nn, name).to(device), minigrad_batch(name, device)
    loss = nn.CrossEntropyLoss()
    optimizer = optim.Adam(model.parameters()) if train else None
    return _step(model, loss, optimizer, x, y)


def torch_step(
    name: str, train: bool, fused: bool = False, device: str = "cpu"
) -> Callable[[], object]:
    """Return the same in PyTorch, with the optimizer's default implementation or the fused one."""
    import torch

    model, (x, y) = network(torch.nn, name).to(device), torch_batch(name, device)
    loss = torch.nn.CrossEntropyLoss()
    options = {"fused": True} if fused else {}
    optimizer = torch.optim.Adam(model.parameters(), **options) if train else None
    return _step(model, loss, optimizer, x, y)


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
